"""The closed loop: what may follow what, what closes it, until when someone must act, and suspected duplicates."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.transitions.acting import CLOCKS_APART, AheadError
from services.transitions.announcement import Cause
from services.transitions.referrals.acting import Step, must_have_come
from services.transitions.referrals.clocks import EXPIRY, timers, waiting
from services.transitions.referrals.duplicates import suspect, suspecting
from services.transitions.referrals.matching import match
from services.transitions.referrals.referral import Deed, begin
from services.transitions.referrals.statements import statements
from services.transitions.referrals.states import IMPLIED, MOVES, OVER, WHO, Kind, Proof, State
from shared.events.followups import (
    AppointmentAttended,
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentMoved,
    AppointmentNoShow,
    DocumentCancelled,
)
from shared.events.people import Identifier
from shared.events.referrals import ReferralAccepted, ReferralFact, ReferralRejected, ReferralRequested
from tests.unit.transitions.referrals_told import RULES, act, deed, later, note, requested, told, visit
from tests.unit.transitions.stays import at


def whole_way(key: UUID) -> list[Deed]:
    """Requested, accepted, booked, kept, the note sent, acknowledged."""
    return [
        deed(told(ReferralRequested, later(0), key)),
        deed(told(ReferralAccepted, later(10), key)),
        deed(visit(AppointmentBooked, later(20), starts_at=at("2026-03-10 16:00"))),
        deed(visit(AppointmentAttended, "2026-03-10 16:30")),
        deed(note("2026-03-11 09:00")),
        act(Kind.ACKNOWLEDGE, "2026-03-12 09:00"),
    ]


ID = uuid4()
WAY = whole_way(ID)


def test_the_loop_closes_with_outcome_result_and_acknowledgement() -> None:
    states = [begin(ID, "p1", WAY[: n + 1]).state for n in range(len(WAY))]
    assert states == ["requested", "accepted", "scheduled", "attended", "completed", "closed"]
    assert begin(ID, "p1", WAY).proofs == set(Proof)


@pytest.mark.parametrize("missing", [3, 4, 5])
def test_it_stays_open_without_any_one_of_the_three(missing: int) -> None:
    left = [one for n, one in enumerate(WAY) if n != missing]
    assert begin(ID, "p1", left).state not in OVER


@given(st.permutations(WAY), st.lists(st.sampled_from(WAY)))
def test_any_order_and_repetition_ends_the_same(order: list[Deed], again: list[Deed]) -> None:
    referral = begin(ID, "p1", order[:1])
    for one in [*order[1:], *again]:
        referral = referral.with_deeds([one])
    assert referral == begin(ID, "p1", WAY)


@pytest.mark.parametrize("kind", sorted(MOVES))
def test_only_what_the_table_allows_is_allowed(kind: Kind) -> None:
    for state in State:
        stood = replace(requested(), state=state)
        assert stood.allows(kind) == (state in MOVES[kind])


def test_nothing_leaves_what_is_over_but_a_withdrawn_result() -> None:
    ways_out = [(kind, state) for kind, moves in (*MOVES.items(), *IMPLIED.items()) for state in moves if state in OVER]
    assert ways_out == [(Kind.WITHDRAW_RESULT, State.CLOSED)]
    assert {kind for kind, moves in MOVES.items() if moves} - set(WHO) == {Kind.WITHDRAW_RESULT, Kind.EXPIRE}


def test_feeds_may_leave_steps_out_and_people_may_not() -> None:
    referral = requested()
    kept = deed(visit(AppointmentAttended, later(60)))
    assert referral.with_deeds([kept]).state is State.ATTENDED
    assert not referral.allows(Kind.ATTEND)


def test_the_result_first_waits_for_the_outcome() -> None:
    early = requested().with_deeds([deed(note(later(5)))])
    assert (early.state, early.proofs) == (State.IN_PROGRESS, frozenset({Proof.RESULT}))
    assert early.with_deeds([act(Kind.COMPLETE, later(9), outcome="seen")]).state is State.COMPLETED


def test_a_withdrawn_result_opens_the_loop_again() -> None:
    closed = begin(ID, "p1", WAY)
    gone = deed(replace(note("2026-03-13 09:00"), fact=DocumentCancelled(**note(later(0)).fact.model_dump())))
    reopened = closed.with_deeds([gone])
    assert (reopened.state, reopened.proofs) == (State.IN_PROGRESS, frozenset({Proof.OUTCOME}))


def answer(time: str, name: UUID, *, gone: bool = False) -> Deed:
    event = note(time, document=Identifier(authority="HEART", value=str(name)))
    return deed(replace(event, fact=DocumentCancelled(**event.fact.model_dump())) if gone else event)


def test_a_result_withdrawn_before_the_outcome_does_not_complete_the_loop() -> None:
    name = uuid4()
    early = requested().with_deeds([answer(later(5), name), answer(later(6), name, gone=True)])
    assert (early.state, early.proofs) == (State.IN_PROGRESS, frozenset())
    done = early.with_deeds([act(Kind.COMPLETE, later(9), outcome="seen")])
    assert (done.state, done.proofs) == (State.IN_PROGRESS, frozenset({Proof.OUTCOME}))
    assert done.with_deeds([answer(later(10), uuid4())]).state is State.COMPLETED


@pytest.mark.parametrize("is_closed", [False, True])
def test_a_result_that_was_replaced_leaves_the_loop_as_it_stood(*, is_closed: bool) -> None:
    old, new = uuid4(), uuid4()
    acknowledged = [act(Kind.ACKNOWLEDGE, later(12))] if is_closed else []
    way = [answer(later(5), old), act(Kind.COMPLETE, later(9), outcome="seen"), *acknowledged]
    stood = requested().with_deeds(way)
    replaced = stood.with_deeds([answer(later(20), old, gone=True), answer(later(20), new)])
    assert (replaced.state, replaced.proofs) == (stood.state, stood.proofs)
    assert replaced.with_deeds([answer(later(30), new, gone=True)]).state is State.IN_PROGRESS


def test_one_of_several_results_withdrawn_leaves_the_others() -> None:
    one, other = uuid4(), uuid4()
    way = [answer(later(5), one), answer(later(5), other), act(Kind.COMPLETE, later(9), outcome="seen")]
    assert requested().with_deeds([*way, answer(later(10), one, gone=True)]).state is State.COMPLETED


def test_a_moved_appointment_outlives_the_one_it_replaced() -> None:
    referral = requested().with_deeds([deed(visit(AppointmentBooked, later(5), "A1"))])
    referral = referral.with_deeds([deed(visit(AppointmentMoved, later(9), "A2"))])
    referral = referral.with_deeds([deed(visit(AppointmentCancelled, later(12), "A1"))])
    assert referral.state is State.SCHEDULED
    assert referral.with_deeds([deed(visit(AppointmentCancelled, later(15), "A2"))]).state is State.ACCEPTED


def test_hold_and_refused_cancel_lead_back_to_where_it_stood() -> None:
    held = requested().with_deeds([act(Kind.ACCEPT, later(1)), act(Kind.HOLD, later(2))])
    asked = held.with_deeds([act(Kind.REQUEST_CANCEL, later(3)), act(Kind.DENY_CANCEL, later(4))])
    assert (held.state, asked.state) == (State.ON_HOLD, State.ON_HOLD)
    assert asked.with_deeds([act(Kind.RESUME, later(5))]).state is State.ACCEPTED


def test_the_third_strike_is_for_a_person() -> None:
    referral = requested().with_deeds([act(Kind.ACCEPT, later(1))])
    awaited = []
    for n in range(1, 4):
        missed = [
            visit(AppointmentBooked, later(10 * n), f"A{n}"),
            visit(AppointmentNoShow, later(10 * n + 5), f"A{n}"),
        ]
        referral = referral.with_deeds(deed(one) for one in missed)
        found = waiting(referral, RULES)
        assert found is not None
        awaited.append(found.code)
    assert (referral.strikes, awaited) == (3, ["rebooking", "rebooking", "strike-review"])


@pytest.mark.parametrize(
    ("priority", "due"),
    [
        ("routine", "2026-03-11 04:59:59.999999"),  # Friday -> Tuesday's end in Chicago
        ("R", "2026-03-11 04:59:59.999999"),
        ("asap", "2026-03-06 19:00"),
        ("S", "2026-03-06 16:00"),
        ("whenever", "2026-03-11 04:59:59.999999"),
    ],
)
def test_a_decision_is_due_by_priority(priority: str, due: str) -> None:
    found = waiting(requested(priority=priority), RULES)
    assert found is not None
    assert (found.code, found.due_at) == ("decision", at(due))


def test_having_received_it_does_not_stop_the_clock() -> None:
    referral = requested()
    received = referral.with_deeds([act(Kind.RECEIVE, later(90))])
    assert received.state is State.RECEIVED
    assert waiting(received, RULES) == waiting(referral, RULES)
    assert timers(received, RULES) == timers(referral, RULES)


def test_every_open_state_waits_for_someone_and_nothing_over_does() -> None:
    for state in State:
        stood = replace(requested(), state=state)
        stood = replace(stood, terms=stood.terms.model_copy(update={"scheduled_at": at(later(600))}))
        assert (waiting(stood, RULES) is not None) == (state not in OVER and state is not State.DRAFT)


@pytest.mark.parametrize("kind", [Kind.ATTEND, Kind.NO_SHOW])
@pytest.mark.parametrize("said", [{}, {"scheduled_at": later(600)}])
def test_no_person_calls_an_appointment_kept_or_missed_before_its_time(kind: Kind, said: dict[str, Any]) -> None:
    booked_for = later(10_000 if said else 600)
    booked = requested().with_deeds([act(Kind.ACCEPT, later(1)), act(Kind.SCHEDULE, later(2), scheduled_at=booked_for)])
    step = Step(kind=kind, version=3, at=at(later(3)), said=said)
    earliest = at(later(600)) - CLOCKS_APART
    must_have_come(booked, step, earliest)
    with pytest.raises(AheadError):
        must_have_come(booked, step, earliest - timedelta(microseconds=1))


def test_what_is_no_visit_or_has_no_time_is_never_ahead() -> None:
    booked = requested().with_deeds([act(Kind.ACCEPT, later(1)), act(Kind.SCHEDULE, later(2), scheduled_at=later(600))])
    for kind in frozenset(Kind) - {Kind.ATTEND, Kind.NO_SHOW}:
        must_have_come(booked, Step(kind=kind, version=3, at=at(later(3)), said={}), at(later(3)))
    untimed = requested().with_deeds([act(Kind.ACCEPT, later(1)), act(Kind.SCHEDULE, later(2))])
    must_have_come(untimed, Step(kind=Kind.ATTEND, version=3, at=at(later(3)), said={}), at(later(3)))


def test_an_expiry_ends_it_and_old_news_have_no_clock() -> None:
    ends = at("2026-04-01 00:00")
    assert [t.due_at for t in timers(requested(expires_at=ends), RULES) if t.level == EXPIRY] == [ends]
    old = begin(uuid4(), "p1", [replace(requested().deeds[0], historical=True)])
    assert timers(old, RULES) == ()


@pytest.mark.parametrize(
    ("service", "days", "priority", "suspected", "held"),
    [
        ("Cardiology", 89, "routine", True, True),
        ("cardiology ", 90, "routine", True, True),
        ("Cardiology", 91, "routine", False, False),
        ("Dermatology", 1, "routine", False, False),
        ("Cardiology", 1, "stat", True, False),
    ],
)
def test_the_same_service_within_the_look_back_is_suspected_and_stat_never_held(
    service: str, days: int, priority: str, *, suspected: bool, held: bool
) -> None:
    earlier = requested()
    new = requested((at(later(0)) + timedelta(days=days)).isoformat(), service=service, priority=priority)
    found = suspect(new, [earlier, new], RULES)
    assert (found is not None) == suspected
    if found:
        looked_over = new.with_deeds([suspecting(new, found)])
        assert (looked_over.is_suspected, looked_over.is_held) == (True, held)
        assert looked_over.terms.duplicate_of == earlier.id


def test_codes_of_one_group_are_one_service() -> None:
    assert suspect(requested(later(9), service_code="93306"), [requested(service_code="93307")], RULES)
    assert not suspect(requested(later(9), service_code="93306"), [requested(service_code="70450")], RULES)


@pytest.mark.parametrize(("state", "has_result"), [(State.CLOSED, True), (State.CANCELLED, None), (State.FAILED, None)])
def test_an_answered_one_shows_its_result_and_a_dead_one_is_no_rival(state: State, *, has_result: bool | None) -> None:
    found = suspect(requested(later(9)), [replace(requested(), state=state)], RULES)
    assert (found.has_result if found else None) == has_result


def test_a_performer_who_goes_on_releases_what_was_held() -> None:
    new = requested(later(9))
    found = suspect(new, [requested()], RULES)
    assert found is not None
    held = new.with_deeds([suspecting(new, found)])
    accepted = held.with_deeds([deed(told(ReferralAccepted, later(20), new.id))])
    assert (held.is_held, accepted.is_held, accepted.state) == (True, False, State.ACCEPTED)


def test_what_a_message_said_is_not_said_again() -> None:
    cause = Cause(id="m", at=at(later(0)))
    event = told(ReferralAccepted, later(10), ID, status="accepted")
    assert isinstance(event.fact, ReferralFact)
    before = begin(ID, "p1", WAY[:1])
    after = before.with_deeds([deed(event)])
    assert statements(before, after, None, cause, event.fact) == []
    [said] = statements(before, after, None, cause, None)
    assert isinstance(said.fact, ReferralAccepted)
    # Rejected long after it was accepted: it changes nothing, so nothing is said.
    late = after.with_deeds([deed(told(ReferralRejected, later(30), ID, status="rejected"))])
    assert (late.state, statements(after, late, None, cause, None)) == (State.ACCEPTED, [])


def test_an_appointment_finds_its_referral_or_none() -> None:
    heart, skin = requested(), requested(service="Dermatology", performer="skin-clinic", identifier=None)
    booked = visit(AppointmentBooked, later(5), order=None, organisation="skin-clinic")
    assert match(booked.fact, [heart, skin], RULES) == skin
    assert match(visit(AppointmentBooked, later(5)).fact, [heart, skin], RULES) == heart
    for several in permutations([skin, replace(skin, id=uuid4())]):
        assert match(booked.fact, several, RULES) is None
    other = Identifier(authority="ELSEWHERE", value="R1")
    assert match(visit(AppointmentBooked, later(5), order=other).fact, [heart], RULES) is None
