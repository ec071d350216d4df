"""When signals are raised and cleared. Data (`thresholds.yaml`), versioned, each number with its source."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.events.operations import SignalKind

SHIPPED = Path(__file__).parent / "thresholds.yaml"
Share = Annotated[float, Field(gt=0, le=1)]
Factor = Annotated[float, Field(gt=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class WrongThresholdsError(Exception):
    """The file can't be read or says something wrong. One line for an operator."""


class Section(BaseModel):
    """Numbers that belong together; `sources` names where each of them comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: Mapping[str, str]

    @model_validator(mode="after")
    def _every_number_has_a_source(self) -> Self:
        numbers = set(type(self).model_fields) - {"sources"}
        if set(self.sources) != numbers or not all(map(str.strip, self.sources.values())):
            raise ValueError(f"sources must name each of {', '.join(sorted(numbers))}, and nothing else")
        return self


S = TypeVar("S", bound=Section)


class Judged(Section):
    """A kind of signal. `calm_minutes`: how long it must no longer be found before it is cleared."""

    calm_minutes: float = Field(ge=0)


class Profiled(Section):
    weeks_kept: Count
    weeks_learned: Count
    hours_alike: Count


class Pipeline(Judged):
    minutes: Positive


class Silence(Judged):
    quiet_minutes: Positive
    messages_missed: Positive
    quiet_minutes_unknown: Positive


class Surge(Judged):
    factor: Factor
    clear_factor: Positive
    least: Count

    @model_validator(mode="after")
    def _clears_below(self) -> Self:
        return _below(self, ("clear_factor", self.clear_factor, self.factor))


class Census(Judged):
    factor: Factor
    clear_factor: Positive
    least: Count
    occupancy: Positive
    clear_occupancy: Positive
    hours_known: Count
    beds: Mapping[str, Count]

    @model_validator(mode="after")
    def _clears_below(self) -> Self:
        return _below(
            self,
            ("clear_factor", self.clear_factor, self.factor),
            ("clear_occupancy", self.clear_occupancy, self.occupancy),
        )


class Overdue(Judged):
    ratio: Share
    clear_ratio: Share
    least: Count

    @model_validator(mode="after")
    def _clears_below(self) -> Self:
        return _below(self, ("clear_ratio", self.clear_ratio, self.ratio))


class Returns(Judged):
    least: Count
    clear_least: Count
    share: Share

    @model_validator(mode="after")
    def _clears_below(self) -> Self:
        return _below(self, ("clear_least", self.clear_least, self.least))


class ExpectedDischarge(Judged):
    hours: Positive
    at_once: Count


class Hours(BaseModel):
    """By the referral's priority."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    routine: Positive
    urgent: Positive
    stat: Positive

    def of(self, priority: str) -> float:
        return {"urgent": self.urgent, "stat": self.stat}.get(priority, self.routine)

    @property
    def shortest(self) -> float:
        return min(self.routine, self.urgent, self.stat)


class Referral(Judged):
    hours: Hours
    at_once: Count


class OwnLimit(BaseModel):
    """A house's own limit of a gauge (`GET /signals/gauges` shows kinds and scopes): `above` or `below` raises, `clear`
    lies on the good side of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1, max_length=100)
    gauge: str = Field(pattern=r"^[a-z0-9-]+$")
    scope: str = Field(pattern=r"^(facility|feed):.+$")
    above: float | None = None
    below: float | None = None
    clear: float
    source: str = Field(min_length=1)

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("give exactly one of above and below")
        if (self.above is not None and self.clear >= self.above) or (
            self.below is not None and self.clear <= self.below
        ):
            raise ValueError("clear must lie on the good side of the number that raises, or the signal would flap")
        return self

    @property
    def limit(self) -> float:
        return self.above if self.above is not None else self.below or 0.0

    @property
    def signal_scope(self) -> str:
        """One place may have several limits."""
        return f"{self.scope}/gauge:{self.gauge}"

    def is_beyond(self, value: float, *, is_open: bool) -> bool:
        edge = self.clear if is_open else self.limit
        return value > edge if self.above is not None else value < edge


class Own(Judged):
    limits: tuple[OwnLimit, ...] = Field(default=(), max_length=500)

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        scopes = [limit.signal_scope for limit in self.limits]
        if len(scopes) != len(set(scopes)):
            raise ValueError("a gauge of one place has one limit")
        return self


# A house's file from before there were own limits.
NONE_OF_ITS_OWN = Own(calm_minutes=10, sources={"calm_minutes": "Own choice", "limits": "The house's own"})


class Thresholds(BaseModel):
    """One version of all of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str
    profile: Profiled
    pipeline: Pipeline
    silence: Silence
    surge: Surge
    census: Census
    overdue: Overdue
    returns: Returns
    expected_discharge: ExpectedDischarge
    referral: Referral
    own: Own = NONE_OF_ITS_OWN

    @property
    def edition(self) -> str:
        return f"{self.name}@{self.version}"

    def calm(self, kind: SignalKind) -> timedelta:
        """How long a signal of this kind must no longer be found before it is cleared."""
        section: Judged = {
            SignalKind.PIPELINE_SILENT: self.pipeline,
            SignalKind.SILENT_FEED: self.silence,
            SignalKind.SURGE: self.surge,
            SignalKind.CENSUS: self.census,
            SignalKind.OVERDUE_RATIO: self.overdue,
            SignalKind.BOUNCE_BACK: self.returns,
            SignalKind.DISCHARGE_OVERDUE: self.expected_discharge,
            SignalKind.REFERRAL_UNBOOKED: self.referral,
            SignalKind.OWN_LIMIT: self.own,
        }[kind]
        return timedelta(minutes=section.calm_minutes)


def read_thresholds(path: Path = SHIPPED) -> Thresholds:
    """Raises WrongThresholdsError naming the file and each wrong number."""
    try:
        return Thresholds.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise WrongThresholdsError(f"{path}: {wrong}") from None
    except (OSError, yaml.YAMLError) as error:
        raise WrongThresholdsError(f"{path}: {error}") from None


def _below(section: S, *pairs: tuple[str, float, float]) -> S:
    for name, clears, raises in pairs:
        if clears >= raises:
            raise ValueError(f"{name} must be below the number that raises, or the signal would flap")
    return section
