"""care.followups.v1: what happens after (or before) a discharge and may be evidence that a task was done."""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from shared.events.fact import Fact, Topic
from shared.events.people import Facility, Identifier, PatientSummary


class FollowUpFact(Fact):
    """`encounter_id` and `transition_id` are known only when the source says them; else the patient decides."""

    TOPIC: ClassVar[Topic] = Topic.FOLLOWUPS
    followup_id: UUID
    patient: PatientSummary
    facility: Facility | None = None
    encounter_id: UUID | None = None
    transition_id: UUID | None = None
    actor: str | None = None
    note: str | None = None


class AppointmentFact(FollowUpFact):
    appointment: Identifier
    starts_at: datetime | None = None
    service: str | None = None
    organisation: str | None = None


class AppointmentBooked(AppointmentFact):
    TYPE = "care.followup.appointment-booked.v1"


class AppointmentMoved(AppointmentFact):
    TYPE = "care.followup.appointment-moved.v1"


class AppointmentCancelled(AppointmentFact):
    TYPE = "care.followup.appointment-cancelled.v1"


class AppointmentNoShow(AppointmentFact):
    TYPE = "care.followup.appointment-no-show.v1"


class AppointmentAttended(AppointmentFact):
    TYPE = "care.followup.appointment-attended.v1"


class ContactFact(FollowUpFact):
    channel: str = "phone"
    with_whom: str = "patient"


class ContactAttempted(ContactFact):
    """An attempt that reached nobody. Two separate documented attempts count for TCM if its other parts are met."""

    TYPE = "care.followup.contact-attempted.v1"


class ContactMade(ContactFact):
    """An interactive contact with the patient or caregiver (TCM: within two business days)."""

    TYPE = "care.followup.contact-made.v1"


class MedicationReconciled(FollowUpFact):
    TYPE = "care.followup.medication-reconciled.v1"
    by_role: str | None = None


class ObservationRecorded(FollowUpFact):
    TYPE = "care.followup.observation-recorded.v1"
    code: str
    system: str | None = None
    value: Decimal | None = None
    unit: str | None = None
    text: str | None = None
    status: str = "F"


class DocumentAvailable(FollowUpFact):
    TYPE = "care.followup.document-available.v1"
    document: Identifier
    document_type: str | None = None
    completion: str | None = None


FOLLOWUP_FACTS: tuple[type[Fact], ...] = (
    AppointmentBooked,
    AppointmentMoved,
    AppointmentCancelled,
    AppointmentNoShow,
    AppointmentAttended,
    ContactAttempted,
    ContactMade,
    MedicationReconciled,
    ObservationRecorded,
    DocumentAvailable,
)
