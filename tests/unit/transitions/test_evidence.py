"""Deeds complete tasks by themselves: before or after the discharge is known, late, and only where they belong."""

from itertools import permutations
from typing import Any
from uuid import uuid4

import pytest

from services.transitions.task import Why
from shared.events import AnyEvent
from shared.events.encounters import Transferred
from shared.events.followups import AppointmentNoShow, DocumentAvailable, DocumentCancelled
from shared.events.people import Identifier
from shared.events.transitions import Closure, TaskStatus, TransitionStatus
from tests.unit.transitions.stays import (
    StayTold,
    Ward,
    acknowledged,
    at,
    attempt,
    attended,
    codes,
    contact,
    delivered,
    event_of,
    follow_up,
    measured,
    reconciled,
    referral_attended,
    synthesis,
)

LEFT = "2026-03-06 15:00-06:00"
DEEDS = [
    ("a contact", contact("2026-03-09 10:00-05:00"), "01", "interactive-contact"),
    ("a late contact", contact("2026-03-16 10:00-05:00"), "01", "interactive-contact"),
    ("a contact at the weekend", contact("2026-03-07 10:00-06:00"), "01", "interactive-contact"),
    ("a visit", attended("2026-03-11 10:00-05:00"), "01", "follow-up-visit"),
    ("a visit on the day itself", attended("2026-03-06 17:00-06:00"), "01", "follow-up-visit"),
    ("a reconciliation", reconciled("2026-03-06 16:00-06:00"), "01", "medication-reconciliation"),
    ("a reconciliation in the morning", reconciled("2026-03-06 00:00-06:00"), "01", "medication-reconciliation"),
    ("the agency's first visit", referral_attended("2026-03-07 10:00-06:00"), "06", "home-health-start"),
    ("a contact with hospice", contact("2026-03-07 10:00-06:00"), "50", "hospice-start"),
    ("a call to the facility next day", contact("2026-03-07 10:00-06:00"), "03", "weekly-contact"),
]


@pytest.mark.parametrize("deed_first", [False, True])
@pytest.mark.parametrize(("deed", "nubc", "code"), [case[1:] for case in DEEDS], ids=[case[0] for case in DEEDS])
def test_a_deed_completes_its_task_whichever_is_heard_first(
    deed: AnyEvent, nubc: str, code: str, *, deed_first: bool
) -> None:
    stay = StayTold()
    discharge = stay.discharge(LEFT, nubc)
    ward = Ward().hear(*((deed, discharge) if deed_first else (discharge, deed)))
    done = ward.task(stay, code)
    assert (done.task.status, done.why, done.settled_at) == (TaskStatus.COMPLETED, Why.EVIDENCE, deed.time)
    assert done.task.evidence_event_id == deed.id
    assert "task.completed" in ward.said_types()
    completed = [draft for draft in ward.said if draft.fact.TYPE == "care.task.completed.v1"]
    assert completed[0].causation_id == str(discharge.id if deed_first else deed.id)


NO_EVIDENCE = [
    ("a contact before the discharge", contact("2026-03-06 14:59-06:00"), "01", "interactive-contact"),
    ("a reconciliation the day before", reconciled("2026-03-05 23:59-06:00"), "01", "medication-reconciliation"),
    ("a failed contact", attempt("2026-03-09 10:00-05:00"), "01", "interactive-contact"),
    ("another patient's contact", contact("2026-03-09 10:00-05:00", patient="p2"), "01", "interactive-contact"),
    ("a call to the facility on the day", contact("2026-03-06 20:00-06:00"), "03", "weekly-contact"),
    (
        "a missed visit",
        follow_up(AppointmentNoShow, "2026-03-11 10:00-05:00", appointment=Identifier(authority="x", value="1")),
        "01",
        "follow-up-visit",
    ),
]


@pytest.mark.parametrize(
    ("deed", "nubc", "code"), [case[1:] for case in NO_EVIDENCE], ids=[case[0] for case in NO_EVIDENCE]
)
def test_what_is_no_evidence_leaves_the_task_open(deed: AnyEvent, nubc: str, code: str) -> None:
    stay = StayTold()
    ward = Ward().hear(stay.discharge(LEFT, nubc), deed)
    assert ward.task(stay, code).task.status is TaskStatus.REQUESTED


