from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings

from shared.http import HttpSettings, environment
from shared.kafka import KafkaSettings
from shared.postgres import PostgresSettings
from shared.retention import RetentionSettings


class ServiceUrls(BaseModel):
    """Where the other services' APIs answer. The console asks them with its user's own token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    intake: str = Field(default="http://127.0.0.1:8081", description="API of intake: messages, feeds.")
    transitions: str = Field(default="http://127.0.0.1:8082", description="API of transitions: tasks, contacts.")
    careplan: str = Field(default="http://127.0.0.1:8083", description="API of careplan: plans.")
    notifications: str = Field(default="http://127.0.0.1:8084", description="API of notifications: deliveries.")
    dashboard: str = Field(default="http://127.0.0.1:8080", description="The console's own operations routes.")

    @model_validator(mode="after")
    def _web_addresses(self) -> Self:
        for name, url in self.named().items():
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"{name} must be an http:// or https:// address")
        return self

    def named(self) -> dict[str, str]:
        """Service name → address without a trailing slash, in the order of the pipeline."""
        fields = ("intake", "transitions", "careplan", "notifications", "dashboard")
        return {name: str(getattr(self, name)).rstrip("/") for name in fields}


class Settings(BaseSettings):
    model_config = environment("DASHBOARD_")

    postgres: PostgresSettings = Field(
        default=PostgresSettings(user="dashboard", pool_max=12), description="Schema of the read tables."
    )
    kafka: KafkaSettings = Field(default=KafkaSettings(), description="Broker whose topics are projected.")
    http: HttpSettings = Field(default=HttpSettings(port=8080), description="Where the console listens.")
    retention: RetentionSettings = Field(default=RetentionSettings(), description="What old rows go, and when.")
    instance: str = Field(default="0", description="Name of this replica among the consumers of its group.")
    services: ServiceUrls = Field(default=ServiceUrls(), description="Addresses of the services' APIs.")
    issuer_login: str = Field(
        default="http://127.0.0.1:8090", description="The issuer's own address, for signing in by a click on a role."
    )
    events_kept_days: int = Field(default=14, ge=1, le=3650, description="Days that the event log is kept.")
    hints_every_s: float = Field(
        default=0.5, ge=0.1, le=10, description="Seconds between two hints of a change to an open page, at least."
    )
    feed_quiet_after_s: int = Field(
        default=300, ge=10, description="Seconds without a message after which a feed is shown as quiet."
    )
