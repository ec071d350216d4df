"""How many returns are expected, by tables of published or agreed rates: versioned, with sources. Pure.

The rates of HEDIS PCR are the licence holder's; nothing here stands for them. A stay that no row fits has no rate: it
is counted apart, and none is guessed for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from services.transitions.protocols import WrongProtocolError
from services.transitions.quality.measure_parts import Classes, plain_codes
from services.transitions.selection import LONGEST_LIFE
from services.transitions.task_rule import Part
from shared.bounded_yaml import read_yaml
from shared.events.people import EncounterClass
from shared.events.transitions import RiskScore

SHIPPED = Path(__file__).parent / "expected.yaml"
Points = Annotated[int, Field(ge=0, le=1000)]
Age = Annotated[int, Field(ge=0, le=LONGEST_LIFE)]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexStay:
    """What a rate may depend on. `principal` is the code without its dot, `age` in whole years at the discharge."""

    organisation: str | None
    encounter_class: EncounterClass
    principal: str | None
    age: int | None
    scores: Sequence[RiskScore] = ()


class ExpectedRow(Part):
    """`percent` of these stays are expected to be followed by a return. What is not given is not asked: `points` (least
    and most) of the table's score, class, principal diagnosis (prefixes), age in whole years at the discharge.
    """

    percent: float = Field(ge=0, le=100)
    points: tuple[Points, Points] | None = None
    classes: Classes = frozenset()
    principal: tuple[str, ...] = ()
    min_age: Age | None = None
    max_age: Age | None = None
    _prefixes = field_validator("principal")(plain_codes)

    def fits(self, stay: IndexStay, points: int | None) -> bool:
        if self.points is not None and (points is None or not self.points[0] <= points <= self.points[1]):
            return False
        if self.classes and stay.encounter_class not in self.classes:
            return False
        if self.principal and not (stay.principal or "").startswith(self.principal):
            return False
        return self._is_of_age(stay.age)

    def _is_of_age(self, age: int | None) -> bool:
        if self.min_age is None and self.max_age is None:
            return True
        return age is not None and (self.min_age or 0) <= age and (self.max_age is None or age <= self.max_age)


class ExpectedTable(Part):
    """Of which measures, and of whose patients (organisations of the roster; nobody named: everybody's)."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    version: str = Field(min_length=1)
    source: str = Field(min_length=1)
    measures: frozenset[str] = Field(min_length=1)
    organisations: frozenset[str] = frozenset()
    score: str | None = None
    rows: tuple[ExpectedRow, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_points_of_a_score(self) -> Self:
        if (self.score is None) == any(row.points for row in self.rows):
            raise ValueError("rows have points where the table names their score, and only there")
        return self

    def holds(self, measure_id: str, organisation: str | None) -> bool:
        return measure_id in self.measures and (not self.organisations or organisation in self.organisations)

    def expects(self, stay: IndexStay) -> "Expected | None":
        """None where no row fits, for want of a score too. What a score lacks counts for nothing, as its authors have
        it; `most` is the rate if all of that counted.
        """
        score = next((one for one in stay.scores if one.name == self.score), None)
        rate = self._rate(stay, score.points if score else None)
        if rate is None:
            return None
        may_be = range(score.points, score.highest + 1) if score else ()
        rates = [self._rate(stay, points) for points in may_be]
        return Expected(rate, max([rate, *(other for other in rates if other is not None)]), self)

    def _rate(self, stay: IndexStay, points: int | None) -> float | None:
        return next((row.percent / 100 for row in self.rows if row.fits(stay, points)), None)


class _Tables(Part):
    tables: tuple[ExpectedTable, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """The share, between 0 and 1, of stays like this one that are expected to be followed by a return."""

    rate: float
    most: float
    table: ExpectedTable

    @property
    def by(self) -> str:
        return f"{self.table.name} {self.table.version}"


@dataclass(frozen=True, slots=True)
class ExpectedRates:
    """Every table, those that come first before the others."""

    tables: tuple[ExpectedTable, ...] = ()

    def of(self, measure_id: str) -> tuple[ExpectedTable, ...]:
        return tuple(table for table in self.tables if measure_id in table.measures)

    def expects(self, measure_id: str, stay: IndexStay) -> Expected | None:
        """By the first table that holds for the organisation's patients; another one never fills its gaps."""
        table = next((table for table in self.tables if table.holds(measure_id, stay.organisation)), None)
        return table.expects(stay) if table else None


def read_expected(own: Path | None = None) -> ExpectedRates:
    """The house's own tables (those of one organisation first), then the shipped ones.

    Raises WrongProtocolError naming file and field.
    """
    found = _read(own) if own else ()
    named = [table for table in found if table.organisations]
    return ExpectedRates((*named, *(table for table in found if not table.organisations), *_read(SHIPPED)))


def _read(path: Path) -> tuple[ExpectedTable, ...]:
    try:
        return _Tables.model_validate(read_yaml(path.read_text(encoding="utf-8"))).tables
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as wrong:
        raise WrongProtocolError(f"{path.name} can't be read: {type(wrong).__name__}") from None
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise WrongProtocolError(f"{path.name}: {field or 'tables'}: {first['msg']}") from None


def must_name_measures(rates: ExpectedRates, known: Mapping[str, object]) -> None:
    """Raises WrongProtocolError where a table is of a measure of stays that is none."""
    for table in rates.tables:
        if strange := sorted(table.measures - known.keys()):
            raise WrongProtocolError(f"{table.name}: no measure of stays is named {', '.join(strange)}")
