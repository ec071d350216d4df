"""Referrals, plans and follow-ups: who is told, what a cancel takes back, and that nobody is flooded."""

from dataclasses import replace

import pytest

from services.notifications.announcing import announcement_of
from services.notifications.api.endpoints import SUBSCRIBABLE
from services.notifications.consumers import HEARD
from services.notifications.coordination import ANNOUNCED, TAKES_BACK
from services.notifications.directory import Directory, Membership
from services.notifications.history import History
from services.notifications.planning import Decision, decide
from shared.events import BY_TYPE, AnyEvent, Topic
from shared.events.followups import AppointmentBooked, AppointmentCancelled, AppointmentMoved, AppointmentNoShow
from shared.events.notifications import SuppressionReason as Why
from shared.events.plans import PlanActivated, PlanRevised
from shared.events.referrals import (
    ReferralAccepted,
    ReferralAppointmentCancelled,
    ReferralCancelled,
    ReferralClosed,
    ReferralFact,
    ReferralNoShow,
    ReferralOverdue,
    ReferralRequested,
    ReferralScheduled,
)
from tests.unit.notifications.coordinated import Coordinated
from tests.unit.notifications.stories import NOW, directory, endpoint

PRIMARY, NURSING, EXCHANGE = endpoint("primary"), endpoint("nursing"), endpoint("exchange")
KNOWN = directory(PRIMARY, NURSING, EXCHANGE)


def tell(event: AnyEvent, history: History, known: Directory = KNOWN) -> Decision | None:
    said = announcement_of(event)
    return decide(said, known, history, NOW) if said else None


def bases(decision: Decision | None) -> dict[str, tuple[str, ...]]:
    return {one.endpoint.organisation: one.bases for one in decision.planned} if decision else {}


def arrive(history: History) -> None:
    for one in history.told:
        one.status = "delivered" if one.status == "queued" else one.status


def test_a_referral_is_told_to_both_sides_and_to_whoever_listens() -> None:
    decision = tell(Coordinated().referral(ReferralRequested), History())
    assert bases(decision) == {"primary": ("requester",), "nursing": ("performer",), "exchange": ("subscription",)}
    assert decision is not None
    assert decision.notice.details is not None
    assert decision.notice.details["referral"]["service"] == "Cardiology"


def test_a_side_may_be_named_as_the_organisation_itself() -> None:
    known = directory(NURSING, organisations={"nursing": (Membership("nursing"),)}, subscriptions={})
    decision = tell(Coordinated().referral(ReferralScheduled, performer="nursing"), History(), known)
    assert bases(decision) == {"nursing": ("performer",)}


@pytest.mark.parametrize(("kind", "more"), [(ReferralAccepted, {}), (ReferralOverdue, {"to_role": "care-manager"})])
def test_steps_inside_the_loop_are_no_notices(kind: type[ReferralFact], more: dict[str, str]) -> None:
    assert announcement_of(Coordinated().referral(kind, **more)) is None


def test_a_cancelled_referral_is_taken_back_from_exactly_those_told() -> None:
    history, referral = History(), Coordinated()
    requested = referral.referral(ReferralRequested)
    tell(requested, history, directory(PRIMARY))
    arrive(history)
    decision = tell(referral.referral(ReferralCancelled), history)
    assert decision is not None
    assert [(one.endpoint.organisation, one.retracts) for one in decision.planned] == [("primary", (requested.id,))]


def test_another_referral_of_the_same_patient_stands() -> None:
    history, referral = History(), Coordinated()
    tell(referral.referral(ReferralRequested), history)
    arrive(history)
    decision = tell(Coordinated().referral(ReferralCancelled), history)
    assert bases(decision) == {}
    assert decision is not None
    assert [one.reason for one in decision.suppressed] == [Why.NEVER_TOLD]


