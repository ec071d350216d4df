"""Measures of quality: who is counted, who is left out, what counts as done. They are data (`measures/*.yaml`),
versioned, each number with its source; this module says what such a file may hold, and reads it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from services.transitions.evidence_details import SAID_OF_VISITS, TAKEN_BACK_BY
from services.transitions.protocols import WrongProtocolError, read_conditions
from services.transitions.quality.expected import ExpectedRates, must_name_measures, read_expected
from services.transitions.quality.measure_parts import (
    ByDeed,
    DeedRule,
    Exclusion,
    Numerator,
    Population,
    Qualification,
    Repeated,
    Unmet,
)
from services.transitions.quality.providers import ProviderSets, read_providers
from services.transitions.referrals.states import Proof
from services.transitions.returns_rules import EpisodeRule
from services.transitions.task_rule import Part
from shared.bounded_yaml import read_yaml
from shared.events.followups import ContactAttempted

SHIPPED = Path(__file__).parent / "measures"
PROTOCOLS = Path(__file__).parents[1] / "protocols"
SHARED = ("population", "episode", "counts", "better", "unit")
ADDED = ("exclusions", "cannot_know")


class _Measure(Part):
    """What every measure says. `better`: which way is good. `cannot_know`: what the events do not tell, in words."""

    id: str = Field(pattern=r"^[A-Z0-9-]+$")
    version: str
    family: str
    family_title: str
    title: str
    source: str
    better: Literal["higher", "lower"] = "higher"
    unit: Literal["days", "hours", "seconds"] = "days"
    cannot_know: tuple[str, ...] = ()


class StayMeasure(_Measure):
    """Of stays and emergency visits that are over."""

    counts: Literal["stays"]
    population: Population
    episode: EpisodeRule | None = None
    exclusions: tuple[Exclusion, ...] = ()
    numerator: Numerator

    @property
    def names_others(self) -> frozenset[str]:
        """Other measures whose outcome this one looks at."""
        named = {e.measure for e in self.exclusions if isinstance(e, Unmet | Repeated) and e.measure is not None}
        return self.numerator.names_others | (named - {self.id})

    @property
    def qualified(self) -> Qualification | None:
        return self.numerator.qualified if isinstance(self.numerator, ByDeed) else None

    @property
    def sets(self) -> frozenset[str]:
        """The value sets of diagnoses that it names."""
        asked = self.qualified
        return self.population.sets | frozenset([*asked.principal, *asked.any] if asked else ())


class ReferralMeasure(_Measure):
    """Of referrals: `proof` is what must be there within so many days of the request (`closed`: all three proofs)."""

    counts: Literal["referrals"]
    proof: Literal["result", "closed"]
    to_day: int = Field(ge=1, le=400)

    @property
    def asks(self) -> Proof | None:
        return Proof(self.proof) if self.proof != "closed" else None


class DuplicateMeasure(_Measure):
    """Of referrals held as suspected duplicates: avoided when a person linked or cancelled them within so many days."""

    counts: Literal["duplicates"]
    to_day: int = Field(ge=1, le=400)


class TaskMeasure(_Measure):
    """Of obligations that are owed: done in time, or escalated."""

    counts: Literal["tasks"]
    met: Literal["in-time", "escalated"]


class LevelMeasure(_Measure):
    """Of levels of ladders that were told: so soon after they were due."""

    counts: Literal["levels"]
    within_seconds: int = Field(ge=1, le=86_400)


Measure = StayMeasure | ReferralMeasure | DuplicateMeasure | TaskMeasure | LevelMeasure
ONE: TypeAdapter[Measure] = TypeAdapter(Annotated[Measure, Field(discriminator="counts")])


class Family(Part):
    """What stands in one file: the shared parts, and the measures; a measure's own exclusions come on top."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    version: str
    title: str
    source: str
    counts: str | None = None
    better: str | None = None
    unit: str | None = None
    population: Any = None
    episode: Any = None
    exclusions: tuple[Any, ...] = ()
    cannot_know: tuple[str, ...] = ()
    measures: tuple[dict[str, Any], ...] = Field(min_length=1)

    def each(self) -> Iterable[dict[str, Any]]:
        shared = {name: value for name in SHARED if (value := getattr(self, name)) is not None}
        for told in self.measures:
            source = f"{self.source}. {told.get('source', '')}".strip()
            added = {name: [*getattr(self, name), *told.get(name, ())] for name in ADDED}
            named = {"family": self.name, "family_title": self.title, "version": self.version, "source": source}
            yield shared | told | {name: value for name, value in added.items() if value} | named


