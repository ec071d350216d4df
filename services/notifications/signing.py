"""Standard Webhooks 1.0.0: `v1` signatures (HMAC-SHA256 over id, timestamp and body) and secrets at rest."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PREFIX = "whsec_"
SECRET_BYTES = 32
NONCE_BYTES = 12
KEY_BYTES = 32
# After a rotation the old secret signs too, so that a recipient can change over without losing a notice.
OVERLAP = timedelta(hours=24)


class UnreadableSecretError(Exception):
    """A stored secret does not open with the configured key (NOTIFICATIONS_SECRET_KEY)."""


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def shown(secret: bytes) -> str:
    """The form in which a recipient gets the secret, once: `whsec_` and base64."""
    return PREFIX + base64.b64encode(secret).decode()


def sign(secret: bytes, webhook_id: str, timestamp: int, body: bytes) -> str:
    signed = hmac.new(secret, f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()


def headers_for(secret_keys: Sequence[bytes], webhook_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of a notice, one signature for each secret that is valid now."""
    timestamp = int(at.timestamp())
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(key, webhook_id, timestamp, body) for key in secret_keys),
    }


@dataclass(frozen=True, slots=True)
class SecretBox:
    """Encrypts the secrets of endpoints (AES-256-GCM); a secret opens only in the row of its endpoint."""

    key: bytes

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES:
            raise ValueError(f"the key must have {KEY_BYTES} bytes")

    def seal(self, endpoint_id: UUID, secret: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(self.key).encrypt(nonce, secret, endpoint_id.bytes)

    def open(self, endpoint_id: UUID, sealed: bytes) -> bytes:
        try:
            return AESGCM(self.key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], endpoint_id.bytes)
        except InvalidTag:
            raise UnreadableSecretError("the secret does not open with this key") from None
