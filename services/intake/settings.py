"""Settings of intake: `INTAKE_…`, nested with `__`."""

import base64
import binascii
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from services.intake.feeds import is_loopback
from services.intake.identity.weights import SHIPPED
from shared.http import HttpSettings, environment
from shared.kafka import KafkaSettings
from shared.postgres import PostgresSettings
from shared.retention import RetentionSettings

KEY_BYTES = 32


class MllpSettings(BaseModel):
    """The MLLP listener. Without TLS it listens on loopback only, unless told that the network is trusted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=2575, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    max_connections: int = Field(default=500, ge=1, description="Connections at the same time; more are closed.")
    max_connections_per_host: int = Field(default=100, ge=1, description="As many from one address; more are closed.")
    max_per_second: float | None = Field(
        default=None,
        gt=0,
        description="Messages a second that are read from one connection; none: as fast as it sends.",
    )
    max_frame_bytes: int = Field(default=5 * 1024 * 1024, ge=4096, description="Longest message taken.")
    idle_timeout_s: float = Field(default=600.0, gt=0, description="A connection without a message is closed after it.")
    frame_timeout_s: float = Field(
        default=60.0, gt=0, description="A frame must be complete this long after its start."
    )
    handshake_timeout_s: float = Field(default=10.0, gt=0, description="A TLS handshake must be done by then.")
    unread_timeout_s: float = Field(
        default=60.0, gt=0, description="A sender who does not read its answers for so long is cut off."
    )
    keepalive_s: int = Field(
        default=60, ge=1, description="A silent connection is probed after it; a dead one is found in about twice that."
    )
    max_unanswered: int = Field(default=32, ge=1, description="Messages of one connection that may await their answer.")
    most_ahead: int = Field(
        default=20_000,
        ge=1,
        description="Messages that may be acknowledged and not interpreted yet; with more, senders wait.",
    )
    drain_timeout_s: float = Field(default=10.0, gt=0, description="On stop, how long answers are awaited.")
    tls_certificate: Path | None = Field(default=None, description="PEM file of the server's certificate chain.")
    tls_key: Path | None = Field(default=None, description="PEM file of its private key.")
    tls_client_ca: Path | None = Field(
        default=None, description="PEM file: senders must show a certificate of this CA."
    )
    allow_plaintext: bool = Field(default=False, description="Listen without TLS on an address that is not loopback.")

    @model_validator(mode="after")
    def _careful_on_the_network(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together")
        if self.tls_certificate is None and not is_loopback(self.host) and not self.allow_plaintext:
            raise ValueError("outside loopback, set tls_certificate and tls_key, or allow_plaintext")
        return self


class IdentitySettings(BaseModel):
    """Who is who across authorities."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights_file: Path = Field(default=SHIPPED, description="Weights, thresholds and placeholder names of matching.")
    auto_link: bool = Field(default=True, description="Link certain pairs at once; if not, a person decides each.")


class FilesSettings(BaseModel):
    """Files of messages: by upload always, from a watched folder where one is set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path | None = Field(default=None, description="Folder watched for files of messages; none: uploads only.")
    look_every_s: float = Field(
        default=2.0, gt=0, description="Time between two looks; a file unchanged between two of them is taken."
    )
    max_bytes: int = Field(default=256 * 1024 * 1024, ge=1024, description="Largest file taken, in bytes.")


class Settings(BaseSettings):
    model_config = environment("INTAKE_")

    instance: str = Field(default="0", description="Name of this replica.")
    postgres: PostgresSettings = Field(default=PostgresSettings(user="intake"), description="Database.")
    kafka: KafkaSettings = Field(default=KafkaSettings(), description="Broker.")
    http: HttpSettings = Field(default=HttpSettings(port=8081), description="HTTP API.")
    retention: RetentionSettings = Field(default=RetentionSettings(), description="What old rows go, and when.")
    mllp: MllpSettings = Field(default=MllpSettings(), description="MLLP listener.")
    identity: IdentitySettings = Field(default=IdentitySettings(), description="Matching of patients.")
    files: FilesSettings = Field(default=FilesSettings(), description="Files of messages.")
    feeds_file: Path = Field(default=Path("deploy/feeds.yaml"), description="The feeds: senders, zones, code maps.")
    messages_kept_days: int = Field(
        default=365, ge=1, description="Days that messages are kept; a day with a held one is kept until it is decided."
    )
    raw_key: SecretStr = Field(description="Base64 of 32 bytes: the key that raw messages are encrypted with.")

    @field_validator("raw_key")
    @classmethod
    def _is_a_key(cls, key: SecretStr) -> SecretStr:
        try:
            decoded = base64.b64decode(key.get_secret_value(), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("must be base64") from None
        if len(decoded) != KEY_BYTES:
            raise ValueError(f"must be base64 of {KEY_BYTES} bytes")
        return key

    @property
    def raw_key_bytes(self) -> bytes:
        return base64.b64decode(self.raw_key.get_secret_value())
