"""A stay as intake would tell it: each verb gives the next event, carrying the whole encounter as it then stands."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import services.transitions
from services.transitions.announcement import Cause
from services.transitions.cases import Cases
from services.transitions.evidence import evidence_in
from services.transitions.followed import Followed, PatientCase
from services.transitions.protocols import Library, read_protocols
from services.transitions.task import Obligation
from services.transitions.tracking import is_of_encounter
from services.transitions.transition import hear, hear_patient
from shared.events import AnyEvent, Draft, Event, Fact
from shared.events.encounters import (
    AdmissionCancelled,
    Admitted,
    Arrived,
    ClassChanged,
    DischargeCancelled,
    Discharged,
    Encounter,
    EncounterDeleted,
    EncounterFact,
    EncounterUpdated,
    PatientUpdated,
    Preadmitted,
    Transferred,
)
from shared.events.followups import (
    AppointmentAttended,
    ContactAttempted,
    ContactMade,
    FollowUpFact,
    HandoffReceived,
    MedicationReconciled,
    ObservationRecorded,
    TaughtBack,
)
from shared.events.notifications import (
    Acknowledgement,
    AcknowledgementAsked,
    Delivery,
    NotificationAcknowledged,
    NotificationDelivered,
    NotificationFact,
    NotificationQueued,
)
from shared.events.people import (
    Diagnosis,
    Disposition,
    EncounterClass,
    EncounterStatus,
    Facility,
    Identifier,
    PatientSummary,
    PersonName,
)
from shared.events.referrals import ReferralAttended

PROTOCOLS = Path(services.transitions.__file__).parent / "protocols"
CHICAGO = Facility(code="LAKE", time_zone="America/Chicago", state="IL")
NEW_YORK = Facility(code="HUDSON", time_zone="America/New_York", state="NY")


@lru_cache
def library(*, demo: bool = False) -> Library:
    return Library(read_protocols(PROTOCOLS, demo=demo))


def at(text: str) -> datetime:
    """`2026-03-06 15:00-06:00` as an instant; UTC where no offset is given."""
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def event_of(fact: Fact, patient: str, time: datetime, *, recorded: datetime | None = None, **more: Any) -> AnyEvent:
    return Event(
        id=uuid4(),
        type=fact.TYPE,
        source=more.pop("source", "intake"),
        topic=fact.TOPIC.value,
        subject=patient,
        time=time,
        recorded=recorded or time,
        sequence=1,
        epoch=1,
        correlation_id="stay",
        causation_id="message",
        version=1,
        traceparent=None,
        fact=fact,
        **more,
    )


@dataclass
class StayTold:
    """One stay of one patient; times are instants, versions rise with each verb."""

    patient: str = "p1"
    facility: Facility = CHICAGO
    encounter_class: EncounterClass = EncounterClass.INPATIENT
    diagnoses: tuple[str, ...] = ()
    id: UUID = field(default_factory=uuid4)
    version: int = 0
    state: dict[str, Any] = field(default_factory=dict)

    def tell(self, fact: type[EncounterFact], time: str, *, recorded: str | None = None, **changed: Any) -> AnyEvent:
        """The event of this type, after the encounter was changed so."""
        flags = {name: changed.pop(name) for name in ("late", "historical") if name in changed}
        self.state |= {"encounter_class": self.encounter_class, "status": EncounterStatus.IN_PROGRESS} | changed
        self.version += 1
        patient = self.state.get("patient", PatientSummary(id=self.patient, name=PersonName(family="Rivera")))
        encounter = Encounter(
            **{
                "id": self.id,
                "version": self.version,
                "feed": "lake",
                "visit": Identifier(authority=self.facility.code, value="V1", type="VN"),
                "facility": self.facility,
                "diagnoses": tuple(Diagnosis(code=code) for code in self.diagnoses),
                **self.state,
                "patient": patient,
            }
        )
        heard = at(recorded) if recorded else None
        return event_of(fact(encounter=encounter), self.patient, at(time), recorded=heard, **flags)

    def admit(self, time: str, fact: type[EncounterFact] = Admitted, **more: Any) -> AnyEvent:
        return self.tell(fact, time, admitted_at=at(time), **more)

    def arrive(self, time: str) -> AnyEvent:
        return self.tell(Arrived, time, admitted_at=at(time), status=EncounterStatus.ARRIVED)

    def preadmit(self, time: str) -> AnyEvent:
        return self.tell(Preadmitted, time, status=EncounterStatus.PLANNED)

    def transfer(self, time: str) -> AnyEvent:
        return self.tell(Transferred, time)

    def change_class(self, time: str, to: EncounterClass) -> AnyEvent:
        self.encounter_class = to
        return self.tell(ClassChanged, time)

    def discharge(self, time: str, nubc: str | None = "01", **more: Any) -> AnyEvent:
        gone: dict[str, Any] = {
            "discharged_at": at(time),
            "disposition": Disposition(nubc=nubc),
            "status": EncounterStatus.FINISHED,
        }
        return self.tell(Discharged, time, **(gone | more))

    def correct(self, time: str, **changed: Any) -> AnyEvent:
        return self.tell(EncounterUpdated, time, **({"status": self.state["status"]} | changed))

    def take_back_discharge(self, time: str) -> AnyEvent:
        return self.tell(DischargeCancelled, time, discharged_at=None, disposition=None)

    def cancel(self, time: str) -> AnyEvent:
        return self.tell(AdmissionCancelled, time, status=EncounterStatus.CANCELLED)

    def delete(self, time: str) -> AnyEvent:
        return self.tell(EncounterDeleted, time, status=EncounterStatus.ENTERED_IN_ERROR)

    def summary(self, **changed: Any) -> PatientSummary:
        return PatientSummary(id=self.patient, name=PersonName(family="Rivera"), **changed)


def updated(patient: PatientSummary, time: str) -> AnyEvent:
    return event_of(PatientUpdated(patient=patient), patient.id, at(time))


def follow_up(fact: type[FollowUpFact], time: str, patient: str = "p1", **more: Any) -> AnyEvent:
    said = fact(**{"followup_id": uuid4(), "patient": PatientSummary(id=patient)} | more)
    return event_of(said, patient, at(time))


def contact(time: str, **more: Any) -> AnyEvent:
    return follow_up(ContactMade, time, **more)


def attempt(time: str, **more: Any) -> AnyEvent:
    return follow_up(ContactAttempted, time, **more)


def reconciled(time: str, **more: Any) -> AnyEvent:
    return follow_up(MedicationReconciled, time, **more)


def synthesis(time: str, **more: Any) -> AnyEvent:
    said = {"received_by": "night nurse", "synthesis": "heard it all", "organisation": "oak"} | more
    return follow_up(HandoffReceived, time, **said)


def taught_back(time: str, topic: str = "weights", result: str = "understood", **more: Any) -> AnyEvent:
    return follow_up(TaughtBack, time, subject_matter=topic, result=result, **more)


def measured(time: str, code: str = "2823-3", **more: Any) -> AnyEvent:
    return follow_up(ObservationRecorded, time, code=code, **more)


def attended(time: str, **more: Any) -> AnyEvent:
    return follow_up(
        AppointmentAttended, time, appointment=Identifier(authority="PCP", value="A1"), starts_at=at(time), **more
    )


def referral_attended(time: str, patient: str = "p1") -> AnyEvent:
    fact = ReferralAttended(referral_id=uuid4(), version=1, patient=PatientSummary(id=patient), status="attended")
    return event_of(fact, patient, at(time))


def delivered(
    notice_of: AnyEvent, time: str, fact: type[NotificationFact] = NotificationDelivered, **more: Any
) -> AnyEvent:
    told = Delivery(
        id=uuid4(),
        version=1,
        patient_id=notice_of.subject,
        organisation="oak",
        event_id=notice_of.id,
        event_type=notice_of.type,
        status="delivered",
        at=at(time),
        **more,
    )
    return event_of(fact(delivery=told), notice_of.subject, at(time), source="notifications")


def acknowledged(notice_of: AnyEvent, time: str) -> AnyEvent:
    return delivered(notice_of, time, NotificationAcknowledged)


def must_acknowledge(
    notice_of: AnyEvent,
    time: str,
    fact: type[NotificationFact] = NotificationQueued,
    priority: Acknowledgement = Acknowledgement.URGENT,
    organisation: str = "oak",
    asked_at: str | None = None,
) -> AnyEvent:
    """What is said of a delivery that must be acknowledged; `asked_at` is when it was decided, else just now."""
    told = Delivery(
        id=uuid4(),
        version=1,
        patient_id=notice_of.subject,
        organisation=organisation,
        event_id=notice_of.id,
        event_type=notice_of.type,
        encounter_id=notice_of.fact.encounter.id if isinstance(notice_of.fact, EncounterFact) else None,
        status="queued",
        at=at(time),
        acknowledgement=AcknowledgementAsked(priority=priority, asked_at=at(asked_at or time)),
    )
    return event_of(fact(delivery=told), notice_of.subject, at(time), source="notifications")


def taking_back(event: AnyEvent, *taken: AnyEvent) -> AnyEvent:
    """The event, naming the earlier ones that do not hold by it."""
    assert isinstance(event.fact, EncounterFact)
    return replace(event, fact=event.fact.model_copy(update={"retracts": tuple(one.id for one in taken)}))


class Ward:
    """Follows patients in memory with the same rules as the service, event by event."""

    def __init__(self, protocols: Library | None = None) -> None:
        self.library = protocols or library()
        self.cases: dict[str, PatientCase] = {}
        self.said: list[Draft] = []

    def hear(self, *events: AnyEvent) -> "Ward":
        for event in events:
            self._hear(event)
        return self

    def _hear(self, event: AnyEvent) -> None:
        book = Cases(self.library, {event.subject: self.cases.get(event.subject, PatientCase(event.subject))})
        case = book.of(event.subject)
        cause = Cause.of(event)
        found = evidence_in(event, event.subject) if self.library.waits_for(event.fact) else None
        if found is not None:
            case = book.add_evidence(found)
        if is_of_encounter(event):
            before = case.followed.get(event.fact.encounter.id)
            after = hear(before, event, event.subject, self.library.edition)
            if after is not None and after is not before:
                told = replace(case, followed={**case.followed, event.fact.encounter.id: after})
                book.put(hear_patient(told, event.fact.encounter.patient), cause)
            elif found is not None:
                book.put(case, cause)
        elif isinstance(event.fact, PatientUpdated):
            book.put(hear_patient(case, event.fact.patient), cause)
        elif found is not None:
            book.put(case, cause)
        self.cases[event.subject] = book.of(event.subject)
        self.said += book.drafts

    def of(self, stay: StayTold) -> Followed:
        return self.cases[stay.patient].followed[stay.id]

    def task(self, stay: StayTold, code: str) -> Obligation:
        """The newest task of this code."""
        return max((o for o in self.of(stay).tasks if o.task.code == code), key=lambda o: o.number)

    def said_types(self) -> list[str]:
        return [draft.fact.TYPE.removeprefix("care.").removesuffix(".v1") for draft in self.said]


def standing_of(followed: Followed) -> tuple[Any, ...]:
    """What must be equal however it was reached: status and obligations, without ids and versions."""
    return (
        followed.transition.status,
        followed.transition.historical,
        followed.readmission,
        sorted((o.task.code, o.task.status, o.task.due_at) for o in followed.tasks if o.is_live),
        sorted({o.task.code for o in followed.tasks if o.task.status == "completed"}),
    )


def codes(obligations: Iterable[Obligation]) -> set[str]:
    return {o.task.code for o in obligations}
