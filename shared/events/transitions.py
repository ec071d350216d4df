"""care.transitions.v1: transitions of care and the tasks that make them safe."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from typing_extensions import override

from shared.events.fact import Fact, Part, Topic
from shared.events.people import (
    Diagnosis,
    Disposition,
    EncounterClass,
    Facility,
    Identifier,
    Participant,
    PatientSummary,
    Practitioner,
)


class TransitionStatus(StrEnum):
    """`open`: the stay goes on; `following`: discharged, tasks run; `on-hold`: the discharge was taken back."""

    OPEN = "open"
    FOLLOWING = "following"
    ON_HOLD = "on-hold"
    CLOSED = "closed"
    REVOKED = "revoked"


class TaskStatus(StrEnum):
    """FHIR Task.status, as far as used."""

    REQUESTED = "requested"
    ACCEPTED = "accepted"
    ON_HOLD = "on-hold"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Closure(StrEnum):
    """How an obligation ended. `late`: the deed came after its due time, or never within its window."""

    MET = "met"
    LATE = "late"
    WAIVED = "waived"
    NOT_OWED = "not-owed"


class ProtocolReference(Part):
    """Which version of which protocol a transition runs under; a newer version never rewrites it."""

    name: str
    version: str


class Risk(Part):
    """The score that orders worklists, in short. `priority` 1 comes first; `provisional`: it may still change."""

    score: str
    points: int
    band: str
    priority: int
    provisional: bool


class RiskScore(Part):
    """One score as it was computed. `points` count what is known; with what is `missing` it lies between `lowest` and
    `highest`. `expected` is the published share, in percent, of those who returned (or died); `parts` are its points.
    """

    name: str
    version: str
    points: int
    lowest: int
    highest: int
    band: str
    expected: Decimal | None = None
    provisional: bool
    missing: tuple[str, ...] = ()
    parts: Mapping[str, int] = {}


class Transition(Part):
    """`risk` steers what is looked at first; nothing that must be told depends on it. `admission_type` is of HL7 table
    0007 (PV1-4). `episode_id` is the stay that this one continues (a direct transfer is one episode of care); None
    where none does. `returned_from` is the stay after which the patient came back within 72 hours.
    """

    id: UUID
    version: int
    encounter_id: UUID
    visit: Identifier
    patient: PatientSummary
    facility: Facility
    encounter_class: EncounterClass
    status: TransitionStatus
    admitted_at: datetime | None = None
    discharged_at: datetime | None = None
    expected_discharge_at: datetime | None = None
    hospital_service: str | None = None
    disposition: Disposition | None = None
    diagnoses: tuple[Diagnosis, ...] = ()
    participants: tuple[Participant, ...] = ()
    pcp: Practitioner | None = None
    pcp_organisation: str | None = None
    discharged_to: str | None = None
    protocols: tuple[ProtocolReference, ...] = ()
    historical: bool = False
    admission_type: str | None = None
    risk: Risk | None = None
    episode_id: UUID | None = None
    returned_from: UUID | None = None
    returned_after_hours: int | None = None


class TransitionFact(Fact):
    TOPIC: ClassVar[Topic] = Topic.TRANSITIONS
    transition: Transition
    reason: str | None = None


class TransitionOpened(TransitionFact):
    TYPE = "care.transition.opened.v1"


class TransitionChanged(TransitionFact):
    """The status or what the transition knows changed (discharged, put on hold, resumed, re-keyed, corrected)."""

    TYPE = "care.transition.changed.v1"


class TransitionClosed(TransitionFact):
    TYPE = "care.transition.closed.v1"


class TransitionRevoked(TransitionFact):
    TYPE = "care.transition.revoked.v1"


class TransitionSnapshot(TransitionFact):
    TYPE = "care.transition.snapshot.v1"
    tasks: tuple["Task", ...] = ()


class ReadmissionDetected(TransitionFact):
    """An unplanned inpatient return within 30 days of the earlier discharge."""

    TYPE = "care.transition.readmission-detected.v1"
    earlier_encounter_id: UUID
    days: int


class ReadmissionWithdrawn(TransitionFact):
    """What was told as a readmission after that earlier stay is none: the stay was corrected, moved or cancelled."""

    TYPE = "care.transition.readmission-withdrawn.v1"
    earlier_encounter_id: UUID
    earlier_transition_id: UUID


class QuickReturnDetected(TransitionFact):
    """The patient came back, to whatever hospital, within 72 hours of leaving. `hours` are whole ones. What is no
    return after all (a correction) is told by the transition, whose `returned_from` is empty then.
    """

    TYPE = "care.transition.quick-return-detected.v1"
    earlier_encounter_id: UUID
    hours: int


class RiskScored(TransitionFact):
    """The scores of the stay changed, with the `inputs` they were computed from (as text where they are numbers with a
    fraction). Said only when a score changed; an input that changes none is kept, not said.
    """

    TYPE = "care.transition.risk-scored.v1"
    scores: tuple[RiskScore, ...]
    inputs: Mapping[str, str | int | bool | tuple[str, ...] | None] = {}


class Task(Part):
    """One obligation of a transition. `due_at` is None while what anchors it has not happened.

    `due_explained` says in words how the due time was counted (rule, days, holidays left out). `closure` is how it
    ended: met, late, waived, or not-owed where the obligation itself went away; `done_at` is when the deed was done
    and `settled_by` the person who said so. `tell_from`: the anchor was heard of late, so that nobody is told before.
    `owed_until` is the end of the window in which a deed still counts. `rests_until`: snoozed or acknowledged, the
    ladder goes on then. `asked_at`: it was opened for something that happened then, not for the stay. `asked_of`: it is
    done by what this organisation (of the roster) does; the owner sees to it.
    """

    id: UUID
    version: int
    code: str
    title: str
    owner_role: str
    owner: str | None = None
    status: TaskStatus
    due_at: datetime | None = None
    due_explained: str | None = None
    protocol: ProtocolReference
    escalation_level: int = 0
    evidence_event_id: UUID | None = None
    outcome: str | None = None
    closure: Closure | None = None
    done_at: datetime | None = None
    settled_by: str | None = None
    tell_from: datetime | None = None
    owed_until: datetime | None = None
    rests_until: datetime | None = None
    acknowledged_by: str | None = None
    asked_at: datetime | None = None
    asked_of: str | None = None


class TaskFact(Fact):
    TOPIC: ClassVar[Topic] = Topic.TRANSITIONS
    transition: Transition
    task: Task
    reason: str | None = None


class TaskCreated(TaskFact):
    TYPE = "care.task.created.v1"


class TaskChanged(TaskFact):
    """Due time moved, put on hold or resumed."""

    TYPE = "care.task.changed.v1"


class TaskClaimed(TaskFact):
    TYPE = "care.task.claimed.v1"


class TaskCompleted(TaskFact):
    TYPE = "care.task.completed.v1"


class TaskOverdue(TaskFact):
    TYPE = "care.task.overdue.v1"


class TaskEscalated(TaskFact):
    """The ladder's `level` was reached; `to_role` must now be told."""

    TYPE = "care.task.escalated.v1"
    level: int
    to_role: str


class TaskCancelled(TaskFact):
    TYPE = "care.task.cancelled.v1"


class TransitionsPatientMerged(Fact):
    """The transitions of `retired` stand under `survivor` now."""

    TYPE = "care.transition.patient-merged.v1"
    TOPIC: ClassVar[Topic] = Topic.TRANSITIONS
    retired: str
    survivor: str

    @override
    def concerns(self) -> tuple[str, ...]:
        return (self.retired, self.survivor)


TRANSITION_FACTS: tuple[type[Fact], ...] = (
    TransitionOpened,
    TransitionChanged,
    TransitionClosed,
    TransitionRevoked,
    TransitionSnapshot,
    ReadmissionDetected,
    ReadmissionWithdrawn,
    QuickReturnDetected,
    RiskScored,
    TaskCreated,
    TaskChanged,
    TaskClaimed,
    TaskCompleted,
    TaskOverdue,
    TaskEscalated,
    TaskCancelled,
    TransitionsPatientMerged,
)
