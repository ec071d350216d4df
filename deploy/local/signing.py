"""The local issuer's signing key, made once and kept where only its owner may read it, and the tokens it signs."""

import hashlib
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from jwt.algorithms import ECAlgorithm

from shared.http import Role

KEY_FILE = "issuer.pem"


class SigningKey:
    """An ES256 key. Its id is the RFC 7638 thumbprint, so the same key has the same id after a restart."""

    def __init__(self, private: EllipticCurvePrivateKey) -> None:
        self._private = private
        public: dict[str, Any] = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
        thumbed = {name: public[name] for name in ("crv", "kty", "x", "y")}
        self.kid = hashlib.sha256(orjson.dumps(thumbed, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
        self.published = {**public, "kid": self.kid, "use": "sig", "alg": "ES256"}

    def token(
        self,
        *,
        issuer: str,
        audience: str,
        seconds: int,
        role: Role,
        organisation: str | None = None,
        facilities: Sequence[str] = (),
        care_roles: Sequence[str] = (),
    ) -> str:
        """A signed token for a made-up person or system of this role, valid from now for so many seconds."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": issuer,
            "aud": audience,
            "sub": f"local-{role}",
            "roles": [str(role)],
            "facilities": list(facilities),
            "iat": now,
            "exp": now + seconds,
            "jti": secrets.token_urlsafe(12),
        }
        if organisation is not None:
            claims["organisation"] = organisation
        if care_roles:
            claims["care_roles"] = list(care_roles)
        return jwt.encode(claims, self._private, algorithm="ES256", headers={"kid": self.kid})


def open_key(folder: Path) -> SigningKey:
    """The key in the folder; a new one on the first start. Raises ValueError when the file holds no such key."""
    file = folder / KEY_FILE
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _write(file, generate_private_key(SECP256R1()))
    private = serialization.load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(private, EllipticCurvePrivateKey):
        raise ValueError(f"{KEY_FILE} holds another kind of key")  # noqa: TRY004  (a wrong file, not a wrong call)
    return SigningKey(private)


def _write(file: Path, private: EllipticCurvePrivateKey) -> None:
    content = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
