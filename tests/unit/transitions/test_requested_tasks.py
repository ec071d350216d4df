"""Tasks opened for something that happened: what shows them done, and what asks for them again."""

from services.transitions.announcement import Cause
from services.transitions.cases import Cases
from services.transitions.monitoring.answering import TELEHEALTH, open_task
from services.transitions.task import Why
from services.transitions.transition import settle
from shared.events import AnyEvent
from shared.events.followups import AppointmentAttended, AppointmentBooked, AppointmentCancelled
from shared.events.people import Identifier
from shared.events.transitions import TaskStatus
from tests.unit.transitions.stays import StayTold, Ward, at, follow_up, library

VISIT = Identifier(authority="CLINIC", value="V1")


def proposed(when: str = "2026-03-09 10:00-05:00") -> tuple[StayTold, Ward]:
    stay = StayTold()
    ward = Ward().hear(stay.discharge("2026-03-06 15:00-06:00"))
    cases = Cases(ward.library, ward.cases)
    open_task(cases, ward.library, stay.id, TELEHEALTH, None, at(when), Cause(id="alert", at=at(when)))
    ward.cases["p1"] = cases.of("p1")
    return stay, ward


def booked(when: str, service: str = "TELEHEALTH", number: Identifier = VISIT) -> AnyEvent:
    return follow_up(AppointmentBooked, when, appointment=number, service=service)


def test_a_booking_of_the_kind_completes_it_and_any_other_does_not() -> None:
    stay, ward = proposed()
    ward.hear(booked("2026-03-09 09:59-05:00"))
    assert ward.task(stay, TELEHEALTH).is_live
    ward.hear(booked("2026-03-09 10:30-05:00", "WOUND CARE"))
    assert ward.task(stay, TELEHEALTH).is_live
    ward.hear(booked("2026-03-09 11:00-05:00", "448337001", Identifier(authority="CLINIC", value="V2")))
    done = ward.task(stay, TELEHEALTH)
    assert (done.task.status, done.why, done.settled_at) == (
        TaskStatus.COMPLETED,
        Why.EVIDENCE,
        at("2026-03-09 11:00-05:00"),
    )


def test_a_visit_that_took_place_completes_it_though_nobody_booked_it() -> None:
    stay, ward = proposed()
    ward.hear(follow_up(AppointmentAttended, "2026-03-09 15:00-05:00", appointment=VISIT, service="VR"))
    assert ward.task(stay, TELEHEALTH).task.status is TaskStatus.COMPLETED


def test_a_cancelled_booking_asks_for_it_again_once_with_the_same_due_time() -> None:
    stay, ward = proposed()
    ward.hear(booked("2026-03-09 11:00-05:00"))
    ward.hear(follow_up(AppointmentCancelled, "2026-03-09 12:00-05:00", appointment=VISIT))
    again = ward.task(stay, TELEHEALTH)
    assert (again.number, again.task.status, again.fired) == (2, TaskStatus.REQUESTED, 0)
    first = next(o for o in ward.of(stay).tasks if o.task.code == TELEHEALTH and o.number == 1)
    assert (first.why, first.task.due_at) == (Why.EVIDENCE_RETRACTED, again.task.due_at)
    assert settle(ward.cases["p1"], library()) == ward.cases["p1"]
    ward.hear(booked("2026-03-09 13:00-05:00", "Telehealth", Identifier(authority="CLINIC", value="V3")))
    assert ward.task(stay, TELEHEALTH).task.status is TaskStatus.COMPLETED
    assert len([o for o in ward.of(stay).tasks if o.task.code == TELEHEALTH]) == 2


def test_a_return_to_hospital_ends_it_and_a_death_does() -> None:
    for back in (True, False):
        stay, ward = proposed()
        if back:
            ward.hear(StayTold().admit("2026-03-10 10:00-05:00"))
        else:
            ward.hear(stay.correct("2026-03-10 10:00-05:00", patient=stay.summary(deceased=True)))
        assert not ward.task(stay, TELEHEALTH).is_live
