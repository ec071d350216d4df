"""Protocols: which obligations follow from a stay. They are data (`protocols/*.yaml`), versioned, each number with its
source; this module says what such a file may hold, reads it, and selects what fits.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from services.transitions.evidence_details import (
    SAY_WHAT_IS_ASKED,
    TAKEN_BACK_BY,
    bears_on_an_acknowledgement,
    details_of,
)
from services.transitions.risk.scoring import Scoring, read_scoring
from services.transitions.selection import Applies, Stay
from services.transitions.task_rule import (
    ACKNOWLEDGEMENTS,
    Anchor,
    CancelOn,
    DueRule,
    EvidenceRule,
    Part,
    QuietHours,
    Step,
    TaskRule,
)
from shared.bounded_yaml import read_yaml
from shared.events import Fact
from shared.events.followups import ContactAttempted
from shared.events.notifications import NotificationFact
from shared.events.transitions import ProtocolReference

__all__ = [
    "Anchor",
    "Applies",
    "CancelOn",
    "DueRule",
    "EvidenceRule",
    "Library",
    "Protocol",
    "QuietHours",
    "Stay",
    "Step",
    "TaskRule",
    "WrongProtocolError",
    "edition_of",
    "read_conditions",
    "read_draft",
    "read_protocols",
]

CONDITIONS = Path("value-sets") / "conditions.yaml"
"""Beside the protocols: the named sets of diagnoses that they ask for."""
STAYS_KEPT = 10_000


class Protocol(Part):
    """A set of obligations. One that `suppresses` asks for nothing and silences all others (after a death).

    One that is `optional` is a programme: it applies only where the house takes part in it.
    """

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    version: str
    title: str
    source: str
    applies: Applies
    suppresses: bool = False
    demo: bool = False
    optional: bool = False
    tasks: tuple[TaskRule, ...] = ()

    @property
    def reference(self) -> ProtocolReference:
        return ProtocolReference(name=self.name, version=self.version)

    def fits(self, stay: "Stay") -> bool:
        """Whether a stay asks for it; one whose tasks are all opened on request is asked for by none."""
        on_request = bool(self.tasks) and all(task.due.anchor is Anchor.REQUEST for task in self.tasks)
        return not on_request and self.applies.fits(stay)

    @model_validator(mode="after")
    def _codes_stand_once(self) -> Self:
        codes = [task.code for task in self.tasks]
        if len(set(codes)) != len(codes):
            raise ValueError("a task's code may stand only once in a protocol")
        if self.suppresses and codes:
            raise ValueError("a protocol that suppresses asks for no tasks")
        return self

    @model_validator(mode="after")
    def _names_own_tasks(self) -> Self:
        codes = {task.code for task in self.tasks}
        for task in self.tasks:
            unknown = {*task.after, *filter(None, (task.no_later_than,))} - codes
            if unknown or task.code in task.after:
                raise ValueError(f"{task.code} waits for a task that this protocol does not ask for")
        return self


class WrongProtocolError(ValueError):
    """A protocol's file can't be used. The message names the file, the field and what it wants."""


class Library:
    """Every edition of the protocols that a transition may be bound to. An edition is what stood in the folder at one
    time; a transition keeps the edition under which it was opened, so a newer one never rewrites it.
    """

    def __init__(
        self,
        current: Sequence[Protocol],
        earlier: Mapping[str, Sequence[Protocol]] | None = None,
        closed: Mapping[str, Mapping[date, str]] | None = None,
        scoring: Scoring | None = None,
    ) -> None:
        self.scoring = scoring or read_scoring()
        self.current = tuple(current)
        self._closed = closed or {}
        self.edition = edition_of(current)
        self._editions = {**(earlier or {}), self.edition: tuple(current)}
        every = [protocol for held in self._editions.values() for protocol in held]
        self._rules = {(p.name, p.version, t.code): t for p in every for t in p.tasks}
        asked = [rule for task in self._rules.values() for rule in task.evidence]
        self._waited_for: dict[tuple[str, str | None], list[EvidenceRule]] = {}
        for rule in asked:
            self._waited_for.setdefault((rule.event, rule.of), []).append(rule)
        taking = (taking for rule in asked for taking in TAKEN_BACK_BY.get(rule.event, ()))
        self._kept_always = {ContactAttempted.TYPE, *taking}
        self._opens_for_notices = any(self.find_on_request(code) for code in ACKNOWLEDGEMENTS)
        # Stays are much alike, and each is asked of again with all that is heard of its patient.
        self._selected = lru_cache(STAYS_KEPT)(self._select)

    def select(self, stay: Stay, edition: str) -> tuple[Protocol, ...]:
        """The protocols of the edition that fit, by name. Raises KeyError for an edition never registered."""
        return self._selected(stay, edition)

    def _select(self, stay: Stay, edition: str) -> tuple[Protocol, ...]:
        fitting = tuple(protocol for protocol in self._editions[edition] if protocol.fits(stay))
        silencing = tuple(protocol for protocol in fitting if protocol.suppresses)
        return silencing or fitting

    @property
    def heard(self) -> frozenset[str]:
        """The types of events that some protocol's task could be shown done, or opened, by."""
        opening = {fact.TYPE for fact in SAY_WHAT_IS_ASKED} if self._opens_for_notices else set()
        return frozenset(kind for kind, _ in self._waited_for) | opening

    @property
    def owner_roles(self) -> frozenset[str]:
        """The roles that tasks are opened for, of earlier editions too: what those opened may still be owed."""
        return frozenset(rule.owner_role for rule in self._rules.values())

    def waits_for(self, fact: Fact) -> bool:
        """Whether some protocol's task could be shown done, or opened, by this: what nobody waits for is not kept."""
        if fact.TYPE in self._kept_always or (self._opens_for_notices and bears_on_an_acknowledgement(fact)):
            return True
        of = fact.delivery.event_type if isinstance(fact, NotificationFact) else None
        waiting = self._waited_for.get((fact.TYPE, of))
        return waiting is not None and any(rule.says(details_of(fact)) for rule in waiting)

    def changed_to(self, current: Sequence[Protocol]) -> "Library":
        """The library with other protocols in force; those that were used before are still known."""
        return Library(current, self._editions, self._closed, self.scoring)

    def condition_sets(self) -> Mapping[str, tuple[str, ...]]:
        """The value sets that the protocols in force name."""
        return {name: codes for protocol in self.current for name, codes in protocol.applies.conditions.items()}

    def closed(self, facility: str) -> Mapping[date, str]:
        """Days on which the facility's own calendar is closed, each with the reason."""
        return self._closed.get(facility, {})

    def on_request(self, code: str) -> "tuple[TaskRule, ProtocolReference]":
        """The rule of a task that is opened by its code. Raises KeyError when no protocol has it."""
        found = self.find_on_request(code)
        if found is None:
            raise KeyError(code)
        return found

    def find_on_request(self, code: str) -> "tuple[TaskRule, ProtocolReference] | None":
        """The same; None when no protocol has it."""
        for protocol in self._editions[self.edition]:
            for rule in protocol.tasks:
                if rule.code == code and rule.due.anchor is Anchor.REQUEST:
                    return rule, protocol.reference
        return None

    def rule(self, reference: ProtocolReference, code: str) -> TaskRule:
        """The rule that a task runs under. Raises KeyError for a version never registered."""
        return self._rules[reference.name, reference.version, code]


