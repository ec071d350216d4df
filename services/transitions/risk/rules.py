"""What scores are computed from, and which one steers. Data (`rules.yaml`), versioned, with sources.

The scores' own tables stand in the same file and are read by `scores.py`.
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.events.people import EncounterClass

SHIPPED = Path(__file__).parent / "rules.yaml"


class WrongRiskRulesError(ValueError):
    """The rules of risk can't be used. The message names the field and what it wants."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Steering(_Part):
    """Whose band orders worklists: 1 comes first."""

    score: str
    priority: Mapping[str, int]
    source: str


class InputRules(_Part):
    """How inputs are read from what is known of stays; months count back from the admission's date."""

    classes: frozenset[EncounterClass]
    not_after: Mapping[str, frozenset[str]] = {}
    visit_months: int = Field(ge=1, le=24)
    admission_months: int = Field(ge=1, le=24)
    led_to_stay_hours: int = Field(ge=0, le=72)
    acute: frozenset[str]
    elective: frozenset[str]
    oncology: frozenset[str]
    recount_days: tuple[int, ...]
    source: str


class Bounds(_Part):
    low: Decimal
    high: Decimal


class Analyte(_Part):
    """A laboratory value: its codes (LOINC), its unit, factors from other units, and what may be true."""

    unit: str
    codes: frozenset[str]
    units: Mapping[str, Decimal] = {}
    plausible: Bounds

    def convert(self, value: Decimal, unit: str | None) -> Decimal | None:
        """In the analyte's own unit; None where the unit is not known or the value can't be true."""
        factor = Decimal(1) if unit == self.unit else self.units.get(unit or "")
        own = None if factor is None else value * factor
        return own if own is not None and self.plausible.low <= own <= self.plausible.high else None


class Laboratory(_Part):
    source: str
    final: frozenset[str]
    analytes: Mapping[str, Analyte]

    @cached_property
    def _by_code(self) -> Mapping[str, str]:
        return {code: name for name, analyte in self.analytes.items() for code in analyte.codes}

    def analyte_of(self, code: str) -> str | None:
        return self._by_code.get(code)


class RiskRules(_Part):
    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str
    scores: tuple[str, ...]
    steering: Steering
    inputs: InputRules
    laboratory: Laboratory

    @model_validator(mode="after")
    def _steered_by_one_of_them(self) -> Self:
        if self.steering.score not in self.scores:
            raise ValueError("steering.score is none of the scores")
        return self


@lru_cache
def read_rules(path: Path = SHIPPED) -> RiskRules:
    """Raises WrongRiskRulesError."""
    try:
        return RiskRules.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise WrongRiskRulesError(f"{path.name}: {field}: {first['msg']}") from None
