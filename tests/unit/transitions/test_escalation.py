"""The ladder: which level is told when, each once, and not at all where the clock stands."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from services.transitions.escalation import LAPSE, Timer, fire, out_of_quiet, timers
from services.transitions.task import NotAllowedError, Obligation
from services.transitions.task_rule import QuietHours
from shared.events import Draft
from shared.events.transitions import TaskEscalated, TaskOverdue, TaskStatus, Transition
from tests.unit.transitions.stays import StayTold, Ward, at

DUE = at("2026-03-10 23:59:59.999999-05:00")


ZONE = "America/Chicago"
MORNING = at("2026-03-11 08:00:00-05:00")
ENDS = at("2026-04-04 23:59:59.999999-05:00")


def ladder(call: Obligation) -> list[Timer]:
    return [timer for timer in timers(call, ZONE) if timer.level != LAPSE]


def discharged() -> tuple[Transition, Obligation]:
    stay = StayTold()
    ward = Ward().hear(stay.discharge("2026-03-06 15:00-06:00"))
    return ward.of(stay).transition, ward.task(stay, "interactive-contact")


def test_a_running_task_has_a_timer_for_overdue_and_one_for_each_step() -> None:
    _, call = discharged()
    # An hour and four hours after midnight lie in the quiet hours, a day after midnight in the next ones.
    told = [DUE, MORNING, MORNING, MORNING + timedelta(days=1)]
    assert [(t.level, t.due_at) for t in timers(call, ZONE)] == [*enumerate(told), (LAPSE, ENDS)]


def test_each_level_is_told_once_and_in_its_own_words() -> None:
    transition, call = discharged()
    said: list[Draft] = []
    for timer in ladder(call) + ladder(call):
        call, drafts = fire(transition, call, timer, is_uncertain=False)
        said += drafts
    assert [type(draft.fact) for draft in said] == [TaskOverdue, TaskEscalated, TaskEscalated, TaskEscalated]
    told = [(d.fact.level, d.fact.to_role) for d in said if isinstance(d.fact, TaskEscalated)]
    assert told == [(1, "care-manager"), (2, "care-manager-lead"), (3, "medical-director")]
    assert [draft.time for draft in said] == [DUE, *(t.due_at for t in ladder(discharged()[1])[1:])]
    assert (call.fired, call.task.escalation_level, call.task.version) == (4, 3, 5)
    assert ladder(call) == []


def test_an_uncertain_state_is_told_as_such() -> None:
    transition, call = discharged()
    _, drafts = fire(transition, call, timers(call, ZONE)[0], is_uncertain=True)
    fact = drafts[0].fact
    assert isinstance(fact, TaskOverdue)
    assert fact.reason == "state-uncertain"


def test_claiming_does_not_stop_the_clock_but_completing_cancelling_and_holding_do() -> None:
    transition, call = discharged()
    claimed = call.claim("ann")
    assert claimed.task.status is TaskStatus.ACCEPTED
    assert len(ladder(claimed)) == 4
    for still in (
        claimed.complete_by_person(DUE, "spoke with the daughter", "ann"),
        claimed.waive(DUE, "patient refuses", "ann"),
        claimed.hold(),
    ):
        assert timers(still, ZONE) == ()
        assert fire(transition, still, timers(call, ZONE)[0], is_uncertain=False) == (still, ())


def test_what_is_done_can_be_neither_claimed_nor_cancelled() -> None:
    _, call = discharged()
    done = call.complete_by_person(DUE, "done", "ann")
    refusals: list[Callable[[], Obligation]] = [
        lambda: done.claim("ann"),
        lambda: done.complete_by_person(DUE, "again", "ann"),
        lambda: done.waive(DUE, "no", "ann"),
        lambda: call.hold().claim("ann"),
    ]
    for refused in refusals:
        with pytest.raises(NotAllowedError, match="can't be"):
            refused()


NIGHT = QuietHours.model_validate({"begin": "20:00", "until": "08:00"})
NOON = QuietHours.model_validate({"begin": "12:00", "until": "13:00"})
QUIET = [
    # the instant, and when it is told
    (NIGHT, "2026-03-10 19:59:59-05:00", "2026-03-10 19:59:59-05:00"),
    (NIGHT, "2026-03-10 20:00:00-05:00", "2026-03-11 08:00:00-05:00"),
    (NIGHT, "2026-03-11 07:59:59-05:00", "2026-03-11 08:00:00-05:00"),
    (NIGHT, "2026-03-11 08:00:00-05:00", "2026-03-11 08:00:00-05:00"),
    # The night of 23 hours, and the one of 25: they end at eight on the wall.
    (NIGHT, "2026-03-07 22:00:00-06:00", "2026-03-08 08:00:00-05:00"),
    (NIGHT, "2026-10-31 22:00:00-05:00", "2026-11-01 08:00:00-06:00"),
    (NOON, "2026-03-10 12:30:00-05:00", "2026-03-10 13:00:00-05:00"),
    (NOON, "2026-03-10 22:30:00-05:00", "2026-03-10 22:30:00-05:00"),
]


@pytest.mark.parametrize(("quiet", "falls", "told"), QUIET)
def test_quiet_hours_end_at_their_time_on_the_wall(quiet: QuietHours, falls: str, told: str) -> None:
    assert out_of_quiet(quiet, at(falls), ZONE) == at(told)


def test_an_urgent_level_is_told_at_night_and_no_earlier_level_after_it() -> None:
    stay = StayTold(diagnoses=("F33.2",))
    ward = Ward().hear(stay.discharge("2026-03-06 15:00-06:00"))
    plan = ward.task(stay, "safety-plan")
    overdue, manager, lead = ladder(plan)
    assert manager.due_at == overdue.due_at + timedelta(hours=1)
    assert lead.due_at == at("2026-03-08 08:00:00-05:00")


def test_a_snoozed_ladder_rests_and_its_due_time_does_not() -> None:
    _, call = discharged()
    until = at("2026-03-12 10:00-05:00")
    assert [t.due_at for t in ladder(call.snooze(until))] == [DUE, until, until, until]


def test_an_acknowledged_escalation_goes_on_without_evidence() -> None:
    transition, call = discharged()
    with pytest.raises(NotAllowedError, match="nothing was told"):
        call.acknowledge(DUE, "ann")
    told, _ = fire(transition, call, ladder(call)[0], is_uncertain=False)
    seen = told.acknowledge(at("2026-03-11 09:00-05:00"), "ann")
    assert [t.due_at for t in ladder(seen)] == [at("2026-03-12 09:00-05:00")] * 3


def test_a_level_told_by_a_person_is_not_told_again() -> None:
    transition, call = discharged()
    raised = call.escalate()
    assert raised.task.escalation_level == 1
    said: list[Draft] = []
    for timer in ladder(raised):
        raised, drafts = fire(transition, raised, timer, is_uncertain=False)
        said += drafts
    assert [draft.fact.TYPE for draft in said] == [TaskOverdue.TYPE, TaskEscalated.TYPE, TaskEscalated.TYPE]
    assert raised.task.escalation_level == 3
    with pytest.raises(NotAllowedError, match="every role"):
        raised.escalate()


def test_who_heard_late_is_given_time_before_it_is_told_overdue() -> None:
    stay = StayTold()
    ward = Ward().hear(stay.discharge("2026-03-06 15:00-06:00", recorded="2026-03-12 10:00-05:00"))
    call = ward.task(stay, "interactive-contact")
    assert call.task.due_at == DUE
    assert ladder(call)[0].due_at == at("2026-03-12 14:00-05:00")
    punctual = Ward().hear(stay.discharge("2026-03-06 15:00-06:00", recorded="2026-03-06 15:05-06:00"))
    assert ladder(punctual.task(stay, "interactive-contact"))[0].due_at == DUE
