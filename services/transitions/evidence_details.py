"""What an event says beside who, when and what, as far as a protocol may ask for it; and what takes it back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.events import Fact
from shared.events.encounters import (
    AdmissionCancelled,
    ArrivalCancelled,
    Arrived,
    Discharged,
    EncounterDeleted,
    EncounterFact,
    EncounterUpdated,
)
from shared.events.followups import (
    AppointmentAttended,
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentFact,
    AppointmentMoved,
    AppointmentNoShow,
    ContactFact,
    DocumentAvailable,
    DocumentCancelled,
    DocumentFact,
    HandoffReceived,
    MedicationReconciled,
    ObservationRecorded,
    TaughtBack,
)
from shared.events.notifications import (
    NotificationAcknowledged,
    NotificationDelivered,
    NotificationFact,
    NotificationFailed,
    NotificationQueued,
)
from shared.events.people import Diagnosis, EncounterClass, Identifier
from shared.events.referrals import (
    ReferralAccepted,
    ReferralAttended,
    ReferralCancelled,
    ReferralFact,
    ReferralNoShow,
    ReferralRejected,
    ReferralScheduled,
)

DETAILS = frozenset(
    {
        *("class", "service", "organisation", "channel", "with-whom", "by-role", "code", "document-type", "completion"),
        *("topic", "result", "priority", "specialty"),
    }
)
"""Details that a protocol may ask for; a closed list, since a misspelt one would never be met."""
WITHDRAWN = "withdrawn"
"""A result that was taken back (HL7 table 0085: D, W, X): neither it nor what was said of it before shows anything."""
REPLACES = "replaces"
"""What the document takes the place of: that one was there in its time, though it is of no use any more."""
_TAKEN_BACK_RESULTS = frozenset({"D", "W", "X"})
DIAGNOSES = "diagnoses"
"""A visit's diagnoses as codes without dots, the principal one first; only measures look at them."""
PRIORITY, ASKED_AT, RETRACTS = "acknowledgement", "asked-at", "retracts"
"""How soon a notice must be acknowledged and from when on; which earlier events do not hold, with commas between."""
SAY_WHAT_IS_ASKED: tuple[type[NotificationFact], ...] = (
    NotificationQueued,
    NotificationDelivered,
    NotificationFailed,
    NotificationAcknowledged,
)
"""What tells that a notice must be acknowledged: one that nobody could be sent is owed no less."""

_TAKEN_BACK: Mapping[type[Fact], tuple[type[Fact], ...]] = {
    AppointmentBooked: (AppointmentCancelled, AppointmentNoShow),
    AppointmentMoved: (AppointmentCancelled, AppointmentNoShow),
    AppointmentAttended: (AppointmentNoShow, AppointmentCancelled),
    ReferralScheduled: (ReferralCancelled, ReferralNoShow, ReferralRejected),
    ReferralAccepted: (ReferralCancelled, ReferralRejected),
    ReferralAttended: (ReferralNoShow,),
    Arrived: (ArrivalCancelled, AdmissionCancelled, EncounterDeleted),
    DocumentAvailable: (DocumentCancelled,),
}
TAKEN_BACK_BY: Mapping[str, frozenset[str]] = {
    said.TYPE: frozenset(fact.TYPE for fact in taking) for said, taking in _TAKEN_BACK.items()
}
"""Which later events about the same thing mean that an earlier one no longer shows anything, by type."""

SAID_OF_VISITS = (EncounterUpdated.TYPE, Discharged.TYPE)
"""Events that say more of an outpatient visit after its registration, or correct it."""
OF_A_VISIT = frozenset({"diagnoses", "hospital_service"})

Told = Mapping[str, str | None]


def _of_encounter(fact: EncounterFact) -> Told:
    told = fact.encounter
    codes = _codes(told.diagnoses) if told.encounter_class is EncounterClass.AMBULATORY else None
    taken_back = ",".join(str(event_id) for event_id in fact.retracts) or None
    said = {"class": told.encounter_class.value, "service": told.hospital_service}
    return {**said, DIAGNOSES: codes, RETRACTS: taken_back}


