"""What an operator may set for the stack on this machine."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.events import PARTITIONS

ROOT = Path(__file__).resolve().parents[2]
# One process reads all of them, so that more would only cost: each wave of a relay makes a batch in every partition,
# and the embedded broker walks through all that a partition ever had at each fetch that finds something (ADR 8).
EMBEDDED_PARTITIONS = 2
SERVICES = ("intake", "transitions", "careplan", "notifications", "dashboard")


class StackSettings(BaseSettings):
    """Read from HANDOFF_*, KAFKA and SIMULATE; what a service may be told besides has the service's own prefix."""

    model_config = SettingsConfigDict(
        env_prefix="HANDOFF_", frozen=True, populate_by_name=True, extra="ignore"
    )  # the command reads other HANDOFF_… itself

    run_folder: Path = Field(default=ROOT / ".run", description="Data, keys and logs of this stack.")
    host: str = Field(default="127.0.0.1", description="Address everything listens on.")
    postgres_port: int = Field(default=15432, ge=1, le=65535, description="Port of PostgreSQL.")
    broker_port: int = Field(default=19092, ge=1, le=65535, description="Port of the Kafka broker.")
    mllp_port: int = Field(default=2575, ge=1, le=65535, description="Port for HL7 v2 over MLLP.")
    console_port: int = Field(default=8080, ge=1, le=65535, description="Port of the console.")
    intake_port: int = Field(default=8081, ge=1, le=65535, description="Port of intake's API.")
    transitions_port: int = Field(default=8082, ge=1, le=65535, description="Port of transitions' API.")
    careplan_port: int = Field(default=8083, ge=1, le=65535, description="Port of careplan's API.")
    notifications_port: int = Field(default=8084, ge=1, le=65535, description="Port of notifications' API.")
    signals_port: int = Field(default=8085, ge=1, le=65535, description="Port of the live signals' health.")
    issuer_port: int = Field(default=8090, ge=1, le=65535, description="Port of the local token issuer.")
    provider_port: int = Field(default=8091, ge=1, le=65535, description="Port of the sample provider.")
    kafka: Literal["embedded", "apache"] = Field(
        default="embedded",
        validation_alias="KAFKA",
        description="The in-memory broker, or Apache Kafka (needs Java 17).",
    )
    simulate: bool = Field(default=True, validation_alias="SIMULATE", description="Run the simulated hospital.")
    sample_provider: bool = Field(default=True, description="Run the sample provider.")
    demo: bool = Field(default=True, description="Load the demo protocol, whose due times are minutes.")
    durable: bool = Field(default=True, description="PostgreSQL writes through to the disk; off only in tests.")
    broker_memory_mb: int = Field(default=500, ge=50, description="The embedded broker is renewed above this size.")
    ready_seconds: float = Field(default=120, gt=0, description="How long a start may take before it is given up.")

    @property
    def partitions(self) -> int:
        """How many each topic of the contract has on this stack's broker."""
        return EMBEDDED_PARTITIONS if self.kafka == "embedded" else PARTITIONS

    def port_of(self, name: str) -> int:
        """The HTTP port of a service or side program."""
        port: int = getattr(self, f"{'console' if name == 'dashboard' else name}_port")
        return port

    def url_of(self, name: str) -> str:
        return f"http://{self.host}:{self.port_of(name)}"

    def wanted_ports(self) -> dict[str, tuple[int, str]]:
        """Every port the stack will take: what for -> (port, setting)."""
        names = [name for name in type(self).model_fields if name.endswith("_port")]
        left_out = {"provider_port"} if not self.sample_provider else set()
        return {
            name.removesuffix("_port"): (getattr(self, name), f"HANDOFF_{name.upper()}")
            for name in names
            if name not in left_out
        }
