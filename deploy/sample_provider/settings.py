"""Settings of the sample provider, read once at the start from `PROVIDER_…`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

from shared.http import environment


class ProviderSettings(BaseSettings):
    model_config = environment("PROVIDER_")

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8091, ge=1, le=65535, description="Port to listen on.")
    notifications: str = Field(default="http://127.0.0.1:8084", description="API of notifications.")
    issuer: str = Field(default="http://127.0.0.1:8090", description="Issuer of tokens.")
    organisation: str = Field(default="community-health-exchange", description="Organisation it belongs to.")
    folder: Path = Field(default=Path(".run/provider"), description="Folder of its secret and of what it received.")

    @property
    def hook(self) -> str:
        return f"http://{self.host}:{self.port}/hook"
