"""Protocols: which obligations follow from a stay. They are data (`protocols/*.yaml`), versioned, each number with its
source; this module says what such a file may hold, reads it, and selects what fits.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.transitions.disposition import base_of
from shared.events import BY_TYPE, Fact
from shared.events.followups import ContactAttempted
from shared.events.notifications import NotificationFact
from shared.events.people import Diagnosis, EncounterClass
from shared.events.transitions import ProtocolReference


class Anchor(StrEnum):
    ADMISSION = "admission"
    DISCHARGE = "discharge"


class CancelOn(StrEnum):
    DEATH = "death"
    ADMITTED_AGAIN = "admitted-again"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DueRule(_Part):
    """When a task is due: exactly one of the units, counted from the anchor.

    Days end with the local day of the facility; minutes run as they are. `inclusive` counts the anchor's own day as
    the first (a stricter reading of the 7 and 14 days). `state_holidays` leaves out the state's holidays too.
    """

    anchor: Anchor = Anchor.DISCHARGE
    business_days: int | None = Field(default=None, ge=1, le=60)
    calendar_days: int | None = Field(default=None, ge=0, le=400)
    minutes: int | None = Field(default=None, ge=0, le=14_400)
    inclusive: bool = False
    state_holidays: bool = False

    @model_validator(mode="after")
    def _one_unit(self) -> Self:
        if sum(unit is not None for unit in (self.business_days, self.calendar_days, self.minutes)) != 1:
            raise ValueError("give exactly one of business_days, calendar_days and minutes")
        if self.inclusive and not self.calendar_days:
            raise ValueError("inclusive counts calendar days, one at least")
        return self


class EvidenceRule(_Part):
    """An event that shows the task is done. `of`: it is a notice, and what it told must have been this event.

    `not_before_day` is the first local day that counts, as days after the anchor's day (0: from the anchor on).
    """

    event: str
    of: str | None = None
    not_before_day: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _known_events(self) -> Self:
        unknown = [name for name in (self.event, self.of) if name is not None and name not in BY_TYPE]
        if unknown:
            raise ValueError(f"no such event: {', '.join(unknown)}")
        return self


class Step(_Part):
    """One level of the ladder: so long after the task was due, this role is told."""

    after: timedelta = Field(ge=timedelta(0))
    role: str


class TaskRule(_Part):
    """One obligation. `no_later_than` names a task whose evidence, when it comes first, pulls this one's due time to
    the end of that day. `attempts_suffice`: so many separate failed contacts, documented in time, count as kept.
    """

    code: str = Field(pattern=r"^[a-z0-9-]+$")
    title: str
    owner_role: str
    due: DueRule
    source: str
    evidence: tuple[EvidenceRule, ...] = ()
    ladder: tuple[Step, ...] = ()
    cancel_on: frozenset[CancelOn] = frozenset(CancelOn)
    no_later_than: str | None = None
    attempts_suffice: int | None = Field(default=None, ge=2)

    @model_validator(mode="after")
    def _rising_ladder(self) -> Self:
        waits = [step.after for step in self.ladder]
        if waits != sorted(waits):
            raise ValueError("the ladder's steps must be in order of time")
        return self


class Applies(_Part):
    """To which stays a protocol applies; an empty list asks nothing. Diagnoses are prefixes of ICD-10-CM codes.

    `dispositions` are NUBC codes without the planned-readmission variants (81-95 are read as their base code);
    `unknown` stands for a disposition that no map knows.
    """

    dispositions: frozenset[str] = frozenset()
    classes: frozenset[EncounterClass] = frozenset()
    diagnoses: tuple[str, ...] = ()

    def fits(self, stay: "Stay") -> bool:
        return (
            (not self.dispositions or (stay.discharged and stay.disposition in self.dispositions))
            and (not self.classes or stay.encounter_class in self.classes)
            and (not self.diagnoses or any(code.startswith(self.diagnoses) for code in stay.diagnoses))
        )


class Protocol(_Part):
    """A set of obligations. One that `suppresses` asks for nothing and silences all others (after a death)."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    version: str
    title: str
    source: str
    applies: Applies
    suppresses: bool = False
    demo: bool = False
    tasks: tuple[TaskRule, ...] = ()

    @property
    def reference(self) -> ProtocolReference:
        return ProtocolReference(name=self.name, version=self.version)

    @model_validator(mode="after")
    def _codes_stand_once(self) -> Self:
        codes = [task.code for task in self.tasks]
        if len(set(codes)) != len(codes):
            raise ValueError("a task's code may stand only once in a protocol")
        if self.suppresses and codes:
            raise ValueError("a protocol that suppresses asks for no tasks")
        return self


