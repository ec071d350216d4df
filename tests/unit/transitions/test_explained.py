"""Why a task is due when it is: also one that was opened for something that happened."""

from services.transitions.protocol_api import explained
from services.transitions.store.timers import Clocked
from shared.events.notifications import Acknowledgement
from tests.unit.transitions.stays import StayTold, Ward, at, must_acknowledge


def test_a_task_that_was_opened_for_a_notice_counts_from_the_notice() -> None:
    stay = StayTold()
    left = stay.discharge("2026-03-06 15:00-06:00")
    ward = Ward().hear(left, must_acknowledge(left, "2026-03-06 15:01-06:00", priority=Acknowledgement.ROUTINE))
    obligation = ward.task(stay, "acknowledgement-routine")
    told = explained(Clocked(ward.of(stay).transition, obligation), ward.library)
    assert told["anchored_at"] == at("2026-03-06 15:01-06:00")
    assert told["due_at"] == at("2026-03-09 23:59:59.999999-05:00")
    assert [(f"{day['day']:%m-%d}", day["counted"]) for day in told["days"]] == [
        ("03-06", 0),
        ("03-07", None),
        ("03-08", None),
        ("03-09", 1),
    ]


def test_one_that_the_discharge_asks_for_counts_from_the_discharge() -> None:
    stay = StayTold()
    ward = Ward().hear(stay.discharge("2026-03-06 15:00-06:00"))
    told = explained(Clocked(ward.of(stay).transition, ward.task(stay, "interactive-contact")), ward.library)
    assert told["anchored_at"] == at("2026-03-06 15:00-06:00")
