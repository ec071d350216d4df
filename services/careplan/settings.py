"""Settings of careplan, read once at the start from `CAREPLAN_…`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

from shared.http import HttpSettings, environment
from shared.kafka import KafkaSettings
from shared.postgres import PostgresSettings
from shared.retention import RetentionSettings


class Settings(BaseSettings):
    model_config = environment("CAREPLAN_")

    postgres: PostgresSettings = Field(
        default=PostgresSettings(user="careplan"), description="The database and this service's role in it."
    )
    kafka: KafkaSettings = Field(default=KafkaSettings(), description="The broker.")
    http: HttpSettings = Field(default=HttpSettings(port=8083), description="Where the API listens.")
    retention: RetentionSettings = Field(default=RetentionSettings(), description="What old rows go, and when.")
    instance: str = Field(default="0", description="Name of this replica; it keeps its place among the consumers.")
    templates: Path = Field(
        default=Path(__file__).parent / "templates", description="Folder of the templates of care plans (*.yaml)."
    )
