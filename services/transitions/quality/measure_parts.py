"""The parts of a measure of stays: population, episodes, exclusions, numerator."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from services.transitions.evidence_details import DETAILS
from services.transitions.selection import LONGEST_LIFE
from services.transitions.task_rule import Part
from shared.events import BY_TYPE
from shared.events.people import EncounterClass

NOTICE_DETAILS = frozenset({"of", "bases"})
Classes = frozenset[EncounterClass]
Day = Annotated[int, Field(ge=0, le=400)]


def plain_codes(said: tuple[str, ...]) -> tuple[str, ...]:
    """As diagnoses are compared: no dot, capitals."""
    return tuple(code.replace(".", "").upper() for code in said)


class Chronic(Part):
    """So many of these conditions must be known by then; value sets in one group are one condition."""

    groups: tuple[tuple[str, ...], ...]
    at_least: int = Field(ge=1)
    look_back_days: int = Field(ge=0, le=800)
    source: str


class Population(Part):
    """Whose stays are counted: by class, disposition (base codes), age in whole years, and diagnoses.

    `principal` and `any` name value sets: one diagnosis in either is enough. `until` is the year's last day
    that counts.
    """

    classes: Classes
    dispositions: frozenset[str] = frozenset()
    principal: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    chronic: Chronic | None = None
    min_age: int | None = Field(default=None, ge=0, le=LONGEST_LIFE)
    max_age: int | None = Field(default=None, ge=0, le=LONGEST_LIFE)
    age_on: Literal["event", "end-of-year"] = "event"
    until: str | None = Field(default=None, pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")

    @property
    def sets(self) -> frozenset[str]:
        named = [name for group in self.chronic.groups for name in group] if self.chronic else []
        return frozenset([*self.principal, *self.any, *named])


class Window(Part):
    """Local days, counted from the anchor's own (day 0); or to so many business days after it."""

    from_day: Day = 0
    to_day: Day | None = None
    business_days: int | None = Field(default=None, ge=1, le=60)

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if (self.to_day is None) == (self.business_days is None):
            raise ValueError("give exactly one of to_day and business_days")
        return self


class Died(Part):
    """In the stay, in the calendar year of the discharge, or within so many days."""

    when: Literal["died"]
    span: Literal["stay", "year"] | Day


class Hospice(Part):
    """Went to a hospice by this stay's disposition, or by another's of the year."""

    when: Literal["hospice"]
    span: Literal["stay", "year"]


class AdmittedAgain(Window):
    when: Literal["admitted-again"]
    classes: Classes


class LeftTo(Part):
    when: Literal["left-to"]
    dispositions: frozenset[str]
    reason: str


class PlannedReturn(Part):
    """The disposition says that a return is planned (81 to 95)."""

    when: Literal["planned-return"]


class Repeated(Part):
    """Another one was counted within so many days before, the day of that one included; counted by another measure of
    the family where one is named.
    """

    when: Literal["repeated"]
    days: int = Field(ge=1, le=366)
    measure: str | None = None


class SameDayStay(Part):
    when: Literal["same-day-stay"]


class PrincipalDiagnosis(Part):
    when: Literal["diagnosis"]
    principal: tuple[str, ...]
    reason: str
    _prefixes = field_validator("principal")(plain_codes)


class Unmet(Part):
    """Another measure of the same stay is not met."""

    when: Literal["unmet"]
    measure: str
    reason: str


Exclusion = Annotated[
    Died | Hospice | AdmittedAgain | LeftTo | PlannedReturn | Repeated | SameDayStay | PrincipalDiagnosis | Unmet,
    Field(discriminator="when"),
]


class DeedRule(Part):
    """A deed that counts. A detail may hold several words (the bases of a notice): one of those given is enough."""

    event: str
    where: Mapping[str, frozenset[str]] = {}

    @model_validator(mode="after")
    def _known(self) -> Self:
        strange = sorted({self.event, *self.where.get("of", ())} - BY_TYPE.keys())
        strange += sorted(self.where.keys() - DETAILS - NOTICE_DETAILS)
        if strange:
            raise ValueError(f"no such event or detail: {', '.join(strange)}")
        return self

    def says(self, details: Mapping[str, str]) -> bool:
        return all(words & set(details.get(name, "").split(",")) for name, words in self.where.items())


class Qualification(Part):
    """What a visit must have been to count; one of these is enough. `providers` names sets of kinds of providers, by
    the service and specialty that the source says; `principal` and `any` name value sets of its diagnoses.
    """

    providers: tuple[str, ...] = ()
    principal: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    source: str

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not (self.providers or self.principal or self.any):
            raise ValueError("name a set of providers or of diagnoses")
        return self


class Attempts(Part):
    """So many separate attempts that reached nobody suffice where these measures are met."""

    enough: int = Field(ge=1)
    if_met: tuple[str, ...]


class ByDeed(Window):
    """`after_anchor`: on the anchor's own day only what came later counts. `no_later_than`: on or before the day on
    which that measure was met. `qualified`: what the visit must have been.
    """

    by: Literal["deed"]
    anchor: Literal["admission", "discharge"] = "discharge"
    after_anchor: bool = False
    evidence: tuple[DeedRule, ...] = Field(min_length=1)
    attempts: Attempts | None = None
    no_later_than: str | None = None
    qualified: Qualification | None = None

    @property
    def names_others(self) -> frozenset[str]:
        return frozenset([*filter(None, [self.no_later_than]), *(self.attempts.if_met if self.attempts else ())])


class ByReturn(Window):
    """An unplanned stay of these classes; `planned` are prefixes of principal diagnoses that make it none."""

    by: Literal["return"]
    classes: Classes
    planned: tuple[str, ...] = ()
    names_others: frozenset[str] = frozenset()
    _prefixes = field_validator("planned")(plain_codes)


class ByReadmission(Part):
    """What the transition itself is flagged with."""

    by: Literal["readmission"]
    to_day: Day
    names_others: frozenset[str] = frozenset()


Numerator = Annotated[ByDeed | ByReturn | ByReadmission, Field(discriminator="by")]
