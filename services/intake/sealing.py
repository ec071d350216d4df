"""Raw messages at rest: AES-256-GCM with the message's id authenticated, so that rows can't be swapped."""

import os
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12


class Seal:
    """Raises cryptography.exceptions.InvalidTag when what is opened was not sealed with this key for this id."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def close(self, raw: bytes, message_id: UUID) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, raw, message_id.bytes)

    def open(self, sealed: bytes, message_id: UUID) -> bytes:
        return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], message_id.bytes)
