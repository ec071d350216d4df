"""Says what intake and transitions would say of made-up stays."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from services.notifications.directory import Directory, Endpoint, Membership
from shared.events import AnyEvent, Event, Fact, Topic, uuid7
from shared.events.encounters import Admitted, Discharged, Encounter, EncounterFact, PatientMerged
from shared.events.notifications import Channel
from shared.events.people import (
    Diagnosis,
    Disposition,
    EncounterClass,
    EncounterStatus,
    Facility,
    Identifier,
    Location,
    Participant,
    PatientSummary,
    PersonName,
    Practitioner,
)
from shared.events.transitions import (
    ProtocolReference,
    Task,
    TaskEscalated,
    TaskFact,
    TaskOverdue,
    TaskStatus,
    Transition,
    TransitionStatus,
)

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
ATTENDING_NPI, PCP_NPI = "1000994925", "1000000004"
GENERAL = Facility(code="GENHOSP", name="General Hospital", time_zone="America/Chicago")


def practitioner(npi: str, family: str) -> Practitioner:
    return Practitioner(npi=npi, name=PersonName(family=family, given="Ana"))


def patient(patient_id: str = "p1", *, deceased: bool = False) -> PatientSummary:
    return PatientSummary(
        id=patient_id,
        name=PersonName(family="Canary", given="Yellow"),
        birth_date="1948-02-14",
        identifiers=(Identifier(authority="GENHOSP", value=f"MRN-{patient_id}"),),
        deceased=deceased,
    )


class Stay:
    """One stay; each call of `says` makes the next event of the patient's stream, a minute after the one before."""

    def __init__(self, patient_id: str = "p1", *, pcp: str | None = PCP_NPI, discharged_to: str | None = None) -> None:
        self.id = uuid7()
        self.patient_id = patient_id
        self._pcp = practitioner(pcp, "Primary") if pcp else None
        self._discharged_to = discharged_to
        self._version = count(1)

    def encounter(self, **changed: object) -> Encounter:
        said: dict[str, Any] = {
            "id": self.id,
            "version": next(self._version),
            "feed": "general-hospital",
            "visit": Identifier(authority="GENHOSP", value="V1", type="VN"),
            "facility": GENERAL,
            "status": EncounterStatus.IN_PROGRESS,
            "encounter_class": EncounterClass.INPATIENT,
            "patient": patient(self.patient_id),
            "location": Location(point_of_care="4W", room="12", bed="1", facility="GENHOSP"),
            "admitted_at": NOW - timedelta(days=3),
            "participants": (Participant(role="ATND", practitioner=practitioner(ATTENDING_NPI, "Attending")),),
            "pcp": self._pcp,
            "discharged_to": self._discharged_to,
            "diagnoses": (Diagnosis(code="I50.9", text="Heart failure"),),
        }
        return Encounter.model_validate({**said, **changed})

    def says(
        self,
        kind: type[EncounterFact],
        *,
        retracts: tuple[UUID, ...] = (),
        amends: UUID | None = None,
        changed: tuple[str, ...] = (),
        flags: dict[str, Any] | None = None,
        extra: dict[str, Any] | None = None,
        **encounter: Any,
    ) -> AnyEvent:
        stay = self.encounter(**encounter)
        fact = kind(encounter=stay, retracts=retracts, amends=amends, changed=changed, **(extra or {}))
        return event(fact, stay.patient.id, str(self.id), stay.version, **(flags or {}))

    def admitted(self, **more: Any) -> AnyEvent:
        return self.says(Admitted, **more)

    def discharged(self, **more: Any) -> AnyEvent:
        said = {
            "status": EncounterStatus.FINISHED,
            "discharged_at": NOW,
            "disposition": Disposition(nubc="01", fhir="home"),
        }
        return self.says(Discharged, **{**said, **more})

    def task(self, kind: type[TaskFact] = TaskOverdue, *, deceased: bool = False) -> AnyEvent:
        transition = Transition(
            id=uuid7(),
            version=1,
            encounter_id=self.id,
            visit=Identifier(authority="GENHOSP", value="V1", type="VN"),
            patient=patient(self.patient_id, deceased=deceased),
            facility=GENERAL,
            encounter_class=EncounterClass.INPATIENT,
            status=TransitionStatus.FOLLOWING,
            pcp=self._pcp,
        )
        task = Task(
            id=uuid7(),
            version=1,
            code="contact",
            title="Call the patient",
            owner_role="care-manager",
            status=TaskStatus.REQUESTED,
            protocol=ProtocolReference(name="tcm", version="1"),
        )
        more: dict[str, Any] = {"level": 1, "to_role": "lead"} if kind is TaskEscalated else {}
        fact = kind(transition=transition, task=task, **more)
        return event(fact, self.patient_id, str(transition.id), 1, topic=Topic.TRANSITIONS)


def event(
    fact: Fact, subject: str, correlation: str, sequence: int, topic: Topic = Topic.ENCOUNTERS, **flags: Any
) -> AnyEvent:
    return Event(
        id=uuid7(),
        type=fact.TYPE,
        source="intake" if topic is Topic.ENCOUNTERS else "transitions",
        topic=topic.value,
        subject=subject,
        time=NOW + timedelta(minutes=sequence),
        recorded=NOW,
        sequence=sequence,
        epoch=1,
        correlation_id=correlation,
        causation_id="message",
        version=sequence,
        traceparent=None,
        fact=fact,
        **flags,
    )


def merged(retired: str, survivor: str, on: str) -> AnyEvent:
    return event(PatientMerged(patient=patient(survivor), retired=retired, survivor=survivor), on, on, 90)


def endpoint(organisation: str, **more: Any) -> Endpoint:
    return Endpoint(**{"id": uuid7(), "organisation": organisation, "channel": Channel.WEBHOOK, **more})


def directory(*endpoints: Endpoint, **memberships: dict[str, tuple[Membership, ...]]) -> Directory:
    """Without memberships: the attending's group, primary care, a nursing home, and an exchange that hears all."""
    known: dict[str, Any] = {
        "practitioners": {ATTENDING_NPI: (Membership("hospitalists"),), PCP_NPI: (Membership("primary"),)},
        "codes": {"WILLOW": (Membership("nursing"),)},
        "subscriptions": {"*": (Membership("exchange"),)},
        **memberships,
    }
    by_organisation: dict[str, tuple[Endpoint, ...]] = {}
    for one in endpoints:
        by_organisation[one.organisation] = (*by_organisation.get(one.organisation, ()), one)
    return Directory(**known, endpoints=by_organisation)
