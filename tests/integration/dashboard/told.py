"""Events as the services would tell them, for one invented patient at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from shared.events import AnyEvent, Event, Fact, uuid7
from shared.events.encounters import Admitted, Discharged, Encounter, PatientMerged
from shared.events.notifications import Channel, Delivery, NotificationDelivered, NotificationQueued
from shared.events.operations import FeedCounted, SignalKind, SignalRaised, TriggerCount
from shared.events.people import (
    Diagnosis,
    Disposition,
    EncounterClass,
    EncounterStatus,
    Facility,
    Identifier,
    Location,
    PatientSummary,
    PersonName,
)
from shared.events.plans import Activity, CarePlan, Goal, PlanActivated, PlanStatus, TeamMember
from shared.events.transitions import (
    ProtocolReference,
    Task,
    TaskCreated,
    TaskStatus,
    Transition,
    TransitionChanged,
    TransitionOpened,
    TransitionStatus,
)

SEQUENCE = count(1)
NORTH = Facility(code="NORTH", name="North General", time_zone="America/Chicago")
TCM = ProtocolReference(name="tcm", version="1")


def now() -> datetime:
    return datetime.now(UTC)


def told(
    fact: Fact,
    subject: str,
    *,
    source: str,
    correlation: str,
    causation: str,
    time: datetime | None = None,
    **flags: Any,
) -> AnyEvent:
    """The fact as it comes off its topic."""
    return Event(
        id=uuid7(),
        type=fact.TYPE,
        source=source,
        topic=fact.TOPIC.value,
        subject=subject,
        time=time or now(),
        recorded=now(),
        sequence=next(SEQUENCE),
        epoch=1,
        correlation_id=correlation,
        causation_id=causation,
        version=1,
        traceparent=None,
        fact=fact,
        **flags,
    )


@dataclass
class Story:
    """One stay and what follows it. Each method tells the next event; `message` is the HL7 message that caused it."""

    family: str = "Okafor"
    given: str = "Ada"
    facility: Facility = NORTH
    patient_id: str = field(default_factory=lambda: str(uuid7()))
    encounter_id: UUID = field(default_factory=uuid7)
    transition_id: UUID = field(default_factory=uuid7)
    plan_id: UUID = field(default_factory=uuid7)
    message: UUID = field(default_factory=uuid7)
    admitted_at: datetime = field(default_factory=lambda: now() - timedelta(days=4))
    discharged_at: datetime | None = None
    status: TransitionStatus = TransitionStatus.OPEN
    ward: str = "4 West"
    pcp_organisation: str | None = None
    version: int = 0

    @property
    def patient(self) -> PatientSummary:
        return PatientSummary(
            id=self.patient_id,
            name=PersonName(family=self.family, given=self.given),
            birth_date="1948-02-14",
            sex="F",
            phones=("555-0100",),
            identifiers=(Identifier(authority=self.facility.code, value=f"MR{self.patient_id[-6:]}"),),
        )

    @property
    def encounter(self) -> Encounter:
        return Encounter(
            id=self.encounter_id,
            version=self.version,
            feed=self.facility.code.lower(),
            visit=Identifier(authority=self.facility.code, value=f"V{str(self.encounter_id)[-8:]}", type="VN"),
            facility=self.facility,
            status=EncounterStatus.FINISHED if self.discharged_at else EncounterStatus.IN_PROGRESS,
            encounter_class=EncounterClass.INPATIENT,
            patient=self.patient,
            location=Location(point_of_care=self.ward, room="412", bed="B"),
            admitted_at=self.admitted_at,
            discharged_at=self.discharged_at,
            disposition=Disposition(nubc="01", fhir="home") if self.discharged_at else None,
        )

    @property
    def transition(self) -> Transition:
        return Transition(
            id=self.transition_id,
            version=self.version,
            encounter_id=self.encounter_id,
            visit=self.encounter.visit,
            patient=self.patient,
            facility=self.facility,
            encounter_class=EncounterClass.INPATIENT,
            status=self.status,
            admitted_at=self.admitted_at,
            discharged_at=self.discharged_at,
            disposition=self.encounter.disposition,
            diagnoses=(Diagnosis(code="I50.9", text="Heart failure, unspecified"),),
            protocols=(TCM,),
            pcp_organisation=self.pcp_organisation,
        )

    def admitted(self) -> AnyEvent:
        self.version += 1
        return self._say(Admitted(encounter=self.encounter), "intake", self.message, self.admitted_at)

    def discharged(self, at: datetime | None = None) -> AnyEvent:
        self.version += 1
        self.discharged_at = at or now() - timedelta(hours=3)
        return self._say(Discharged(encounter=self.encounter), "intake", self.message, self.discharged_at)

    def opened(self, cause: AnyEvent) -> AnyEvent:
        return self._say(TransitionOpened(transition=self.transition), "transitions", cause.id, cause.time)

    def changed(self, cause: AnyEvent, status: TransitionStatus, reason: str | None = None) -> AnyEvent:
        self.version += 1
        self.status = status
        fact = TransitionChanged(transition=self.transition, reason=reason)
        return self._say(fact, "transitions", cause.id, cause.time)

    def task(
        self,
        cause: AnyEvent,
        title: str,
        due_at: datetime | None,
        kind: type[Any] = TaskCreated,
        **fields: Any,
    ) -> AnyEvent:
        self.version += 1
        task = Task(
            id=fields.pop("id", None) or uuid7(),
            version=self.version,
            code=title.lower().replace(" ", "-"),
            title=title,
            owner_role=fields.pop("owner_role", "care-manager"),
            status=fields.pop("status", TaskStatus.REQUESTED),
            due_at=due_at,
            due_explained=fields.pop("due_explained", "end of the second business day after the discharge"),
            protocol=TCM,
            escalation_level=fields.pop("escalation_level", 0),
            outcome=fields.pop("outcome", None),
        )
        return self._say(kind(transition=self.transition, task=task, **fields), "transitions", cause.id, cause.time)

    def plan(self, cause: AnyEvent) -> AnyEvent:
        plan = CarePlan(
            id=self.plan_id,
            version=1,
            patient=self.patient,
            facility=self.facility,
            transition_id=self.transition_id,
            encounter_id=self.encounter_id,
            status=PlanStatus.ACTIVE,
            template="heart-failure",
            template_version="1",
            needs=("daily weight",),
            goals=(Goal(code="weight", text="Weight within 2 kg of the discharge weight"),),
            activities=(Activity(code="call", title="Call within two business days"),),
            team=(TeamMember(role="PCP", name="Dr Lin", organisation="lakeside"),),
        )
        return self._say(PlanActivated(plan=plan), "careplan", cause.id, cause.time)

    def notice(self, cause: AnyEvent, organisation: str = "lakeside", delivery_id: UUID | None = None) -> AnyEvent:
        fact = NotificationQueued(delivery=self.delivery(cause, organisation, delivery_id or uuid7()))
        return self._say(fact, "notifications", cause.id)

    def noticed(self, queued: AnyEvent) -> AnyEvent:
        assert isinstance(queued.fact, NotificationQueued)
        sent = queued.fact.delivery.model_copy(update={"version": 2, "status": "delivered", "attempts": 1, "at": now()})
        return self._say(NotificationDelivered(delivery=sent), "notifications", queued.id)

    def delivery(self, cause: AnyEvent, organisation: str, delivery_id: UUID) -> Delivery:
        return Delivery(
            id=delivery_id,
            version=1,
            patient_id=self.patient_id,
            organisation=organisation,
            endpoint_id=uuid7(),
            channel=Channel.WEBHOOK,
            event_id=cause.id,
            event_type=cause.type,
            encounter_id=self.encounter_id,
            bases=("pcp",),
            status="queued",
            at=now(),
        )

    def merged_into(self, survivor: PatientSummary, message: UUID) -> list[AnyEvent]:
        """A40: said on both keys, the retired one's first."""
        fact = PatientMerged(patient=survivor, retired=self.patient_id, survivor=survivor.id)
        return [
            told(fact, key, source="intake", correlation=str(self.encounter_id), causation=str(message))
            for key in (self.patient_id, survivor.id)
        ]

    def _say(self, fact: Fact, source: str, cause: UUID, time: datetime | None = None) -> AnyEvent:
        return told(
            fact, self.patient_id, source=source, correlation=str(self.encounter_id), causation=str(cause), time=time
        )


def minute(feed: str, at: datetime, total: int, refused: int = 0) -> AnyEvent:
    """What intake counted for a feed in one minute."""
    counts: Sequence[TriggerCount] = (
        TriggerCount(trigger="A03", outcome="applied", count=total - refused),
        TriggerCount(trigger="A08", outcome="held", count=refused),
    )
    fact = FeedCounted(feed=feed, facility="NORTH", minute=at, total=total, counts=tuple(counts), last_received_at=at)
    return told(fact, feed, source="intake", correlation=feed, causation=feed)


def silence(feed: str, facility: str | None = None) -> AnyEvent:
    fact = SignalRaised(
        signal_id=uuid7(),
        kind=SignalKind.SILENT_FEED,
        scope=f"feed:{feed}",
        since=now() - timedelta(minutes=47),
        value=0,
        usual=12,
        text="quiet for 47 minutes; usually 12 messages in this time",
        facility=facility,
    )
    return told(fact, feed, source="transitions", correlation=feed, causation=feed)
