"""What is watched, in which unit, and when it alerts. Data (`rules.yaml`), versioned, each number with its source."""

from collections.abc import Mapping
from decimal import Decimal
from enum import IntEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from services.transitions.protocols import WrongProtocolError

SHIPPED = Path(__file__).parent / "rules.yaml"


class Severity(IntEnum):
    """`information` is shown and asks nothing; the others open a task."""

    INFORMATION = 0
    ADVISORY = 1
    URGENT = 2


def _severity(said: Any) -> Any:
    names = {severity.name.lower(): severity for severity in Severity}
    return names.get(said, said) if isinstance(said, str) else said


Severe = Annotated[Severity, BeforeValidator(_severity)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limit(_Part):
    """An absolute limit, in the signal's unit: exactly one comparison."""

    rule: str = Field(pattern=r"^[a-z0-9-]+$")
    below: Decimal | None = None
    above: Decimal | None = None
    at_least: Decimal | None = None
    severity: Severe
    telehealth: bool = False
    source: str

    @model_validator(mode="after")
    def _one_comparison(self) -> Self:
        if sum(bound is not None for bound in (self.below, self.above, self.at_least)) != 1:
            raise ValueError("give exactly one of below, above and at_least")
        return self

    def is_broken_by(self, value: Decimal) -> bool:
        return (
            (self.below is not None and value < self.below)
            or (self.above is not None and value > self.above)
            or (self.at_least is not None and value >= self.at_least)
        )


class Trend(_Part):
    """A change within so many days, between the first readings of local days."""

    rule: str = Field(pattern=r"^[a-z0-9-]+$")
    change: Literal["rise", "fall"]
    over: Decimal | None = None
    at_least: Decimal | None = None
    days: int = Field(ge=1, le=30)
    severity: Severe
    telehealth: bool = False
    source: str

    @model_validator(mode="after")
    def _one_comparison(self) -> Self:
        if (self.over is None) == (self.at_least is None):
            raise ValueError("give exactly one of over and at_least")
        return self

    def is_met_by(self, change: Decimal) -> bool:
        return change > self.over if self.over is not None else change >= (self.at_least or 0)


class Watch(_Part):
    """When a signal alerts: a patient's own, a variant's, or the default."""

    limits: tuple[Limit, ...] = ()
    trends: tuple[Trend, ...] = ()
    missing_hours: int | None = Field(default=None, ge=1, le=720)


class Conversion(_Part):
    """value in the signal's unit = (value + offset) * factor."""

    factor: Decimal
    offset: Decimal = Decimal(0)


class Bounds(_Part):
    low: Decimal
    high: Decimal


class Signal(Watch):
    title: str
    unit: str
    codes: frozenset[str]
    plausible: Bounds
    units: Mapping[str, Conversion] = {}

    def convert(self, value: Decimal, unit: str | None) -> Decimal | None:
        """The value in the signal's own unit; None for a unit that nobody knows, or none."""
        if unit == self.unit:
            return value
        conversion = self.units.get(unit or "")
        return (value + conversion.offset) * conversion.factor if conversion else None


class MonitoringRules(_Part):
    name: str
    version: str
    source: str
    missing_hours: int = Field(ge=1, le=720)
    signals: Mapping[str, Signal]
    variants: Mapping[str, Mapping[str, Watch]] = {}

    @cached_property
    def _by_code(self) -> Mapping[str, str]:
        return {code: name for name, signal in self.signals.items() for code in signal.codes}

    def signal_of(self, code: str) -> str | None:
        return self._by_code.get(code)

    def watch(self, signal: str, variant: str | None, own: Mapping[str, Watch]) -> Watch:
        """The patient's own limits for the signal, else the variant's, else the default."""
        of_variant = self.variants.get(variant or "", {}).get(signal)
        return own.get(signal) or of_variant or self.signals[signal]

    def silence(self, watch: Watch) -> int:
        """After how many hours without a reading somebody is asked."""
        return watch.missing_hours or self.missing_hours


def read_rules(path: Path = SHIPPED) -> MonitoringRules:
    """Raises WrongProtocolError naming the field and what it wants."""
    try:
        return MonitoringRules.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise WrongProtocolError(f"{path.name}: {field}: {first['msg']}") from None
