"""care.plans.v1: care plans. A plan's activity carries a task id and no due time: every clock is in transitions."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from typing_extensions import override

from shared.events.fact import Fact, Part, Topic
from shared.events.people import Diagnosis, Facility, PatientSummary


class PlanStatus(StrEnum):
    """FHIR R4 CarePlan.status, as far as used."""

    DRAFT = "draft"
    ACTIVE = "active"
    ON_HOLD = "on-hold"
    REVOKED = "revoked"
    COMPLETED = "completed"


class Goal(Part):
    code: str
    text: str
    status: str = "active"


class Activity(Part):
    """What is to be done; `task_id` is the task in transitions that has its clock."""

    code: str
    title: str
    status: str = "scheduled"
    task_id: UUID | None = None


class TeamMember(Part):
    role: str
    name: str | None = None
    npi: str | None = None
    organisation: str | None = None


class CarePlan(Part):
    id: UUID
    version: int
    patient: PatientSummary
    facility: Facility
    transition_id: UUID
    encounter_id: UUID
    status: PlanStatus
    template: str
    template_version: str
    needs: tuple[str, ...] = ()
    addresses: tuple[Diagnosis, ...] = ()
    goals: tuple[Goal, ...] = ()
    activities: tuple[Activity, ...] = ()
    team: tuple[TeamMember, ...] = ()
    replaces: UUID | None = None


class PlanFact(Fact):
    TOPIC: ClassVar[Topic] = Topic.PLANS
    plan: CarePlan
    reason: str | None = None


class PlanActivated(PlanFact):
    TYPE = "care.plan.activated.v1"


class PlanRevised(PlanFact):
    TYPE = "care.plan.revised.v1"


class PlanCompleted(PlanFact):
    TYPE = "care.plan.completed.v1"


class PlanRevoked(PlanFact):
    TYPE = "care.plan.revoked.v1"


class PlanSnapshot(PlanFact):
    TYPE = "care.plan.snapshot.v1"


class PlansPatientMerged(Fact):
    """The plans of `retired` stand under `survivor` now."""

    TYPE = "care.plan.patient-merged.v1"
    TOPIC: ClassVar[Topic] = Topic.PLANS
    retired: str
    survivor: str

    @override
    def concerns(self) -> tuple[str, ...]:
        return (self.retired, self.survivor)


PLAN_FACTS: tuple[type[Fact], ...] = (
    PlanActivated,
    PlanRevised,
    PlanCompleted,
    PlanRevoked,
    PlanSnapshot,
    PlansPatientMerged,
)
