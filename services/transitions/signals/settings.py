"""Settings of the live signals, read once at the start from `SIGNALS_…`."""

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings

from shared.http import HttpSettings, environment
from shared.kafka import KafkaSettings
from shared.postgres import PostgresSettings


class Thresholds(BaseModel):
    """When a signal is raised, and when it is cleared again. Defaults are ours: no standard says them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pipeline_minutes: float = Field(
        default=3.0, gt=0, description="Minutes without any count of any feed that mean that the pipeline is silent."
    )
    quiet_minutes: float = Field(default=5.0, gt=0, description="Minutes a feed must be quiet at least.")
    quiet_expected: float = Field(
        default=7.0, gt=0, description="Messages that would usually have come in the quiet time (7: chance 1 in 1000)."
    )
    quiet_minutes_unknown: float = Field(
        default=60.0, gt=0, description="Minutes of quiet that raise where nothing is known of that hour's usual."
    )
    surge_factor: float = Field(default=2.0, gt=1, description="Times that hour's usual that are a surge.")
    surge_least: int = Field(default=50, ge=1, description="Messages in an hour below which nothing is a surge.")
    surge_clear_factor: float = Field(default=1.5, gt=1, description="Times the usual below which a surge is over.")
    overdue_ratio: float = Field(default=0.2, gt=0, le=1, description="Share of open tasks overdue that raises.")
    overdue_clear_ratio: float = Field(default=0.15, gt=0, le=1, description="Share below which it clears.")
    overdue_least: int = Field(default=10, ge=1, description="Open tasks below which the share says nothing.")
    returns_least: int = Field(default=3, ge=1, description="Returns within 72 hours, in 24 hours, that are a cluster.")
    returns_ratio: float = Field(default=0.1, gt=0, le=1, description="Share of the discharges before that returned.")


class Settings(BaseSettings):
    model_config = environment("SIGNALS_")

    postgres: PostgresSettings = Field(
        default=PostgresSettings(user="transitions", pool_max=3),
        description="The database; signals are rows of transitions and use its role.",
    )
    kafka: KafkaSettings = Field(default=KafkaSettings(), description="The broker.")
    http: HttpSettings = Field(default=HttpSettings(port=8085), description="Where health and metrics are served.")
    instance: str = Field(default="0", description="Name of this process; there is one.")
    consumer: str = Field(default="transitions-signals", description="Consumer id (faust's application id).")
    every_seconds: float = Field(default=10.0, gt=0, description="How often signals are judged.")
    thresholds: Thresholds = Field(default=Thresholds(), description="When signals are raised and cleared.")