def edition_of(protocols: Iterable[Protocol]) -> str:
    """Names the set of protocols: equal for equal names and versions."""
    names = ",".join(sorted(f"{protocol.name}@{protocol.version}" for protocol in protocols))
    return hashlib.sha256(names.encode()).hexdigest()[:16]


def read_protocols(folder: Path, *, demo: bool = False, programmes: Iterable[str] = ()) -> tuple[Protocol, ...]:
    """Every protocol in the folder; the demonstration's and the optional programmes' only where asked for.

    Raises WrongProtocolError, also for a programme that is none.
    """
    asked = set(programmes)
    conditions = read_conditions(folder)
    found: dict[str, Protocol] = {}
    for path in sorted(folder.glob("*.yaml")):
        protocol = read_protocol(path.name, path.read_text(encoding="utf-8"), conditions)
        if protocol.name in found:
            raise WrongProtocolError(f"{path.name}: the name {protocol.name} stands in another file too")
        found[protocol.name] = protocol
    strange = sorted(asked - {name for name, protocol in found.items() if protocol.optional})
    if strange:
        raise WrongProtocolError(f"no optional protocol is named {', '.join(strange)}")
    if not found:
        raise WrongProtocolError(f"no protocol (*.yaml) in the folder {folder.name}")
    return tuple(p for p in found.values() if (demo or not p.demo) and (not p.optional or p.name in asked))


