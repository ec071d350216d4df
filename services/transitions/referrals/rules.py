"""The numbers of the referral loop: waits, ladders, look-backs. Data (`rules.yaml`), versioned, with sources."""

from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.transitions.protocols import Step, WrongProtocolError
from services.transitions.referrals.states import State

SHIPPED = Path(__file__).parent / "rules.yaml"


class Priority(StrEnum):
    ROUTINE = "routine"
    URGENT = "urgent"
    STAT = "stat"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Wait(_Part):
    """How long: exactly one of the units. Days end with the facility's local day; hours run as they are."""

    business_days: int | None = Field(default=None, ge=1, le=60)
    calendar_days: int | None = Field(default=None, ge=0, le=400)
    hours: int | None = Field(default=None, ge=1, le=400)

    @model_validator(mode="after")
    def _one_unit(self) -> Self:
        if sum(unit is not None for unit in (self.business_days, self.calendar_days, self.hours)) != 1:
            raise ValueError("give exactly one of business_days, calendar_days and hours")
        return self


Waits = dict[Priority, Wait]


class Clock(_Part):
    """In these states something is waited for (`code`); when it is late, `role` is told first."""

    code: str = Field(pattern=r"^[a-z0-9-]+$")
    states: frozenset[State] = frozenset()
    anchor: Literal["requested", "entered", "appointment"] = "entered"
    role: str
    due: Waits
    source: str

    @model_validator(mode="after")
    def _every_priority(self) -> Self:
        if set(self.due) != set(Priority):
            raise ValueError("give a wait for routine, urgent and stat")
        return self


class StrikeReview(Clock):
    strikes: int = Field(ge=1, le=20)


class Orderable(_Part):
    """Codes that mean the same service, and for how long asking again is suspected to be a duplicate."""

    name: str
    days: int = Field(ge=1, le=730)
    codes: frozenset[str]


class Duplicates(_Part):
    source: str
    default_days: int = Field(ge=1, le=730)
    groups: tuple[Orderable, ...] = ()


class ResultDocuments(_Part):
    codes: frozenset[str]
    source: str


class LoopRules(_Part):
    name: str
    version: str
    source: str
    priorities: dict[Priority, frozenset[str]]
    clocks: tuple[Clock, ...]
    duplicate_decision: Clock
    strike_review: StrikeReview
    ladders: dict[Priority, tuple[Step, ...]]
    result_documents: ResultDocuments
    duplicates: Duplicates

    @model_validator(mode="after")
    def _one_clock_a_state(self) -> Self:
        clocked = [state for clock in self.clocks for state in clock.states]
        if len(clocked) != len(set(clocked)):
            raise ValueError("a state has two clocks")
        return self

    @cached_property
    def _by_code(self) -> dict[str, Orderable]:
        return {_folded(code): group for group in self.duplicates.groups for code in group.codes}

    @property
    def owner_roles(self) -> frozenset[str]:
        """The roles whose turn it may be."""
        return frozenset(clock.role for clock in (*self.clocks, self.duplicate_decision, self.strike_review))

    def priority_of(self, said: str | None) -> Priority:
        """Routine where nothing or an unknown word was said."""
        word = (said or "").strip().lower()
        return next((p for p, words in self.priorities.items() if word in words), Priority.ROUTINE)

    def clock_in(self, state: State) -> Clock | None:
        return next((clock for clock in self.clocks if state in clock.states), None)

    def group_of(self, code: str | None, text: str | None) -> str:
        """Which service it is: the group of its code, else of its words, else the code or the words themselves."""
        for said in (code, text):
            if said and (group := self._by_code.get(_folded(said))):
                return group.name
        return _folded(code or text or "")

    def look_back(self, group: str) -> timedelta:
        known = next((g.days for g in self.duplicates.groups if g.name == group), self.duplicates.default_days)
        return timedelta(days=known)


def _folded(text: str) -> str:
    return " ".join(text.upper().split())


def read_rules(path: Path = SHIPPED) -> LoopRules:
    """Raises WrongProtocolError naming the field and what it wants."""
    try:
        return LoopRules.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise WrongProtocolError(f"{path.name}: {field}: {first['msg']}") from None
