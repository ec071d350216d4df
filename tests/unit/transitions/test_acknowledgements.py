"""Notices that must be acknowledged: one task each, whatever was heard first."""

import os
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.transitions.acknowledgements import is_acknowledgement
from services.transitions.escalation import LAPSE, timers
from services.transitions.followed import PatientCase
from services.transitions.lapsing import lapsed
from services.transitions.protocols import Library
from services.transitions.task import Obligation, Why
from services.transitions.transition import settle
from shared.events import AnyEvent
from shared.events.notifications import (
    Acknowledgement,
    NotificationAcknowledged,
    NotificationDelivered,
    NotificationFact,
    NotificationFailed,
    NotificationQueued,
)
from shared.events.people import EncounterClass
from shared.events.transitions import Closure, TaskCreated, TaskStatus, TransitionStatus
from tests.unit.transitions.stays import StayTold, Ward, acknowledged, at, library, must_acknowledge, taking_back

LEFT, ASKED = "2026-03-06 15:00-06:00", "2026-03-06 15:01-06:00"
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "1000")) // 10


def tasks_of(ward: Ward, stay: StayTold) -> list[Obligation]:
    return [o for o in ward.of(stay).tasks if is_acknowledgement(o)]


def asked(**more: Any) -> tuple[StayTold, AnyEvent, Ward]:
    """A discharge whose notice to one organisation must be acknowledged."""
    stay = StayTold()
    left = stay.discharge(LEFT)
    return stay, left, Ward().hear(left, must_acknowledge(left, ASKED, **more))


def answer(left: AnyEvent, when: str, organisation: str = "oak", **more: Any) -> AnyEvent:
    return must_acknowledge(left, when, NotificationAcknowledged, organisation=organisation, asked_at=ASKED, **more)


@pytest.mark.parametrize("fact", [NotificationQueued, NotificationDelivered, NotificationFailed])
def test_a_notice_that_must_be_acknowledged_is_a_task_whatever_became_of_it(fact: type[NotificationFact]) -> None:
    stay, _, ward = asked(fact=fact)
    [task] = [o.task for o in tasks_of(ward, stay)]
    assert (task.code, task.status, task.owner_role) == (
        "acknowledgement-urgent",
        TaskStatus.REQUESTED,
        "care-manager",
    )
    assert (task.asked_of, task.asked_at) == ("oak", at(ASKED))
    assert task.title == "See that the notice is acknowledged: oak (discharged)"
    [created] = [d.fact for d in ward.said if isinstance(d.fact, TaskCreated) and d.fact.task.id == task.id]
    assert created.task == task


@pytest.mark.parametrize(
    ("priority", "due", "told"),
    [
        (Acknowledgement.STAT, "2026-03-06 15:31-06:00", ["care-manager-lead", "medical-director"]),
        (Acknowledgement.URGENT, "2026-03-06 19:01-06:00", ["care-manager-lead", "medical-director"]),
        # Friday afternoon: the next business day is Monday, and it ends at midnight of a changed clock.
        (Acknowledgement.ROUTINE, "2026-03-09 23:59:59.999999-05:00", ["care-manager-lead"]),
    ],
)
def test_each_priority_has_its_time_and_its_ladder(priority: Acknowledgement, due: str, told: list[str]) -> None:
    stay, _, ward = asked(priority=priority)
    [obligation] = tasks_of(ward, stay)
    assert obligation.task.due_at == at(due)
    assert [step.role for step in obligation.rule.ladder] == told
    assert "own choice" in obligation.rule.source.lower()
    assert len(timers(obligation, "America/Chicago")) == 1 + len(told) + 1


def test_the_acknowledgement_of_that_notice_by_that_organisation_completes_it() -> None:
    stay, left, ward = asked()
    other = stay.correct("2026-03-06 16:00-06:00")
    ward.hear(other, acknowledged(left, "2026-03-06 16:01-06:00"))
    ward.hear(answer(left, "2026-03-06 16:02-06:00", "elm"), answer(other, "2026-03-06 16:03-06:00"))
    mine = next(o for o in tasks_of(ward, stay) if (o.task.asked_of, o.number) == ("oak", 1))
    assert mine.is_live
    ward.hear(answer(left, "2026-03-06 16:04-06:00"))
    done = next(o for o in tasks_of(ward, stay) if o.task.id == mine.task.id)
    assert (done.task.status, done.task.closure, done.task.done_at) == (
        TaskStatus.COMPLETED,
        Closure.MET,
        at("2026-03-06 16:04-06:00"),
    )


