"""Settings of notifications, read once at the start from `NOTIFICATIONS_…`."""

import base64
import binascii
from datetime import timedelta
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from services.notifications.announcing import LATE_AFTER
from services.notifications.signing import KEY_BYTES
from shared.http import HttpSettings, environment
from shared.kafka import KafkaSettings
from shared.postgres import PostgresSettings
from shared.retention import RetentionSettings


class Settings(BaseSettings):
    model_config = environment("NOTIFICATIONS_")

    postgres: PostgresSettings = Field(
        default=PostgresSettings(user="notifications"), description="The database and this service's role in it."
    )
    kafka: KafkaSettings = Field(default=KafkaSettings(), description="The broker.")
    http: HttpSettings = Field(default=HttpSettings(port=8084), description="Where the API listens.")
    retention: RetentionSettings = Field(default=RetentionSettings(), description="What old rows go, and when.")
    instance: str = Field(
        default="0", description="Name of this replica; no other living process of this service may bear it."
    )
    roster_file: Path = Field(
        default=Path("deploy/roster.yaml"), description="The roster that is loaded at the start, if its content is new."
    )
    late_after: timedelta = Field(
        default=LATE_AFTER,
        ge=timedelta(0),
        description="What happened longer ago than this when it was recorded is told as late, not as a fresh alert.",
    )
    allow_private_endpoints: bool = Field(
        default=False, description="Allow plain HTTP, any port, loopback and private addresses as endpoints."
    )
    secret_key: SecretStr = Field(description="Base64 of 32 bytes; encrypts the webhook secrets at rest.")
    attempt_timeout: timedelta = Field(
        default=timedelta(seconds=15),
        ge=timedelta(seconds=1),
        le=timedelta(seconds=30),
        description="How long one attempt may take in all.",
    )
    lease: timedelta = Field(
        default=timedelta(seconds=60),
        ge=timedelta(seconds=45),
        description="After this time a delivery that a dead process had claimed is sent again.",
    )
    in_flight: int = Field(default=512, ge=1, le=4096, description="Attempts under way at once, at most.")
    drain: timedelta = Field(
        default=timedelta(seconds=1.5), description="How long attempts under way may take to end on shutdown."
    )

    @field_validator("secret_key")
    @classmethod
    def _is_a_key(cls, given: SecretStr) -> SecretStr:
        try:
            fits = len(base64.b64decode(given.get_secret_value(), validate=True)) == KEY_BYTES
        except (binascii.Error, ValueError):
            fits = False
        if not fits:
            raise ValueError(f"base64 of {KEY_BYTES} bytes")
        return given

    @property
    def key(self) -> bytes:
        return base64.b64decode(self.secret_key.get_secret_value())
