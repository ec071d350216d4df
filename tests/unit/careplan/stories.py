"""Says what transitions would say: transitions, tasks and events of made-up patients."""

from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import NAMESPACE_DNS, UUID, uuid5

from shared.events import AnyEvent, Event, Fact, Topic, uuid7
from shared.events.people import (
    Diagnosis,
    Disposition,
    EncounterClass,
    Facility,
    Identifier,
    Participant,
    PatientSummary,
    PersonName,
    Practitioner,
)
from shared.events.transitions import (
    ProtocolReference,
    ReadmissionDetected,
    ReadmissionWithdrawn,
    Task,
    TaskChanged,
    TaskCompleted,
    TaskCreated,
    TaskFact,
    TaskStatus,
    Transition,
    TransitionChanged,
    TransitionClosed,
    TransitionFact,
    TransitionOpened,
    TransitionRevoked,
    TransitionsPatientMerged,
    TransitionStatus,
)

ADMITTED = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
FACT_OF: dict[TransitionStatus, type[TransitionFact]] = {
    TransitionStatus.OPEN: TransitionOpened,
    TransitionStatus.CLOSED: TransitionClosed,
    TransitionStatus.REVOKED: TransitionRevoked,
}


def named(name: str) -> UUID:
    return uuid5(NAMESPACE_DNS, name)


class Stay:
    """One transition as transitions would tell it; each call makes the next event of the patient's stream."""

    def __init__(
        self, name: str = "stay", patient: str = "p1", disposition: str = "01", diagnoses: tuple[str, ...] = ()
    ) -> None:
        self.patient = patient
        self.name = name
        self.disposition = disposition
        self.diagnoses = diagnoses
        self._version = count(1)
        self._sequence = count(1)
        self._tasks: dict[str, int] = {}
        self.status = TransitionStatus.OPEN
        self.historical = False
        self.deceased = False

    @property
    def transition_id(self) -> UUID:
        return named(f"{self.name}-transition")

    @property
    def encounter_id(self) -> UUID:
        return named(f"{self.name}-encounter")

    def transition(self, version: int) -> Transition:
        discharged = self.status is not TransitionStatus.OPEN
        return Transition(
            id=self.transition_id,
            version=version,
            encounter_id=self.encounter_id,
            visit=Identifier(authority="H", value=f"V-{self.name}", type="VN"),
            patient=PatientSummary(
                id=self.patient, name=PersonName(family="Moss", given="Ada"), deceased=self.deceased
            ),
            facility=Facility(code="NORTH", time_zone="America/New_York"),
            encounter_class=EncounterClass.INPATIENT,
            status=self.status,
            admitted_at=ADMITTED,
            discharged_at=ADMITTED + timedelta(days=4) if discharged else None,
            disposition=Disposition(nubc=self.disposition) if discharged else None,
            diagnoses=tuple(Diagnosis(code=code) for code in self.diagnoses),
            participants=(
                Participant(role="ATND", practitioner=Practitioner(npi="1", name=PersonName(family="Okoye"))),
            ),
            historical=self.historical,
        )

    def becomes(self, status: TransitionStatus, reason: str | None = None) -> AnyEvent:
        self.status = status
        fact = FACT_OF.get(status, TransitionChanged)
        return self._event(fact(transition=self.transition(next(self._version)), reason=reason))

    def opened(self) -> AnyEvent:
        return self.becomes(TransitionStatus.OPEN)

    def discharged(self) -> AnyEvent:
        return self.becomes(TransitionStatus.FOLLOWING)

    def task(self, code: str, status: TaskStatus = TaskStatus.REQUESTED) -> AnyEvent:
        version = self._tasks[code] = self._tasks.get(code, 0) + 1
        task = Task(
            id=named(f"{self.name}-{code}"),
            version=version,
            code=code,
            title=f"Task {code}",
            owner_role="care-manager",
            status=status,
            protocol=ProtocolReference(name="tcm", version="1"),
        )
        kinds: dict[TaskStatus, type[TaskFact]] = {
            TaskStatus.REQUESTED: TaskCreated if version == 1 else TaskChanged,
            TaskStatus.COMPLETED: TaskCompleted,
        }
        kind = kinds.get(status, TaskChanged)
        return self._event(kind(transition=self.transition(next(self._version)), task=task))

    def readmission_of(self, earlier: "Stay") -> AnyEvent:
        fact = ReadmissionDetected(
            transition=self.transition(next(self._version)), earlier_encounter_id=earlier.encounter_id, days=9
        )
        return self._event(fact)

    def no_readmission_of(self, earlier: "Stay") -> AnyEvent:
        transition = self.transition(next(self._version))
        fact = ReadmissionWithdrawn(
            transition=transition,
            earlier_encounter_id=earlier.encounter_id,
            earlier_transition_id=earlier.transition_id,
        )
        return self._event(fact)

    def merged(self, retired: str, survivor: str, subject: str) -> AnyEvent:
        return self._event(TransitionsPatientMerged(retired=retired, survivor=survivor), subject)

    def _event(self, fact: Fact, subject: str | None = None) -> AnyEvent:
        sequence = next(self._sequence)
        return Event(
            id=uuid7(),
            type=fact.TYPE,
            source="transitions",
            topic=Topic.TRANSITIONS.value,
            subject=subject or self.patient,
            time=ADMITTED + timedelta(hours=sequence),
            recorded=ADMITTED + timedelta(hours=sequence),
            sequence=sequence,
            epoch=1,
            correlation_id=str(self.transition_id),
            causation_id="cause",
            version=1,
            traceparent=None,
            fact=fact,
        )
