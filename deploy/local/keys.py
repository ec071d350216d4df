"""Passwords and keys of the local stack, made once and kept in one file that only its owner may read."""

import base64
import json
import os
import secrets
from pathlib import Path

SERVICES = ("intake", "transitions", "careplan", "notifications", "dashboard")
SUPERUSER = "postgres"


class LocalKeys:
    """What `keys.json` (mode 0600) holds: a password per database role and the keys for encryption at rest."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._values = _read(file) if file.exists() else _create(file)

    def password(self, role: str) -> str:
        return self._values[f"postgres.{role}"]

    @property
    def raw_key(self) -> str:
        """Base64 of 32 bytes: encrypts the raw messages that intake keeps."""
        return self._values["intake.raw_key"]

    @property
    def secret_key(self) -> str:
        """Base64 of 32 bytes: encrypts the webhook secrets that notifications keeps."""
        return self._values["notifications.secret_key"]


def _read(file: Path) -> dict[str, str]:
    values: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return values


def _create(file: Path) -> dict[str, str]:
    values = {f"postgres.{role}": secrets.token_urlsafe(24) for role in (SUPERUSER, *SERVICES)}
    for name in ("intake.raw_key", "notifications.secret_key"):
        values[name] = base64.b64encode(secrets.token_bytes(32)).decode()
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        json.dump(values, out, indent=1)
    return values
