"""What appointments, documents and results say of referrals, and of which one. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from services.transitions.referrals.referral import BY_MESSAGE, Deed, Referral, Terms
from services.transitions.referrals.rules import LoopRules
from services.transitions.referrals.statements import KINDS
from services.transitions.referrals.states import Kind, State
from shared.events import Fact
from shared.events.followups import (
    AppointmentAttended,
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentFact,
    AppointmentMoved,
    AppointmentNoShow,
    DocumentAvailable,
    DocumentCancelled,
    DocumentFact,
    ObservationRecorded,
)
from shared.events.people import Identifier
from shared.events.referrals import ReferralFact

APPOINTMENTS: Mapping[type[Fact], Kind] = {
    AppointmentBooked: Kind.SCHEDULE,
    AppointmentMoved: Kind.SCHEDULE,
    AppointmentCancelled: Kind.CANCEL_APPOINTMENT,
    AppointmentNoShow: Kind.NO_SHOW,
    AppointmentAttended: Kind.ATTEND,
}
RESULTS: Mapping[type[Fact], Kind] = {DocumentAvailable: Kind.RESULT, DocumentCancelled: Kind.WITHDRAW_RESULT}
FINAL = frozenset({"F", "C"})
WITHDRAWN = frozenset({"D", "W", "X"})
BEFORE_VISIT = frozenset({State.REQUESTED, State.RECEIVED, State.ACCEPTED, State.SCHEDULED, State.NO_SHOW})
AFTER_VISIT = frozenset({State.ATTENDED, State.IN_PROGRESS})
TERMS = frozenset(Terms.model_fields) - {"appointment", "duplicate_of"}


def deed_of(fact: Fact, rules: LoopRules, event_id: UUID, at: datetime, *, historical: bool) -> Deed | None:
    """What the fact, said by this event, tells of a referral; None when it can't tell anything of one."""
    kind, said = _meaning(fact, rules)
    if kind is None:
        return None
    return Deed(kind=kind, at=at, event_id=event_id, source=BY_MESSAGE, historical=historical, said=said)


def _meaning(fact: Fact, rules: LoopRules) -> tuple[Kind | None, dict[str, Any]]:
    if isinstance(fact, ReferralFact):
        said = {name: value for name, value in fact.model_dump(mode="json").items() if name in TERMS and value}
        return KINDS.get(type(fact)), said | {"priority": rules.priority_of(fact.priority).value}
    if isinstance(fact, AppointmentFact):
        booked: dict[str, Any] = {"appointment": fact.appointment.model_dump(mode="json")}
        if fact.starts_at and APPOINTMENTS[type(fact)] is Kind.SCHEDULE:
            booked["scheduled_at"] = fact.starts_at.isoformat()
        return APPOINTMENTS[type(fact)], booked
    if isinstance(fact, DocumentFact):
        return RESULTS[type(fact)], {"result": f"{fact.document.authority}/{fact.document.value}"}
    if isinstance(fact, ObservationRecorded) and fact.order:
        result = {"result": str(fact.followup_id)}
        if fact.status in WITHDRAWN:
            return Kind.WITHDRAW_RESULT, result
        return (Kind.RESULT if fact.status in FINAL else None), result
    return None, {}


def order_of(fact: Fact) -> Identifier | None:
    """The order or referral that the source says this belongs to."""
    return fact.order if isinstance(fact, AppointmentFact | DocumentFact | ObservationRecorded) else None


def match(fact: Fact, referrals: Iterable[Referral], rules: LoopRules) -> Referral | None:
    """Which of the patient's referrals it is of: by its order, else by its appointment, else the only one that it fits.
    None when several fit: a wrong link would close a loop that is open.
    """
    known = list(referrals)
    order = order_of(fact)
    if order is not None:
        return next((r for r in known if _is_named(r, order)), None)
    if isinstance(fact, AppointmentFact):
        same = [r for r in known if r.terms.appointment == fact.appointment]
        return same[0] if same else _only(r for r in known if _could_be_for(fact, r, rules))
    if isinstance(fact, DocumentFact) and fact.document_type in rules.result_documents.codes:
        return _only(r for r in known if r.state in AFTER_VISIT)
    return None


def _is_named(referral: Referral, order: Identifier) -> bool:
    """By number, and by authority where both sides name one: orders travel under the sender's local name."""
    names = (referral.terms.identifier, referral.terms.external_identifier)
    return any(n is not None and n.value == order.value and _same_authority(n, order) for n in names)


def _same_authority(one: Identifier, other: Identifier) -> bool:
    return not one.authority or not other.authority or one.authority == other.authority


def _could_be_for(fact: AppointmentFact, referral: Referral, rules: LoopRules) -> bool:
    if type(fact) is not AppointmentBooked or referral.state not in BEFORE_VISIT - {State.SCHEDULED}:
        return False
    terms = referral.terms
    same_place = fact.organisation is not None and fact.organisation == terms.performer
    same_service = bool(fact.service) and rules.group_of(None, fact.service) in {
        rules.group_of(terms.service_code, terms.service),
        rules.group_of(None, terms.service),
    }
    return same_place or same_service


def _only(found: Iterable[Referral]) -> Referral | None:
    several = list(found)
    return several[0] if len(several) == 1 else None
