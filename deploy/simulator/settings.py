"""How the simulated hospital behaves; each field is an environment variable SIMULATE_* and a flag of the command."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

DEPLOY = Path(__file__).resolve().parents[1]


class SimulatorSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SIMULATE_", frozen=True)

    host: str = Field(default="127.0.0.1", description="Where the messages are sent.")
    port: int = Field(default=2575, ge=1, le=65535, description="MLLP port.")
    seed: int = Field(default=1, description="The same seed and start give the same messages, byte for byte.")
    rate: float = Field(default=1.0, gt=0, description="Messages per second, over all feeds.")
    patients: int = Field(default=0, ge=0, description="Stays to simulate; 0 goes on for ever.")
    stay_seconds: float = Field(default=150.0, gt=0, description="How long an average stay takes on the wall clock.")
    emergency: float = Field(
        default=0.22, ge=0, le=1, description="Share of stays that never leave the emergency room."
    )
    updates: bool = Field(
        default=False,
        description="Whether a stay has as many messages as real ones have (5 in the emergency room, 20 on a ward).",
    )
    duplicates: float = Field(default=0.01, ge=0, le=1, description="Share of messages that are sent twice.")
    late: float = Field(default=0.01, ge=0, le=1, description="Share of messages sent only after the one that follows.")
    start: str = Field(default="", description="ISO instant at which the story begins; empty: now.")
    feeds: Path = Field(default=DEPLOY / "feeds.yaml", description="The feeds, one simulated hospital each.")
    roster: Path = Field(default=DEPLOY / "roster.yaml", description="Practitioners and organisations that are named.")
    log: Path | None = Field(default=None, description="JSON lines of what was sent and acknowledged.")
