"""care.encounters.v1: who is where. Every fact carries the whole encounter as it stands after the event."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from typing_extensions import override

from shared.events.fact import Fact, Part, Topic
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
    Practitioner,
)


class Encounter(Part):
    """One stay or visit. Instants are UTC; `admitted_at` is the start of the stay as the source says it (PV1-44).

    `expected_admission_at` (PV2-8) is told while the stay is planned, `expected_return_at` (PV2-47) during a leave.
    """

    id: UUID
    version: int
    feed: str
    visit: Identifier
    account: Identifier | None = None
    facility: Facility
    status: EncounterStatus
    encounter_class: EncounterClass
    patient: PatientSummary
    location: Location | None = None
    prior_location: Location | None = None
    admitted_at: datetime | None = None
    discharged_at: datetime | None = None
    expected_admission_at: datetime | None = None
    expected_discharge_at: datetime | None = None
    expected_return_at: datetime | None = None
    disposition: Disposition | None = None
    discharged_to: str | None = None
    admission_type: str | None = None
    admit_source: str | None = None
    hospital_service: str | None = None
    readmission_indicator: str | None = None
    participants: tuple[Participant, ...] = ()
    pcp: Practitioner | None = None
    pcp_organisation: str | None = None
    diagnoses: tuple[Diagnosis, ...] = ()


class EncounterFact(Fact):
    """Common to all encounter events. `retracts` / `amends` name earlier events by id: to whom they went is known."""

    TOPIC: ClassVar[Topic] = Topic.ENCOUNTERS
    encounter: Encounter
    retracts: tuple[UUID, ...] = ()
    amends: UUID | None = None
    changed: tuple[str, ...] = ()


class Preadmitted(EncounterFact):
    TYPE = "care.encounter.preadmitted.v1"


class Arrived(EncounterFact):
    """An ED arrival or an outpatient registration (A04): `encounter.encounter_class` tells which."""

    TYPE = "care.encounter.arrived.v1"


class Admitted(EncounterFact):
    TYPE = "care.encounter.admitted.v1"


class Transferred(EncounterFact):
    TYPE = "care.encounter.transferred.v1"


class ClassChanged(EncounterFact):
    TYPE = "care.encounter.class-changed.v1"


class LeaveStarted(EncounterFact):
    TYPE = "care.encounter.leave-started.v1"


class LeaveEnded(EncounterFact):
    TYPE = "care.encounter.leave-ended.v1"


class DischargeExpected(EncounterFact):
    TYPE = "care.encounter.discharge-expected.v1"


class Discharged(EncounterFact):
    TYPE = "care.encounter.discharged.v1"


class EncounterUpdated(EncounterFact):
    """Data changed. `amends` names an already announced event whose time or disposition this corrects."""

    TYPE = "care.encounter.updated.v1"


class PreadmissionCancelled(EncounterFact):
    TYPE = "care.encounter.preadmission-cancelled.v1"


class ArrivalCancelled(EncounterFact):
    TYPE = "care.encounter.arrival-cancelled.v1"


class AdmissionCancelled(EncounterFact):
    TYPE = "care.encounter.admission-cancelled.v1"


class TransferCancelled(EncounterFact):
    TYPE = "care.encounter.transfer-cancelled.v1"


class ClassChangeCancelled(EncounterFact):
    TYPE = "care.encounter.class-change-cancelled.v1"


class LeaveStartCancelled(EncounterFact):
    TYPE = "care.encounter.leave-start-cancelled.v1"


class LeaveEndCancelled(EncounterFact):
    TYPE = "care.encounter.leave-end-cancelled.v1"


class DischargeCancelled(EncounterFact):
    TYPE = "care.encounter.discharge-cancelled.v1"


class EncounterDeleted(EncounterFact):
    """The visit record was entered in error (A23): everything announced of it is retracted.

    `merged_into` names the encounter that goes on instead, when this was a second record of the same visit (A42).
    """

    TYPE = "care.encounter.deleted.v1"
    merged_into: UUID | None = None


class EncounterMoved(EncounterFact):
    """The visit belongs to another patient than was said (A43, A44, A45). The source patient lives on."""

    TYPE = "care.encounter.moved.v1"
    from_patient: str

    @override
    def concerns(self) -> tuple[str, ...]:
        return (self.from_patient,)


class EncounterSnapshot(EncounterFact):
    """The open encounter as it stands, told again for a rebuild; nothing happened."""

    TYPE = "care.encounter.snapshot.v1"


class PatientFact(Fact):
    TOPIC: ClassVar[Topic] = Topic.ENCOUNTERS
    patient: PatientSummary


class PatientUpdated(PatientFact):
    TYPE = "care.patient.updated.v1"
    changed: tuple[str, ...] = ()


class PatientMerged(PatientFact):
    """Two records are one person (A40). Said on both keys: `retired`'s copy closes that key, `survivor`'s copy waits
    for it (see `Envelope.after_subject`). `patient` is the survivor.
    """

    TYPE = "care.patient.merged.v1"
    retired: str
    survivor: str

    @override
    def concerns(self) -> tuple[str, ...]:
        return (self.retired, self.survivor)


class PatientUnmerged(PatientFact):
    """A merge or link was undone: `retired` had been joined into `survivor` and goes on as `restored`. Said on both
    keys; `patient` is whose key it is. `encounters` are the restored patient's: each follows as moved.
    """

    TYPE = "care.patient.unmerged.v1"
    retired: str
    survivor: str
    restored: str
    encounters: tuple[UUID, ...] = ()

    @override
    def concerns(self) -> tuple[str, ...]:
        return (self.survivor, self.restored)


class PatientLinkFact(PatientFact):
    """Said on both keys; `other` is the other patient's id. No number is retired, and nothing is re-keyed."""

    other: str

    @override
    def concerns(self) -> tuple[str, ...]:
        return (self.other,)


class PatientLinked(PatientLinkFact):
    """The source says that two of its patients are linked (A24)."""

    TYPE = "care.patient.linked.v1"


class PatientUnlinked(PatientLinkFact):
    """They are no longer (A37)."""

    TYPE = "care.patient.unlinked.v1"


ENCOUNTER_FACTS: tuple[type[Fact], ...] = (
    Preadmitted,
    Arrived,
    Admitted,
    Transferred,
    ClassChanged,
    LeaveStarted,
    LeaveEnded,
    DischargeExpected,
    Discharged,
    EncounterUpdated,
    PreadmissionCancelled,
    ArrivalCancelled,
    AdmissionCancelled,
    TransferCancelled,
    ClassChangeCancelled,
    LeaveStartCancelled,
    LeaveEndCancelled,
    DischargeCancelled,
    EncounterDeleted,
    EncounterMoved,
    EncounterSnapshot,
    PatientUpdated,
    PatientMerged,
    PatientUnmerged,
    PatientLinked,
    PatientUnlinked,
)
