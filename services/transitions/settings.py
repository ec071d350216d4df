"""Settings of transitions, read once at the start from `TRANSITIONS_…`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

from services.transitions.signals.thresholds import SHIPPED
from shared.http import HttpSettings, environment
from shared.kafka import KafkaSettings
from shared.postgres import PostgresSettings
from shared.retention import RetentionSettings


class Settings(BaseSettings):
    model_config = environment("TRANSITIONS_")

    postgres: PostgresSettings = Field(
        default=PostgresSettings(user="transitions"), description="The database and this service's role in it."
    )
    kafka: KafkaSettings = Field(default=KafkaSettings(), description="The broker.")
    http: HttpSettings = Field(default=HttpSettings(port=8082), description="Where the API listens.")
    retention: RetentionSettings = Field(default=RetentionSettings(), description="What old rows go, and when.")
    instance: str = Field(default="0", description="Name of this replica; it keeps its place among the consumers.")
    protocols: Path = Field(
        default=Path(__file__).parent / "protocols", description="Folder of the protocols (*.yaml)."
    )
    calendars: Path | None = Field(
        default=None, description="Days on which facilities are closed beside public holidays (YAML); none without."
    )
    programmes: tuple[str, ...] = Field(
        default=(), description='Optional protocols that this house takes part in, as a JSON list: ["project-red"].'
    )
    scores: tuple[str, ...] = Field(
        default=(),
        description='Risk scores beside those shipped, as a JSON list of name=module:function: ["own=house.risk:own"].',
    )
    demo: bool = Field(
        default=False, description="Also ask for the demonstration's tasks, which are due within minutes."
    )
    signal_rules: Path = Field(
        default=SHIPPED, description="Thresholds of the live signals, as their own process reads them (to show them)."
    )
    timers_batch: int = Field(
        default=500, ge=1, le=5000, description="How many due levels of tasks are told in one transaction at most."
    )
    measures: Path = Field(
        default=Path(__file__).parent / "quality" / "measures", description="Folder of the quality measures (*.yaml)."
    )
    expected_rates: Path | None = Field(
        default=None,
        description="The house's own expected rates of readmission (YAML), a contract's for one; before those shipped.",
    )
    counting_share: float = Field(
        default=0.1, gt=0, le=1, description="Part of the time that counting quality measures may take."
    )