@pytest.mark.parametrize(
    ("seconds", "closure"), [(-1, Closure.MET), (0, Closure.MET), (1, Closure.LATE)], ids=["before", "at", "after"]
)
def test_it_is_late_after_its_due_time(seconds: int, closure: Closure) -> None:
    stay, left, ward = asked()
    [obligation] = tasks_of(ward, stay)
    assert obligation.task.due_at is not None
    ward.hear(answer(left, (obligation.task.due_at + timedelta(seconds=seconds)).isoformat(sep=" ")))
    assert [o.task.closure for o in tasks_of(ward, stay)] == [closure]


@pytest.mark.parametrize(
    ("when", "status"),
    [("2026-03-13 23:59:59-05:00", TaskStatus.COMPLETED), ("2026-03-14 00:00-05:00", TaskStatus.CANCELLED)],
)
def test_after_its_window_it_ends_as_late_and_an_answer_changes_that_only_within(when: str, status: TaskStatus) -> None:
    stay, left, ward = asked()
    [obligation] = tasks_of(ward, stay)
    assert obligation.task.owed_until == at("2026-03-13 23:59:59.999999-05:00")
    assert timers(obligation, "America/Chicago")[-1].level == LAPSE
    ward.cases["p1"] = settle(lapsed(ward.cases["p1"], {obligation.task.id}), ward.library)
    assert tasks_of(ward, stay)[0].why is Why.WINDOW_PASSED
    ward.hear(answer(left, when))
    [ended] = tasks_of(ward, stay)
    assert (ended.task.status, ended.task.closure) == (status, Closure.LATE)


def test_two_endpoints_of_an_organisation_owe_one_acknowledgement_and_two_organisations_two() -> None:
    stay, left, ward = asked()
    ward.hear(must_acknowledge(left, ASKED), must_acknowledge(left, ASKED, organisation="elm"))
    assert sorted(o.task.asked_of or "" for o in tasks_of(ward, stay)) == ["elm", "oak"]
    ward.hear(answer(left, "2026-03-06 15:30-06:00"))
    assert {o.task.asked_of: o.is_live for o in tasks_of(ward, stay)} == {"elm": True, "oak": False}


def test_a_notice_that_is_taken_back_need_not_be_acknowledged() -> None:
    stay, left, ward = asked()
    ward.hear(taking_back(stay.take_back_discharge("2026-03-06 16:00-06:00"), left))
    [ended] = tasks_of(ward, stay)
    assert (ended.task.status, ended.task.closure, ended.why) == (
        TaskStatus.CANCELLED,
        Closure.NOT_OWED,
        Why.NOTICE_TAKEN_BACK,
    )
    again = stay.discharge("2026-03-07 15:00-06:00")
    ward.hear(again, must_acknowledge(again, "2026-03-07 15:01-06:00"))
    assert [o.is_live for o in tasks_of(ward, stay)] == [False, True]


def test_a_stay_that_is_none_ends_it_and_one_that_is_again_asks_again() -> None:
    stay, left, ward = asked()
    ward.hear(stay.cancel("2026-03-06 16:00-06:00"))
    [ended] = tasks_of(ward, stay)
    assert (ended.task.status, ended.why) == (TaskStatus.CANCELLED, Why.STAY_CANCELLED)
    ward.hear(stay.discharge("2026-03-06 17:00-06:00"))
    assert [(o.number, o.is_live) for o in tasks_of(ward, stay)] == [(1, False), (2, True)]
    ward.hear(answer(left, "2026-03-06 17:30-06:00"))
    assert [o.is_live for o in tasks_of(ward, stay)] == [False, False]


def test_what_a_person_decided_stands() -> None:
    stay, left, ward = asked()
    [obligation] = tasks_of(ward, stay)
    waived = obligation.waive(at("2026-03-06 16:00-06:00"), "they were called", "nurse")
    followed = ward.of(stay)
    others = tuple(o for o in followed.tasks if o.task.id != waived.task.id)
    kept = replace(followed, tasks=(*others, waived))
    ward.cases["p1"] = settle(replace(ward.cases["p1"], followed={stay.id: kept}), ward.library)
    ward.hear(answer(left, "2026-03-06 16:30-06:00"))
    assert [o.task.closure for o in tasks_of(ward, stay)] == [Closure.WAIVED]