def test_follow_up_after_mental_illness_does_not_count_on_the_day_itself() -> None:
    stay = StayTold(diagnoses=("F33.2",))
    ward = Ward().hear(stay.discharge(LEFT), attended("2026-03-06 18:00-06:00"))
    assert ward.task(stay, "follow-up-visit").task.status is TaskStatus.COMPLETED
    assert ward.task(stay, "fuh-visit-7d").task.status is TaskStatus.REQUESTED
    ward.hear(attended("2026-03-07 00:30-06:00"))
    assert ward.task(stay, "fuh-visit-7d").task.status is TaskStatus.COMPLETED


@pytest.mark.parametrize("told", [delivered, acknowledged])
@pytest.mark.parametrize("notice_first", [False, True])
def test_the_notice_of_this_discharge_is_the_discharge_information(told: object, *, notice_first: bool) -> None:
    assert callable(told)
    stay = StayTold()
    discharge = stay.discharge(LEFT)
    notice = told(discharge, "2026-03-06 15:00:01-06:00")
    ward = Ward().hear(*((notice, discharge) if notice_first else (discharge, notice)))
    assert ward.task(stay, "discharge-information").task.status is TaskStatus.COMPLETED


def test_a_notice_of_something_else_is_not() -> None:
    stay = StayTold()
    moved = stay.tell(Transferred, "2026-03-03 10:00-06:00")
    ward = Ward().hear(moved, stay.discharge(LEFT), delivered(moved, "2026-03-06 15:01-06:00"))
    assert ward.task(stay, "discharge-information").task.status is TaskStatus.REQUESTED


def test_delivery_alone_is_no_confirmed_handoff() -> None:
    stay = StayTold()
    discharge = stay.discharge(LEFT, "03")
    ward = Ward().hear(discharge, delivered(discharge, "2026-03-06 15:01-06:00"))
    assert ward.task(stay, "handoff-synthesis").task.status is TaskStatus.REQUESTED
    ward.hear(acknowledged(discharge, "2026-03-06 15:30-06:00"))
    assert ward.task(stay, "handoff-synthesis").task.status is TaskStatus.REQUESTED
    ward.hear(synthesis("2026-03-06 16:30-06:00"))
    assert ward.task(stay, "handoff-synthesis").task.status is TaskStatus.COMPLETED


def test_a_deed_that_names_another_stay_does_not_count_here() -> None:
    stay, other = StayTold(), StayTold()
    ward = Ward().hear(stay.discharge(LEFT), contact("2026-03-09 10:00-05:00", encounter_id=other.id))
    assert ward.task(stay, "interactive-contact").task.status is TaskStatus.REQUESTED
    ward.hear(contact("2026-03-09 11:00-05:00", transition_id=ward.of(stay).transition.id))
    assert ward.task(stay, "interactive-contact").task.status is TaskStatus.COMPLETED


def test_an_appointment_counts_whichever_visit_it_names() -> None:
    stay, clinic = StayTold(), StayTold()
    seen = attended("2026-03-11 10:00-05:00", encounter_id=clinic.id)
    ward = Ward().hear(stay.discharge(LEFT), seen)
    assert ward.task(stay, "follow-up-visit").task.evidence_event_id == seen.id


def live(ward: Ward, stay: StayTold) -> set[str]:
    return codes(o for o in ward.of(stay).tasks if o.is_live)


def summary(time: str, number: str = "D1", *, gone: bool = False, **more: Any) -> AnyEvent:
    more |= {"document": Identifier(authority="LAKE", value=number), "document_type": "DS", "completion": "LA"}
    return follow_up(DocumentCancelled if gone else DocumentAvailable, time, **more)


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_a_cancelled_summary_shows_nothing_any_more(order: tuple[int, ...]) -> None:
    stay = StayTold()
    told = [summary("2026-03-07 09:00-06:00"), summary("2026-03-07 10:00-06:00", gone=True)]
    ward = Ward().hear(stay.discharge(LEFT), *(told[n] for n in order))
    assert live(ward, stay) >= {"discharge-information"}
    ward.hear(summary("2026-03-08 09:00-06:00", "D2"))
    assert "discharge-information" not in live(ward, stay)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_summary_that_was_replaced_was_there_in_time(order: tuple[int, ...]) -> None:
    stay = StayTold()
    replacing = summary("2026-03-20 09:00-05:00", "D2", replaces=Identifier(authority="LAKE", value="D1"))
    told = [summary("2026-03-07 09:00-06:00"), summary("2026-03-20 09:00-05:00", gone=True), replacing]
    ward = Ward().hear(stay.discharge(LEFT), *(told[n] for n in order))
    done = ward.task(stay, "discharge-information")
    assert (done.task.closure, done.task.evidence_event_id) == (Closure.MET, told[0].id)
    ward.hear(summary("2026-03-21 09:00-05:00", "D2", gone=True))
    assert "discharge-information" in live(ward, stay)


