"""What a death ends, what is owed again once it was told in error, and whose the task is then."""

from dataclasses import replace

import pytest

from services.transitions.task import Why
from shared.events.encounters import PatientUpdated
from shared.events.followups import AppointmentNoShow
from shared.events.people import Identifier, PatientSummary
from shared.events.transitions import TaskStatus, TransitionStatus
from tests.unit.transitions.stays import (
    StayTold,
    Ward,
    at,
    attended,
    contact,
    delivered,
    event_of,
    follow_up,
    reconciled,
    updated,
)

HOME = {"interactive-contact", "follow-up-visit", "medication-reconciliation", "discharge-information"}


def test_a_death_at_home_cancels_everything_and_a_correction_of_it_asks_again() -> None:
    stay = StayTold()
    ward = Ward().hear(stay.discharge("2026-03-06 15:00-06:00"))
    dead = PatientSummary(id="p1", deceased=True)
    ward.hear(event_of(PatientUpdated(patient=dead), "p1", at("2026-03-07 09:00-06:00")))
    assert ward.of(stay).transition.status is TransitionStatus.CLOSED
    assert {o.why for o in ward.of(stay).tasks} == {Why.PATIENT_DIED}
    assert ward.said_types()[-5:] == [*["task.cancelled"] * 4, "transition.closed"]
    ward.hear(stay.correct("2026-03-07 10:00-06:00", patient=stay.summary()))
    assert {o.task.code for o in ward.of(stay).tasks if o.is_live} == HOME


def test_a_death_that_is_taken_back_asks_again_whoever_says_so() -> None:
    stay = StayTold()
    ward = Ward().hear(stay.discharge("2026-03-06 15:00-06:00"))
    ward.hear(updated(stay.summary(deceased=True), "2026-03-07 09:00-06:00"))
    assert ward.of(stay).transition.status is TransitionStatus.CLOSED
    ward.hear(updated(stay.summary(deceased=False), "2026-03-07 10:00-06:00"))
    assert ward.of(stay).transition.status is TransitionStatus.FOLLOWING
    assert {o.task.code for o in ward.of(stay).tasks if o.is_live} == HOME


@pytest.mark.parametrize("code", ["interactive-contact", "medication-reconciliation"])
def test_a_task_that_a_death_told_in_error_ended_is_again_whose_it_was(code: str) -> None:
    stay = StayTold()
    ward = Ward().hear(stay.discharge("2026-03-06 15:00-06:00"))
    claim(ward, stay, code, "ann")
    ward.hear(updated(stay.summary(deceased=True), "2026-03-07 09:00-06:00"))
    ward.hear(updated(stay.summary(deceased=False), "2026-03-07 10:00-06:00"))
    owners = {o.task.code: (o.task.owner, o.task.status) for o in ward.of(stay).tasks if o.is_live}
    assert owners.pop(code) == ("ann", TaskStatus.ACCEPTED)
    assert set(owners.values()) == {(None, TaskStatus.REQUESTED)}


def test_a_task_that_a_return_took_away_is_again_whose_it_was_when_there_was_none() -> None:
    stay, back = StayTold(), StayTold()
    ward = Ward().hear(stay.discharge("2026-03-06 15:00-06:00"))
    claim(ward, stay, "interactive-contact", "ann")
    ward.hear(back.admit("2026-03-08 09:00-05:00"))
    assert not ward.task(stay, "interactive-contact").is_live
    ward.hear(back.cancel("2026-03-08 10:00-05:00"))
    assert ward.task(stay, "interactive-contact").task.owner == "ann"


def claim(ward: Ward, stay: StayTold, code: str, owner: str) -> None:
    case, followed = ward.cases["p1"], ward.of(stay)
    tasks = tuple(o.claim(owner) if o.task.code == code else o for o in followed.tasks)
    ward.cases["p1"] = replace(case, followed={**case.followed, stay.id: replace(followed, tasks=tasks)})


def closed_normally() -> tuple[StayTold, Ward]:
    """All was done, and the visit was shown by a booking that may be taken back."""
    stay = StayTold()
    left = stay.discharge("2026-03-06 15:00-06:00")
    ward = Ward().hear(left, contact("2026-03-07 10:00-06:00"), attended("2026-03-09 09:00-05:00"))
    ward.hear(reconciled("2026-03-09 09:30-05:00"), delivered(left, "2026-03-06 15:01-06:00"))
    assert (ward.of(stay).transition.status, ward.of(stay).why) == (TransitionStatus.CLOSED, Why.ALL_DONE)
    return stay, ward


def test_a_death_after_a_normal_close_is_known_to_the_transition_and_changes_nothing_else() -> None:
    stay, ward = closed_normally()
    said = len(ward.said)
    died = stay.summary(deceased=True, deceased_at=at("2026-03-12 04:00-05:00"))
    ward.hear(updated(died, "2026-03-12 05:00-05:00"), updated(died, "2026-03-12 06:00-05:00"))
    followed = ward.of(stay)
    assert (followed.transition.patient.deceased, followed.transition.patient.deceased_at) == (True, died.deceased_at)
    assert (followed.transition.status, followed.why) == (TransitionStatus.CLOSED, Why.ALL_DONE)
    assert [draft.fact.TYPE for draft in ward.said[said:]] == ["care.transition.changed.v1"]


def test_nobody_is_asked_for_a_visit_that_is_taken_back_after_a_death() -> None:
    stay, ward = closed_normally()
    ward.hear(updated(stay.summary(deceased=True), "2026-03-12 05:00-05:00"))
    visit = Identifier(authority="PCP", value="A1")
    ward.hear(follow_up(AppointmentNoShow, "2026-03-13 09:00-05:00", appointment=visit))
    assert not any(o.is_live for o in ward.of(stay).tasks)
    ward.hear(updated(stay.summary(deceased=False), "2026-03-14 05:00-05:00"))
    assert any(o.is_live for o in ward.of(stay).tasks)


def test_a_new_name_of_the_patient_is_no_news_for_a_closed_transition() -> None:
    stay = StayTold()
    ward = Ward().hear(stay.discharge("2026-03-06 15:00-06:00", "20"))
    assert ward.of(stay).transition.status is TransitionStatus.CLOSED
    said = len(ward.said)
    ward.hear(updated(stay.summary(language="es"), "2026-03-08 09:00-06:00"))
    assert len(ward.said) == said