def _codes(diagnoses: Sequence[Diagnosis]) -> str | None:
    ranked = sorted(diagnoses, key=lambda one: one.rank if one.rank is not None else len(diagnoses) + 1)
    return ",".join(one.code.replace(".", "").replace(",", "").upper() for one in ranked) or None


def says_more_of_a_visit(fact: Fact) -> bool:
    """Whether it says for what, or where, an outpatient came whose registration is known already."""
    if not isinstance(fact, EncounterFact) or fact.TYPE not in SAID_OF_VISITS:
        return False
    return fact.encounter.encounter_class is EncounterClass.AMBULATORY and not OF_A_VISIT.isdisjoint(fact.changed)


def _of_appointment(fact: AppointmentFact) -> Told:
    return {
        "service": fact.service,
        "specialty": fact.specialty,
        "organisation": fact.organisation,
        DIAGNOSES: _codes(fact.diagnoses),
    }


def _of_contact(fact: ContactFact) -> Told:
    return {"channel": fact.channel, "with-whom": fact.with_whom}


def _of_teaching(fact: TaughtBack) -> Told:
    return {"topic": fact.subject_matter, "result": fact.result, "by-role": fact.by_role}


def _of_result(fact: ObservationRecorded) -> Told:
    return {"code": fact.code, WITHDRAWN: fact.status if fact.status in _TAKEN_BACK_RESULTS else None}


def _of_document(fact: DocumentAvailable) -> Told:
    replaced = None if fact.is_addendum or fact.replaces is None else _document(fact.replaces)
    return {"document-type": fact.document_type, "completion": fact.completion, REPLACES: replaced}


def _document(identifier: Identifier) -> str:
    return f"document/{identifier.authority}/{identifier.value}"


def _of_notice(fact: NotificationFact) -> Told:
    told, asked = fact.delivery, fact.delivery.acknowledgement
    said = {"of": told.event_type, "bases": ",".join(told.bases), "organisation": told.organisation}
    return {**said, PRIORITY: asked.priority.value, ASKED_AT: asked.asked_at.isoformat()} if asked else said


def bears_on_an_acknowledgement(fact: Fact) -> bool:
    """Whether it says that a notice must be acknowledged, that it was, or that what it told does not hold."""
    if isinstance(fact, SAY_WHAT_IS_ASKED):
        return fact.delivery.acknowledgement is not None
    return isinstance(fact, EncounterFact) and bool(fact.retracts)


_GIVES: tuple[tuple[type[Fact], Callable[[Any], Told]], ...] = (
    (EncounterFact, _of_encounter),
    (AppointmentFact, _of_appointment),
    (ContactFact, _of_contact),
    (TaughtBack, _of_teaching),
    (DocumentAvailable, _of_document),
    (MedicationReconciled, lambda fact: {"by-role": fact.by_role}),
    (ObservationRecorded, _of_result),
    (HandoffReceived, lambda fact: {"organisation": fact.organisation}),
    (NotificationFact, _of_notice),
    (ReferralFact, lambda fact: {"service": fact.service, "priority": fact.priority}),
)


def details_of(fact: Fact) -> dict[str, str]:
    """The details that the fact gives; what it leaves open is left out."""
    told = next((gives(fact) for kind, gives in _GIVES if isinstance(fact, kind)), {})
    return {name: value for name, value in told.items() if value is not None}


def about_of(fact: Fact) -> str | None:
    """What the event is about, where another may take it back: an appointment, referral, visit, result or document."""
    match fact:
        case EncounterFact(encounter=encounter):
            return f"encounter/{encounter.id}"
        case AppointmentFact(appointment=appointment):
            return f"appointment/{appointment.authority}/{appointment.value}"
        case ReferralFact(referral_id=referral):
            return f"referral/{referral}"
        case ObservationRecorded(followup_id=result):
            return f"result/{result}"
        case DocumentFact(document=document):
            return _document(document)
        case _:
            return None
