from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from shared.loopback import is_loopback

SESSION_TIMEOUT_MS = 10_000
HEARTBEAT_MS = 1_000


class KafkaSettings(BaseModel):
    """How a service reaches the broker; any broker that speaks Kafka's protocol will do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap: str = Field(default="127.0.0.1:19092", description="host:port of one or more brokers, comma-separated.")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="PLAINTEXT only on loopback; SASL_SSL elsewhere."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="SASL mechanism, where the protocol has SASL."
    )
    sasl_username: str | None = Field(default=None, description="Principal of this service.")
    sasl_password: SecretStr | None = Field(default=None, description="Password of that principal.")
    plaintext_outside_loopback: bool = Field(
        default=False, description="Allow a protocol without TLS to other hosts than loopback (a private network)."
    )
    assignment: Literal["group", "all"] = Field(
        default="group",
        description="group: replicas share the partitions. all: one replica takes them all, at once, without a group.",
    )

    @model_validator(mode="after")
    def _both_or_neither(self) -> "KafkaSettings":
        if self.security_protocol.startswith("SASL") and not (self.sasl_username and self.sasl_password):
            raise ValueError("sasl_username and sasl_password must be set where security_protocol is SASL")
        return self

    @model_validator(mode="after")
    def _plaintext_on_purpose(self) -> "KafkaSettings":
        hosts = [server.strip().rsplit(":", 1)[0] for server in self.bootstrap.split(",")]
        in_the_clear = not self.security_protocol.endswith("SSL") and not all(is_loopback(host) for host in hosts)
        if in_the_clear and not self.plaintext_outside_loopback:
            raise ValueError(
                "bootstrap is not loopback: set security_protocol=SASL_SSL, or plaintext_outside_loopback=true"
            )
        return self

    def client_arguments(self) -> dict[str, Any]:
        """Arguments that every aiokafka client takes."""
        arguments: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol.endswith("SSL"):
            from aiokafka.helpers import create_ssl_context

            arguments["ssl_context"] = create_ssl_context()
        if self.sasl_username and self.sasl_password:
            arguments |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password.get_secret_value(),
            }
        return arguments
