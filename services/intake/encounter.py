"""The state of one stay, as a fold of all its facts in their own order. Pure: no clock, no I/O.

Which rule a trigger has stands in `lifecycle`; here is what they all share.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

from services.intake.message import OrderKey, Said, StayFact
from shared.events.people import EncounterStatus, Identifier

Place = Mapping[str, str]


class MilestoneKind(StrEnum):
    PREADMITTED = "preadmitted"
    ARRIVED = "arrived"
    ADMITTED = "admitted"
    TRANSFERRED = "transferred"
    CLASS_CHANGED = "class-changed"
    LEAVE_STARTED = "leave-started"
    LEAVE_ENDED = "leave-ended"
    DISCHARGE_EXPECTED = "discharge-expected"
    DISCHARGED = "discharged"


@dataclass(frozen=True, slots=True)
class Milestone:
    """Something in the stay that is worth telling. `key` is the same whatever the order of arrival.

    `at` is when it happened (UTC, ISO); `whereto` tells moves and class changes of one stay apart, `nth` repeats of
    the same; `detail` is what may be corrected beside the time; `came_from` is where the patient was before a move.
    """

    kind: MilestoneKind
    at: str
    whereto: str = ""
    nth: int = 0
    detail: str = ""
    inferred: bool = False
    derived: bool = False
    came_from: dict[str, str] | None = None

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.whereto}:{self.nth}"


@dataclass(frozen=True, slots=True)
class EncounterState:
    """Where a stay stands. `is_stub`: something was said of it, but its opening was never seen. `merged_into`: the
    visit under whose number it goes on; what still comes under the old one is that one's. `movements`: the ids that
    were told of it (ZBE-1); `has_history`: some of them were told as movements of the past; `has_inserts`: some were
    inserted by their id, not only cancelled or updated.
    """

    status: EncounterStatus = EncounterStatus.UNKNOWN
    location: dict[str, str] | None = None
    said: dict[str, Any] = field(default_factory=dict)
    milestones: tuple[Milestone, ...] = ()
    is_stub: bool = False
    watermark: OrderKey | None = None
    merged_into: Identifier | None = None
    movements: tuple[str, ...] = ()
    has_history: bool = False
    has_inserts: bool = False

    def but(self, **changes: Any) -> "EncounterState":
        return replace(self, **changes)

    def has(self, *kinds: MilestoneKind) -> bool:
        return any(milestone.kind in kinds for milestone in self.milestones)

    def last(self, *kinds: MilestoneKind) -> Milestone | None:
        return next((m for m in reversed(self.milestones) if m.kind in kinds), None)

    def reaching(
        self,
        kind: MilestoneKind,
        at: str,
        *,
        whereto: str = "",
        derived: bool = False,
        came_from: Place | None = None,
    ) -> "EncounterState":
        repeats = sum(m.kind == kind and m.whereto == whereto for m in self.milestones)
        reached = Milestone(
            kind=kind,
            at=at,
            whereto=whereto,
            nth=repeats,
            inferred=self.is_stub,
            derived=derived,
            came_from=dict(came_from) if came_from else None,
        )
        return self.but(milestones=(*self.milestones, reached))

    def without(self, milestone: Milestone) -> "EncounterState":
        return self.but(milestones=tuple(m for m in self.milestones if m is not milestone))


EMPTY = EncounterState()
_KEPT = TypeAdapter(EncounterState)


def state_from_json(kept: Any) -> EncounterState:
    """From the decoded JSON of state_as_json."""
    return _KEPT.validate_python(kept)


def state_as_json(state: EncounterState) -> bytes:
    return _KEPT.dump_json(state, exclude_defaults=True)


def place_name(place: Place | None) -> str:
    """What tells two places apart: ward, room and bed."""
    return "^".join((place or {}).get(part, "") for part in ("point_of_care", "room", "bed"))


def merge_said(known: Said, said: Said) -> dict[str, Any]:
    """Later values win; None deletes; what is not said stays."""
    return {name: value for name, value in {**known, **said}.items() if value is not None}


def in_order(facts: Iterable[StayFact]) -> list[StayFact]:
    """The facts in their own order, each once."""
    return [fact for _, fact in sorted({fact.order: fact for fact in facts}.items())]
