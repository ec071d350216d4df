"""care.followups.v1: what happens after (or before) a discharge and may be evidence that a task was done."""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from shared.events.fact import Fact, Topic
from shared.events.people import Diagnosis, Facility, Identifier, PatientSummary


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
    """`followup_id` is the appointment's own: what moves, cancels or ends it refers to the same one. `order` is the
    order or referral that it was made for, where the source says it (SCH-26). `specialty` is the hospital service
    (PV1-10) or the kind of provider (AIP-4) as the source says it; `diagnoses` are those that the visit is for.
    """

    appointment: Identifier
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    order: Identifier | None = None
    service: str | None = None
    organisation: str | None = None
    specialty: str | None = None
    diagnoses: tuple[Diagnosis, ...] = ()


class AppointmentBooked(AppointmentFact):
    """Said again with the same `followup_id` when something but the time of it changed."""

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


class TaughtBack(FollowUpFact):
    """The patient or caregiver said in own words what was taught. `result`: understood, retaught, needs-follow-up."""

    TYPE = "care.followup.taught-back.v1"
    subject_matter: str
    result: str
    by_role: str | None = None
    with_whom: str = "patient"


class HandoffReceived(FollowUpFact):
    """The receiver said back what was handed over (I-PASS: the synthesis by the receiver completes a handoff)."""

    TYPE = "care.followup.handoff-received.v1"
    organisation: str | None = None
    received_by: str
    illness_severity: str | None = None
    synthesis: str


class ObservationRecorded(FollowUpFact):
    """One result. A correction has the same `followup_id` and `status` C; one that was withdrawn has D, W or X and no
    value (HL7 table 0085). `order` is the order it answers (OBR-2, OBR-3), `device` what measured it (OBX-18).
    """

    TYPE = "care.followup.observation-recorded.v1"
    code: str
    system: str | None = None
    value: Decimal | None = None
    unit: str | None = None
    text: str | None = None
    status: str = "F"
    name: str | None = None
    observed_at: datetime | None = None
    reference_range: str | None = None
    abnormal: str | None = None
    device: str | None = None
    order: Identifier | None = None


class DocumentFact(FollowUpFact):
    """`document_type` is of HL7 table 0270 (DS: discharge summary), `completion` of 0271 (LA: legally authenticated).

    `replaces` is the document that this one takes the place of, or the one that it is an addendum to (`is_addendum`).
    """

    document: Identifier
    document_type: str | None = None
    completion: str | None = None
    authored_at: datetime | None = None
    order: Identifier | None = None
    replaces: Identifier | None = None
    is_addendum: bool = False


class DocumentAvailable(DocumentFact):
    TYPE = "care.followup.document-available.v1"


class DocumentCancelled(DocumentFact):
    """No longer to be used: cancelled, deleted, or obsolete since another one replaced it. Same `followup_id`."""

    TYPE = "care.followup.document-cancelled.v1"


FOLLOWUP_FACTS: tuple[type[Fact], ...] = (
    AppointmentBooked,
    AppointmentMoved,
    AppointmentCancelled,
    AppointmentNoShow,
    AppointmentAttended,
    ContactAttempted,
    ContactMade,
    MedicationReconciled,
    TaughtBack,
    HandoffReceived,
    ObservationRecorded,
    DocumentAvailable,
    DocumentCancelled,
)
