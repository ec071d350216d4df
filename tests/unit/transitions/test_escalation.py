"""The ladder: which level is told when, each once, and not at all where the clock stands."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from services.transitions.escalation import fire, timers
from services.transitions.task import NotAllowedError, Obligation
from shared.events import Draft
from shared.events.transitions import TaskEscalated, TaskOverdue, TaskStatus, Transition
from tests.unit.transitions.stays import StayTold, Ward, at

DUE = at("2026-03-10 23:59:59.999999-05:00")


def discharged() -> tuple[Transition, Obligation]:
    stay = StayTold()
    ward = Ward().hear(stay.discharge("2026-03-06 15:00-06:00"))
    return ward.of(stay).transition, ward.task(stay, "interactive-contact")


def test_a_running_task_has_a_timer_for_overdue_and_one_for_each_step() -> None:
    _, call = discharged()
    waits = [timedelta(0), timedelta(hours=1), timedelta(hours=4), timedelta(days=1)]
    assert [(t.level, t.due_at) for t in timers(call)] == [(n, DUE + wait) for n, wait in enumerate(waits)]


def test_each_level_is_told_once_and_in_its_own_words() -> None:
    transition, call = discharged()
    said: list[Draft] = []
    for timer in timers(call) + timers(call):
        call, drafts = fire(transition, call, timer, is_uncertain=False)
        said += drafts
    assert [type(draft.fact) for draft in said] == [TaskOverdue, TaskEscalated, TaskEscalated, TaskEscalated]
    told = [(d.fact.level, d.fact.to_role) for d in said if isinstance(d.fact, TaskEscalated)]
    assert told == [(1, "care-manager"), (2, "care-manager-lead"), (3, "medical-director")]
    assert [draft.time for draft in said] == [DUE, *(t.due_at for t in timers(discharged()[1])[1:])]
    assert (call.fired, call.task.escalation_level, call.task.version) == (4, 3, 5)
    assert timers(call) == ()


def test_an_uncertain_state_is_told_as_such() -> None:
    transition, call = discharged()
    _, drafts = fire(transition, call, timers(call)[0], is_uncertain=True)
    fact = drafts[0].fact
    assert isinstance(fact, TaskOverdue)
    assert fact.reason == "state-uncertain"


def test_claiming_does_not_stop_the_clock_but_completing_cancelling_and_holding_do() -> None:
    transition, call = discharged()
    claimed = call.claim("ann")
    assert claimed.task.status is TaskStatus.ACCEPTED
    assert len(timers(claimed)) == 4
    for still in (
        claimed.complete_by_person(DUE, "spoke with the daughter"),
        claimed.cancel_by_person(DUE, "patient refuses"),
        claimed.hold(),
    ):
        assert timers(still) == ()
        assert fire(transition, still, timers(call)[0], is_uncertain=False) == (still, ())


def test_what_is_done_can_be_neither_claimed_nor_cancelled() -> None:
    _, call = discharged()
    done = call.complete_by_person(DUE, "done")
    refusals: list[Callable[[], Obligation]] = [
        lambda: done.claim("ann"),
        lambda: done.complete_by_person(DUE, "again"),
        lambda: done.cancel_by_person(DUE, "no"),
        lambda: call.hold().claim("ann"),
    ]
    for refused in refusals:
        with pytest.raises(NotAllowedError, match="can't be"):
            refused()
