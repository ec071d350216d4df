"""Referrals as messages would tell them, and the rules in memory."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from services.transitions.referrals.matching import deed_of
from services.transitions.referrals.referral import BY_PERSON, Deed, Referral, begin
from services.transitions.referrals.rules import read_rules
from services.transitions.referrals.states import Kind
from shared.events import AnyEvent
from shared.events.followups import AppointmentFact, DocumentAvailable
from shared.events.people import Facility, Identifier, PatientSummary
from shared.events.referrals import ReferralFact, ReferralRequested
from tests.unit.transitions.stays import at, event_of

RULES = read_rules()
CHICAGO = Facility(code="LAKE", time_zone="America/Chicago", state="IL")
NUMBER = Identifier(authority="LAKE", value="R1", type="RI")
START = "2026-03-06 15:00"


def told(fact: type[ReferralFact], time: str = START, referral: UUID | None = None, **more: Any) -> AnyEvent:
    """A referral message's statement; a Friday afternoon in Chicago unless said otherwise."""
    said = {
        "referral_id": referral or uuid4(),
        "version": 1,
        "patient": PatientSummary(id="p1"),
        "facility": CHICAGO,
        "identifier": NUMBER,
        "service": "Cardiology",
        "performer": "heart-clinic",
        "requester": "oak",
        "status": "requested",
    }
    return event_of(fact.model_validate(said | more), "p1", at(time))


def visit(fact: type[AppointmentFact], time: str, number: str = "A1", **more: Any) -> AnyEvent:
    appointment = Identifier(authority="HEART", value=number)
    said = {"followup_id": uuid4(), "patient": PatientSummary(id="p1"), "appointment": appointment, "order": NUMBER}
    return event_of(fact.model_validate(said | more), "p1", at(time))


def note(time: str, **more: Any) -> AnyEvent:
    document = Identifier(authority="HEART", value="D1")
    said = {"followup_id": uuid4(), "patient": PatientSummary(id="p1"), "document": document, "order": NUMBER}
    return event_of(DocumentAvailable.model_validate(said | more), "p1", at(time))


def deed(event: AnyEvent) -> Deed:
    found = deed_of(event.fact, RULES, event.id, event.time, historical=event.historical)
    assert found is not None
    return found


def act(kind: Kind, time: str, **said: Any) -> Deed:
    return Deed(kind=kind, at=at(time), event_id=uuid4(), source=BY_PERSON, actor="anna", said=said)


def requested(time: str = START, **more: Any) -> Referral:
    event = told(ReferralRequested, time, **more)
    assert isinstance(event.fact, ReferralFact)
    return begin(event.fact.referral_id, "p1", [deed(event)])


def later(minutes: int) -> str:
    return (at(START) + timedelta(minutes=minutes)).isoformat()