def test_a_cancel_heard_before_its_request_leaves_nothing_to_tell() -> None:
    history, referral = History(), Coordinated()
    requested, cancelled = referral.referral(ReferralRequested), referral.referral(ReferralCancelled)
    tell(cancelled, history)
    decision = tell(requested, history)
    assert decision is not None
    assert [one.reason for one in decision.suppressed] == [Why.RETRACTED_BEFORE_SENT]
    assert decision.planned == []


def test_an_appointment_of_a_referral_that_fell_through_takes_back_that_alone_and_the_next_is_told() -> None:
    history, referral = History(), Coordinated()
    told = [referral.referral(kind) for kind in (ReferralRequested, ReferralScheduled)]
    for one in told:
        tell(one, history)
    arrive(history)
    decision = tell(referral.referral(ReferralAppointmentCancelled), history)
    assert decision is not None
    assert {one.retracts for one in decision.planned} == {(told[1].id,)}
    assert "primary" in bases(tell(referral.referral(ReferralScheduled), history))


def test_two_referrals_of_one_minute_are_two_notices() -> None:
    history, first = History(), Coordinated().referral(ReferralNoShow)
    tell(first, history)
    assert "primary" in bases(tell(replace(Coordinated().referral(ReferralNoShow), time=first.time), history))


CHOOSER = endpoint("exchange", event_types=frozenset({AppointmentBooked.TYPE, PlanActivated.TYPE}))


@pytest.mark.parametrize(
    "event",
    [Coordinated().plan(), Coordinated().appointment(AppointmentBooked), Coordinated().contact()],
    ids=["plan", "appointment", "contact"],
)
def test_plans_and_followups_are_told_to_nobody_who_did_not_choose_them(event: AnyEvent) -> None:
    assert tell(event, History()) is None


def test_plans_go_to_those_who_lead_the_stay_where_they_chose_them() -> None:
    primary = endpoint("primary", event_types=frozenset({PlanActivated.TYPE}))
    decision = tell(Coordinated().plan(), History(), directory(primary, CHOOSER, endpoint("hospitalists")))
    assert bases(decision) == {"primary": ("pcp",), "exchange": ("subscription",)}
    assert decision is not None
    assert decision.suppressed == []
    assert tell(Coordinated().plan(PlanRevised), History(), directory(primary)) is None


def test_an_appointment_goes_to_who_chose_it_and_its_cancel_to_who_was_told() -> None:
    history, visit, known = History(), Coordinated(), directory(PRIMARY, CHOOSER)
    booked = visit.appointment(AppointmentBooked)
    decision = tell(booked, history, known)
    assert bases(decision) == {"exchange": ("subscription",)}
    assert decision is not None
    assert "afraid" not in str(decision.notice.details)
    arrive(history)
    moved = tell(visit.appointment(AppointmentMoved), history, known)
    assert moved is not None
    assert [(one.endpoint.organisation, one.retracts) for one in moved.planned] == [("exchange", (booked.id,))]
    assert tell(visit.appointment(AppointmentNoShow), history, known) is None
    arrive(history)
    cancelled = tell(visit.appointment(AppointmentCancelled), history, known)
    assert bases(cancelled) == {"exchange": ("told-before",)}
    assert tell(Coordinated().appointment(AppointmentCancelled), History(), known) is None


def test_old_news_of_a_plan_is_told_to_nobody() -> None:
    event = replace(Coordinated().plan(), historical=True)
    assert tell(event, History(), directory(CHOOSER)) is None


def test_what_is_announced_is_heard_and_can_be_subscribed() -> None:
    types = {fact.TYPE for fact in ANNOUNCED}
    assert types <= SUBSCRIBABLE
    assert ReferralClosed.TYPE in types
    for name in types | TAKES_BACK.keys():
        assert name in HEARD[BY_TYPE[name].TOPIC]
    assert {Topic.REFERRALS, Topic.FOLLOWUPS, Topic.PLANS} <= HEARD.keys()