@pytest.mark.parametrize("status", ["X", "D", "W"])
def test_a_result_that_was_withdrawn_shows_nothing(status: str) -> None:
    stay, result = StayTold(diagnoses=("I50.9",)), uuid4()
    ward = Ward().hear(stay.discharge(LEFT), measured("2026-03-10 09:00-05:00", followup_id=result))
    assert "heart-failure-labs" not in live(ward, stay)
    ward.hear(measured("2026-03-10 10:00-05:00", followup_id=result, status=status))
    assert "heart-failure-labs" in live(ward, stay)
    ward.hear(measured("2026-03-11 09:00-05:00", followup_id=result, status="C"))
    assert "heart-failure-labs" not in live(ward, stay)


def test_two_separate_attempts_in_time_are_noted_and_one_goes_on_trying() -> None:
    stay = StayTold()
    ward = Ward().hear(stay.discharge(LEFT), attempt("2026-03-09 09:00-05:00"), attempt("2026-03-09 09:00-05:00"))
    assert ward.task(stay, "interactive-contact").task.outcome is None
    ward.hear(attempt("2026-03-10 16:00-05:00"))
    tried = ward.task(stay, "interactive-contact")
    assert (tried.task.status, tried.task.outcome) == (TaskStatus.REQUESTED, "attempts-documented")
    assert tried.runs
    assert ward.said_types()[-1] == "task.changed"
    said = len(ward.said)
    ward.hear(attempt("2026-03-10 17:00-05:00"))
    assert len(ward.said) == said
    ward.hear(contact("2026-03-11 09:00-05:00"))
    assert ward.task(stay, "interactive-contact").task.status is TaskStatus.COMPLETED


def test_attempts_after_the_window_do_not_count() -> None:
    stay = StayTold()
    ward = Ward().hear(stay.discharge(LEFT), attempt("2026-03-10 09:00-05:00"), attempt("2026-03-11 09:00-05:00"))
    assert ward.task(stay, "interactive-contact").task.outcome is None


def test_the_medications_are_due_with_the_visit_when_it_comes_first() -> None:
    stay = StayTold()
    ward = Ward().hear(stay.discharge(LEFT), attended("2026-03-11 10:00-05:00"))
    assert ward.task(stay, "medication-reconciliation").task.due_at == at("2026-03-11 23:59:59.999999-05:00")


def test_a_deed_while_the_discharge_is_taken_back_waits_for_the_next() -> None:
    stay = StayTold()
    ward = Ward().hear(
        stay.discharge(LEFT), stay.take_back_discharge("2026-03-06 16:00-06:00"), contact("2026-03-07 10:00-06:00")
    )
    assert ward.task(stay, "interactive-contact").task.status is TaskStatus.ON_HOLD
    ward.hear(stay.discharge("2026-03-07 09:00-06:00"))
    assert ward.task(stay, "interactive-contact").task.status is TaskStatus.COMPLETED


def test_what_nobody_waits_for_is_not_kept() -> None:
    stay = StayTold()
    moved = stay.tell(Transferred, "2026-03-03 10:00-06:00")
    ward = Ward()
    assert not ward.library.waits_for(delivered(moved, "2026-03-06 15:01-06:00").fact)
    assert ward.library.waits_for(contact("2026-03-09 10:00-05:00").fact)
    assert not ward.library.waits_for(event_of(moved.fact, "p1", moved.time).fact)


def test_evidence_of_a_revoked_stay_changes_nothing() -> None:
    stay = StayTold()
    ward = Ward().hear(stay.discharge(LEFT), stay.delete("2026-03-06 16:00-06:00"), contact("2026-03-09 10:00-05:00"))
    assert ward.of(stay).transition.status is TransitionStatus.REVOKED
    assert all(o.task.status is TaskStatus.CANCELLED for o in ward.of(stay).tasks)
