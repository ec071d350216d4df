"""The numbers of returns: readmission, episode, quick return. Data (`returns.yaml`), versioned, with sources."""

from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

from shared.events.people import EncounterClass

SHIPPED = Path(__file__).parent / "returns.yaml"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReadmissionRule(_Part):
    """`classes` are those of both stays; `planned_indicators` begin PV1-13 of a planned return."""

    days: int = Field(ge=1, le=365)
    classes: frozenset[EncounterClass]
    planned_indicators: tuple[str, ...]
    against_advice_counts: bool
    source: str


class EpisodeRule(_Part):
    """Which stays in a bed are one episode: a transfer within so many local days, or a return on the same day; by
    `within_days` whatever begins so few days after the last one's end, as some measures of quality read it.
    """

    classes: frozenset[EncounterClass]
    transfer_days: int = Field(default=0, ge=0, le=7)
    same_day_elsewhere: bool = False
    same_day_same_condition: bool = False
    within_days: int | None = Field(default=None, ge=0, le=400)
    source: str

    @property
    def farthest(self) -> int:
        """The last local day, counted from the end of a stay, on which another may still join it."""
        return max(self.transfer_days, self.within_days or 0)


class QuickReturnRule(_Part):
    """A return of one of these classes so soon after leaving, by the hour. A stay in a bed that begins so soon after an
    emergency visit at the same facility is that visit's.
    """

    hours: int = Field(ge=1, le=720)
    led_to_stay_hours: int = Field(ge=0, le=72)
    classes: frozenset[EncounterClass]
    source: str


class ReturnRules(_Part):
    name: str
    version: str
    source: str
    readmission: ReadmissionRule
    episode: EpisodeRule
    quick_return: QuickReturnRule


@lru_cache
def read_rules(path: Path = SHIPPED) -> ReturnRules:
    """Raises pydantic.ValidationError naming the field and what it wants."""
    return ReturnRules.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