def read_conditions(folder: Path) -> Mapping[str, tuple[str, ...]]:
    """The named value sets beside the protocols, as prefixes without dots. Raises WrongProtocolError."""
    path = folder / CONDITIONS
    if not path.exists():
        return {}
    told = _yaml(path.name, path.read_text(encoding="utf-8"))
    sets = told.get("sets") if isinstance(told, dict) else None
    if not isinstance(sets, dict):
        raise WrongProtocolError(f"{path.name}: sets: wants a mapping of names to lists of codes")
    return {str(name): _prefixes(path.name, str(name), entry) for name, entry in sets.items()}


def _prefixes(file: str, name: str, entry: Any) -> tuple[str, ...]:
    codes = entry.get("codes") if isinstance(entry, dict) else None
    if not isinstance(codes, list) or not codes or not all(isinstance(code, str) for code in codes):
        raise WrongProtocolError(f"{file}: sets.{name}.codes: wants a list of prefixes of ICD-10-CM codes")
    return tuple(code.replace(".", "").upper() for code in codes)


def read_protocol(file: str, text: str, conditions: Mapping[str, tuple[str, ...]]) -> Protocol:
    """The protocol that the file's text says. Raises WrongProtocolError naming file and field."""
    told = _with_conditions(file, _with_defaults(_yaml(file, text)), conditions)
    try:
        return Protocol.model_validate(told)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise WrongProtocolError(f"{file}: {field or 'protocol'}: {first['msg']}") from None


def read_draft(file: str, text: str, library: Library) -> Protocol:
    """A draft that may name the value sets of the protocols in force. Raises WrongProtocolError."""
    return read_protocol(file, text, library.condition_sets())


def _yaml(file: str, text: str) -> Any:
    try:
        return read_yaml(text)
    except yaml.YAMLError as wrong:
        raise WrongProtocolError(f"{file} is not YAML: {type(wrong).__name__}") from None


def _with_defaults(told: Any) -> Any:
    """What stands under `defaults` holds for each task that says nothing else."""
    if not isinstance(told, dict) or not isinstance(told.get("defaults"), dict):
        return told
    shared = told["defaults"]
    tasks = [{**shared, **task} if isinstance(task, dict) else task for task in told.get("tasks") or []]
    return {key: value for key, value in told.items() if key != "defaults"} | {"tasks": tasks}


def _with_conditions(file: str, told: Any, conditions: Mapping[str, tuple[str, ...]]) -> Any:
    """Puts the codes in place of the value sets' names: an edition holds all that it was decided by."""
    applies: Any = told.get("applies") if isinstance(told, dict) else None
    named = applies.get("conditions") if isinstance(applies, dict) else None
    if applies is None or not isinstance(named, list):
        return told
    unknown = [str(name) for name in named if name not in conditions]
    if unknown:
        raise WrongProtocolError(f"{file}: applies.conditions: no value set is named {', '.join(unknown)}")
    return told | {"applies": applies | {"conditions": {name: conditions[name] for name in named}}}
