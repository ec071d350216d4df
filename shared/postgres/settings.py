from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from shared.loopback import is_loopback


class PostgresSettings(BaseModel):
    """How a service reaches its own schema. Its role, its schema and the service have one name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="Host name or address of PostgreSQL.")
    port: int = Field(default=15432, ge=1, le=65535, description="Port of PostgreSQL.")
    database: str = Field(default="handoff", description="Database that holds one schema per service.")
    user: str = Field(description="Role of this service.")
    password: SecretStr = Field(default=SecretStr(""), description="Password of that role.")
    pool_min: int = Field(default=2, ge=1, description="Connections kept open.")
    pool_max: int = Field(default=8, ge=2, description="Connections at most: the true limit of what happens at once.")
    statement_timeout_s: float = Field(default=30.0, gt=0, description="Seconds after which a statement is ended.")
    start_patience_s: float = Field(
        default=10.0, ge=0, description="Seconds that a server which can't be reached is waited for at the start."
    )
    tls: bool = Field(default=False, description="Require TLS; must be set where PostgreSQL is not on loopback.")
    plaintext_outside_loopback: bool = Field(
        default=False, description="Allow a connection without TLS to another host than loopback (a private network)."
    )

    @model_validator(mode="after")
    def _plaintext_on_purpose(self) -> Self:
        if not self.tls and not is_loopback(self.host) and not self.plaintext_outside_loopback:
            raise ValueError("host is not loopback: set tls=true, or plaintext_outside_loopback=true")
        return self