def _in_order(value: object) -> object:
    """A set has another order in each process."""
    return sorted(value) if isinstance(value, frozenset) else str(value)


@dataclass(frozen=True)
class Measures:
    """Every measure that is counted, by id, with the value sets that they name."""

    by_id: Mapping[str, Measure]
    sets: Mapping[str, tuple[str, ...]]
    providers: ProviderSets
    expected: ExpectedRates

    @cached_property
    def edition(self) -> str:
        """Names what is counted and how: another one means that everybody must be counted anew."""
        parts: tuple[Part, ...] = (*self.by_id.values(), self.providers, *self.expected.tables)
        said = [json.dumps(one.model_dump(), sort_keys=True, default=_in_order) for one in parts]
        return hashlib.sha256("\n".join([*sorted(said), str(sorted(self.sets.items()))]).encode()).hexdigest()[:16]

    @cached_property
    def deeds(self) -> tuple[DeedRule, ...]:
        """What is asked of deeds, by whichever measure: these must be kept, whoever else waits for them."""
        asked = [rule for one in self.stays for rule in getattr(one.numerator, "evidence", ())]
        return tuple(rule for n, rule in enumerate(asked) if rule not in asked[:n])

    @cached_property
    def heard(self) -> frozenset[str]:
        """The types of events that count, that say more of what does, or that take it back."""
        return frozenset({rule.event for rule in self.deeds}) | self.heard_always | frozenset(SAID_OF_VISITS)

    @cached_property
    def heard_always(self) -> frozenset[str]:
        """Types that matter whatever they say: attempts, and what takes back a deed."""
        taking = (taking for rule in self.deeds for taking in TAKEN_BACK_BY.get(rule.event, ()))
        return frozenset({ContactAttempted.TYPE, *taking})

    @cached_property
    def stays(self) -> tuple[StayMeasure, ...]:
        return tuple(one for one in self.by_id.values() if isinstance(one, StayMeasure))

    def of_stays(self, measure_id: str) -> StayMeasure:
        """Raises KeyError for one that counts something else."""
        found = self.by_id[measure_id]
        if not isinstance(found, StayMeasure):
            raise KeyError(measure_id)
        return found

    def codes(self, names: Iterable[str]) -> tuple[str, ...]:
        """The prefixes of these value sets together."""
        return tuple(code for name in names for code in self.sets[name])


def read_measures(folder: Path = SHIPPED, protocols: Path = PROTOCOLS, expected: Path | None = None) -> Measures:
    """Every measure in the folder; `expected` are the house's own expected rates. Raises WrongProtocolError naming file
    and field.
    """
    found: dict[str, Measure] = {}
    for path in sorted(folder.glob("*.yaml")):
        for one in _read(path.name, path.read_text(encoding="utf-8")):
            if one.id in found:
                raise WrongProtocolError(
                    f"{path.name}: the measure {one.id} stands there twice, or in another file too"
                )
            found[one.id] = one
    measures = Measures(found, read_conditions(protocols), read_providers(), read_expected(expected))
    must_name_measures(measures.expected, {one.id: one for one in measures.stays})
    for one in measures.stays:
        _names_what_there_is(one, measures)
    for one in measures.stays:
        _looks_not_at_itself(one, measures)
    return measures


def _names_what_there_is(one: StayMeasure, measures: Measures) -> None:
    strange = sorted(one.sets - measures.sets.keys())
    if one.qualified:
        strange += sorted(set(one.qualified.providers) - measures.providers.sets.keys())
    strange += sorted(one.names_others - {stay.id for stay in measures.stays})
    if strange:
        raise WrongProtocolError(
            f"{one.id}: no value set, kind of provider or measure of stays is named {', '.join(strange)}"
        )


def _looks_not_at_itself(one: StayMeasure, measures: Measures) -> None:
    reached, ahead = set[str](), set(one.names_others)
    while ahead:
        reached |= ahead
        ahead = {other for named in ahead for other in measures.of_stays(named).names_others} - reached
    if one.id in reached:
        raise WrongProtocolError(f"{one.id}: waits for its own outcome")


def _read(file: str, text: str) -> list[Measure]:
    try:
        family = Family.model_validate(read_yaml(text))
        return [ONE.validate_python(told) for told in family.each()]
    except yaml.YAMLError as wrong:
        raise WrongProtocolError(f"{file} is not YAML: {type(wrong).__name__}") from None
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise WrongProtocolError(f"{file}: {field or 'family'}: {first['msg']}") from None
