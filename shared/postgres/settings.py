from pydantic import BaseModel, ConfigDict, Field, SecretStr


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
    tls: bool = Field(default=False, description="Require TLS; must be set where PostgreSQL is not on loopback.")
