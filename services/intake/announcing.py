"""What must be said after a stay has changed: the difference between what was announced and what now stands. Pure.

A new milestone has its event; one that vanished is taken back; one whose time or detail was corrected is amended.
So whatever the order of arrival, what was announced and not taken back is the same in the end.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from services.intake.encounter import EncounterState, Milestone, MilestoneKind
from shared.events import Draft, encounters
from shared.events.encounters import Encounter, EncounterFact
from shared.events.people import EncounterStatus

K = MilestoneKind

SAID_BY: Mapping[MilestoneKind, type[EncounterFact]] = {
    K.PREADMITTED: encounters.Preadmitted,
    K.ARRIVED: encounters.Arrived,
    K.ADMITTED: encounters.Admitted,
    K.TRANSFERRED: encounters.Transferred,
    K.CLASS_CHANGED: encounters.ClassChanged,
    K.LEAVE_STARTED: encounters.LeaveStarted,
    K.LEAVE_ENDED: encounters.LeaveEnded,
    K.DISCHARGE_EXPECTED: encounters.DischargeExpected,
    K.DISCHARGED: encounters.Discharged,
}
TAKEN_BACK_BY: Mapping[MilestoneKind, type[EncounterFact]] = {
    K.PREADMITTED: encounters.PreadmissionCancelled,
    K.ARRIVED: encounters.ArrivalCancelled,
    K.ADMITTED: encounters.AdmissionCancelled,
    K.TRANSFERRED: encounters.TransferCancelled,
    K.CLASS_CHANGED: encounters.ClassChangeCancelled,
    K.LEAVE_STARTED: encounters.LeaveStartCancelled,
    K.LEAVE_ENDED: encounters.LeaveEndCancelled,
    K.DISCHARGE_EXPECTED: encounters.EncounterUpdated,
    K.DISCHARGED: encounters.DischargeCancelled,
}
# What a cancelled stay was, in the order of what matters most to those who were told.
_WHOLE_STAY = (K.ADMITTED, K.ARRIVED, K.PREADMITTED)
_CORRECTS = {K.DISCHARGED: ("discharged_at", "disposition"), K.ADMITTED: ("admitted_at",), K.ARRIVED: ("admitted_at",)}


@dataclass(frozen=True, slots=True)
class Announced:
    """A milestone that was said and not taken back, and the event that said it."""

    key: str
    kind: MilestoneKind
    event_id: UUID
    at: str
    detail: str = ""


def announced_from_json(kept: Mapping[str, str]) -> Announced:
    return Announced(kept["key"], K(kept["kind"]), UUID(kept["event_id"]), kept["at"], kept["detail"])


class Cause(NamedTuple):
    """The message behind an announcement; `time` is when what it says happened, `late` that it came out of order."""

    message_id: str
    time: datetime
    late: bool


@dataclass(frozen=True)
class Change:
    """A stay's change: what was announced of it, the state now, and the fields that differ."""

    announced: tuple[Announced, ...]
    state: EncounterState
    describe: Callable[[], Encounter]
    changed: tuple[str, ...]
    is_new: bool
    cause: Cause

    @cached_property
    def encounter(self) -> Encounter:
        """As it stands after the change; most messages say nothing new and never need it."""
        return self.describe()

    def draft(self, fact: EncounterFact, time: str | None = None, milestone: Milestone | None = None) -> Draft:
        return Draft(
            fact=fact,
            subject=self.encounter.patient.id,
            time=datetime.fromisoformat(time) if time else self.cause.time,
            correlation_id=str(self.encounter.id),
            causation_id=self.cause.message_id,
            version=self.encounter.version,
            late=self.cause.late,
            inferred=milestone.inferred if milestone else self.state.is_stub,
            derived=milestone.derived if milestone else False,
        )


def announce(change: Change) -> tuple[list[Draft], tuple[Announced, ...]]:
    """The events to say, in order, and what is announced after them."""
    standing = {milestone.key: milestone for milestone in change.state.milestones}
    vanished = [old for old in change.announced if old.key not in standing]
    kept = {old.key: old for old in change.announced if old.key in standing}
    drafts = _take_back(change, vanished)
    now: list[Announced] = []
    for key, milestone in standing.items():
        old = kept.get(key)
        if old is None:
            said = _say(change, milestone)
            drafts.append(said)
            old = _announced(milestone, said.id)
        elif (old.at, old.detail) != (milestone.at, milestone.detail):
            drafts.append(_amend(change, old, milestone))
            old = _announced(milestone, old.event_id)
        now.append(old)
    if not drafts and (change.changed or change.is_new):
        updated = encounters.EncounterUpdated(encounter=change.encounter, changed=change.changed)
        drafts.append(change.draft(updated))
    return drafts, tuple(now)


def _announced(milestone: Milestone, event_id: UUID) -> Announced:
    return Announced(
        key=milestone.key, kind=milestone.kind, event_id=event_id, at=milestone.at, detail=milestone.detail
    )


def _say(change: Change, milestone: Milestone) -> Draft:
    fact = SAID_BY[milestone.kind](encounter=change.encounter, changed=change.changed)
    return change.draft(fact, milestone.at, milestone)


def _amend(change: Change, old: Announced, milestone: Milestone) -> Draft:
    corrected = tuple(sorted({*change.changed, *_CORRECTS.get(milestone.kind, ())}))
    fact = encounters.EncounterUpdated(encounter=change.encounter, amends=old.event_id, changed=corrected)
    return change.draft(fact, milestone.at, milestone)


def _take_back(change: Change, vanished: Sequence[Announced]) -> list[Draft]:
    """One cancel event a milestone, the last first; one for all of them when the stay itself is no more."""
    newest_first = list(reversed(vanished))
    retracted = tuple(old.event_id for old in newest_first)
    match change.state.status:
        case EncounterStatus.ENTERED_IN_ERROR if vanished or "status" in change.changed:
            fact: type[EncounterFact] = encounters.EncounterDeleted
        case EncounterStatus.CANCELLED if vanished:
            kinds = {old.kind for old in vanished}
            whole = next((kind for kind in _WHOLE_STAY if kind in kinds), None)
            # A stay that was only inferred has no opening to cancel; what was said of it is withdrawn all the same.
            fact = TAKEN_BACK_BY[whole] if whole else encounters.AdmissionCancelled
        case _:
            return [
                change.draft(TAKEN_BACK_BY[old.kind](encounter=change.encounter, retracts=(old.event_id,)))
                for old in newest_first
            ]
    return [change.draft(fact(encounter=change.encounter, retracts=retracted, changed=change.changed))]
