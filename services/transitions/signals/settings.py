"""Settings of the live signals, read once at the start from `SIGNALS_…`."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

from services.transitions.signals.thresholds import SHIPPED
from services.transitions.signals.topics import APPLICATION
from shared.http import HttpSettings, environment
from shared.kafka import KafkaSettings
from shared.postgres import PostgresSettings


class Tables(StrEnum):
    """What faust's tables are filled from after a start."""

    POSTGRES = "postgres"
    CHANGELOG = "changelog"


class Settings(BaseSettings):
    model_config = environment("SIGNALS_")

    postgres: PostgresSettings = Field(
        default=PostgresSettings(user="transitions", pool_max=3),
        description="The database; signals are rows of transitions and use its role.",
    )
    kafka: KafkaSettings = Field(default=KafkaSettings(), description="The broker.")
    http: HttpSettings = Field(default=HttpSettings(port=8085), description="Where health and metrics are served.")
    instance: str = Field(default="0", description="Name of this worker, its own among several.")
    consumer: str = Field(default=APPLICATION, description="Consumer id (faust's application id).")
    every_seconds: float = Field(default=10.0, gt=0, description="How often signals are judged.")
    rules_file: Path = Field(default=SHIPPED, description="When signals are raised and cleared: versioned thresholds.")
    tables: Tables = Field(
        default=Tables.POSTGRES,
        description="What fills faust's tables after a start: `postgres` (one worker; the embedded broker), or "
        "`changelog` (Apache Kafka; any number of workers up to 12).",
    )