def test_a_transition_that_closed_is_followed_again_until_it_is_acknowledged() -> None:
    stay = StayTold(encounter_class=EncounterClass.INPATIENT)
    left = stay.discharge(LEFT, "20")
    ward = Ward().hear(left)
    assert ward.of(stay).transition.status is TransitionStatus.CLOSED
    ward.hear(must_acknowledge(left, ASKED))
    assert ward.of(stay).transition.status is TransitionStatus.FOLLOWING
    ward.hear(answer(left, "2026-03-06 15:30-06:00"))
    assert ward.of(stay).transition.status is TransitionStatus.CLOSED


def test_a_house_whose_protocols_have_no_such_task_keeps_and_opens_nothing() -> None:
    stay = StayTold()
    left = stay.discharge(LEFT)
    told = must_acknowledge(left, ASKED)
    bare = Library([protocol for protocol in library().current if protocol.name != "notice-acknowledgement"])
    ward = Ward(bare).hear(left, told)
    assert not bare.waits_for(told.fact)
    assert NotificationQueued.TYPE not in bare.heard
    assert tasks_of(ward, stay) == []


def test_a_notice_of_another_stay_opens_nothing_here() -> None:
    stay, other = StayTold(), StayTold()
    left, theirs = stay.discharge(LEFT), other.admit("2026-03-20 15:00-05:00")
    ward = Ward().hear(left, must_acknowledge(theirs, "2026-03-20 15:01-05:00"))
    assert tasks_of(ward, stay) == []
    ward.hear(theirs)
    assert (len(tasks_of(ward, stay)), len(tasks_of(ward, other))) == (0, 1)


def standing(case: PatientCase) -> list[Any]:
    """What is owed or was done, without the tasks that nobody owes any more."""
    owed = [o.task for f in case.followed.values() for o in f.tasks if is_acknowledgement(o)]
    return sorted(
        (str(t.asked_of), t.code, t.status.value, str(t.closure), str(t.due_at), str(t.evidence_event_id))
        for t in owed
        if t.closure is not Closure.NOT_OWED
    )


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_what_is_owed_depends_on_what_happened_and_not_on_the_order_it_was_heard_in(data: st.DataObject) -> None:
    """Two topics, each in its own order or shuffled by merges, with repeats: the same ends as heard straight."""
    stay = StayTold()
    course = [stay.admit("2026-03-02 08:00-06:00"), stay.discharge(LEFT)]
    left = course[-1]
    if data.draw(st.booleans(), "taken back"):
        course.append(taking_back(stay.take_back_discharge("2026-03-06 16:00-06:00"), left))
        if data.draw(st.booleans(), "discharged again"):
            course.append(stay.discharge("2026-03-07 15:00-06:00"))
    elif data.draw(st.booleans(), "outpatient for a while"):
        course += [stay.change_class("2026-03-06 16:00-06:00", EncounterClass.AMBULATORY)]
        course += [stay.change_class("2026-03-06 17:00-06:00", EncounterClass.INPATIENT)]
    told: list[AnyEvent] = []
    for notice in [event for event in course if event.type == left.type]:
        for organisation in ("oak", "elm"):
            decided = (notice.time + timedelta(minutes=1)).isoformat(sep=" ")
            became = data.draw(st.sampled_from([NotificationDelivered, NotificationFailed]))
            told += [
                must_acknowledge(notice, decided, organisation=organisation),
                must_acknowledge(notice, decided, became, organisation=organisation, asked_at=decided),
            ]
            for hours in data.draw(st.lists(st.integers(0, 100), max_size=2)):
                when = (notice.time + timedelta(hours=hours, minutes=2)).isoformat(sep=" ")
                told.append(
                    must_acknowledge(
                        notice, when, NotificationAcknowledged, organisation=organisation, asked_at=decided
                    )
                )
    straight = Ward().hear(*course, *told)
    shuffled = data.draw(st.permutations([*told, *told[:2]]))
    places = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), min_size=len(course), max_size=len(course))))
    heard = list(shuffled)
    for place, event in reversed(list(zip(places, course, strict=True))):
        heard.insert(place, event)
    mixed = Ward().hear(*heard)
    assert standing(mixed.cases["p1"]) == standing(straight.cases["p1"])
    assert settle(mixed.cases["p1"], mixed.library) == mixed.cases["p1"]