class Stay(_Part):
    """What selection looks at."""

    discharged: bool
    disposition: str = "unknown"
    encounter_class: EncounterClass
    diagnoses: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, *, discharged: bool, nubc: str | None, encounter_class: EncounterClass, diagnoses: Iterable[Diagnosis]
    ) -> Self:
        codes = tuple(diagnosis.code.replace(".", "").upper() for diagnosis in diagnoses)
        return cls(discharged=discharged, disposition=base_of(nubc), encounter_class=encounter_class, diagnoses=codes)


class WrongProtocolError(ValueError):
    """A protocol's file can't be used. The message names the file, the field and what it wants."""


class Library:
    """Every edition of the protocols that a transition may be bound to. An edition is what stood in the folder at one
    time; a transition keeps the edition under which it was opened, so a newer one never rewrites it.
    """

    def __init__(self, current: Sequence[Protocol], earlier: Mapping[str, Sequence[Protocol]] | None = None) -> None:
        self.edition = edition_of(current)
        self._editions = {**(earlier or {}), self.edition: tuple(current)}
        every = [protocol for held in self._editions.values() for protocol in held]
        self._rules = {(p.name, p.version, t.code): t for p in every for t in p.tasks}
        asked = [rule for task in self._rules.values() for rule in task.evidence]
        self._waited_for = {(rule.event, rule.of) for rule in asked} | {(ContactAttempted.TYPE, None)}

    def select(self, stay: Stay, edition: str) -> tuple[Protocol, ...]:
        """The protocols of the edition that fit, by name. Raises KeyError for an edition never registered."""
        fitting = tuple(protocol for protocol in self._editions[edition] if protocol.applies.fits(stay))
        silencing = tuple(protocol for protocol in fitting if protocol.suppresses)
        return silencing or fitting

    def waits_for(self, fact: Fact) -> bool:
        """Whether some protocol's task could be shown done by this: what nobody waits for is not kept."""
        of = fact.delivery.event_type if isinstance(fact, NotificationFact) else None
        return (fact.TYPE, of) in self._waited_for

    def rule(self, reference: ProtocolReference, code: str) -> TaskRule:
        """The rule that a task runs under. Raises KeyError for a version never registered."""
        return self._rules[reference.name, reference.version, code]


def edition_of(protocols: Iterable[Protocol]) -> str:
    """Names the set of protocols: equal for equal names and versions."""
    names = ",".join(sorted(f"{protocol.name}@{protocol.version}" for protocol in protocols))
    return hashlib.sha256(names.encode()).hexdigest()[:16]


def read_protocols(folder: Path, *, demo: bool = False) -> tuple[Protocol, ...]:
    """Every protocol in the folder; the demonstration's only where asked for. Raises WrongProtocolError."""
    found: dict[str, Protocol] = {}
    for path in sorted(folder.glob("*.yaml")):
        protocol = _read(path)
        if protocol.name in found:
            raise WrongProtocolError(f"{path.name}: the name {protocol.name} stands in another file too")
        if demo or not protocol.demo:
            found[protocol.name] = protocol
    if not found:
        raise WrongProtocolError(f"no protocol (*.yaml) in the folder {folder.name}")
    return tuple(found.values())


def _read(path: Path) -> Protocol:
    try:
        return Protocol.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise WrongProtocolError(f"{path.name}: {field or 'protocol'}: {first['msg']}") from None
    except yaml.YAMLError as wrong:
        raise WrongProtocolError(f"{path.name} is not YAML: {type(wrong).__name__}") from None
