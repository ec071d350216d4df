"""Returns in quality measures: what leaves a stay out, what is a readmission, what is merged or planned."""

from typing import Any

import pytest

from shared.events.people import Disposition
from tests.unit.transitions.counted import CAME, IN_BED, LEFT, Book, ends_as, home
from tests.unit.transitions.stays import StayTold


@pytest.mark.parametrize(("back", "excluded"), [("2026-03-06 15:00-06:00", True), ("2026-04-05 23:59-05:00", True), ("2026-04-06 00:00-05:00", False)])  # fmt: skip
def test_a_return_to_a_bed_up_to_day_30_leaves_out(back: str, excluded: bool) -> None:  # noqa: FBT001
    for said, measure in (("class=IMP; diagnoses=F20.0", "FUH-30"), ("class=EMER; diagnoses=F20.0", "FUM-7")):
        book = home(f"{said}; born=1990-02-14")
        book.tell(back, "admitted again")
        assert ("admitted-again" in ends_as(book, measure)) == excluded, measure


def test_a_stay_before_on_the_same_day_is_no_return() -> None:
    book = Book.opened("class=IMP; diagnoses=F20.0; born=1990-02-14")
    book.tell("2026-03-06 08:00-06:00", "admitted")
    book.tell("2026-03-06 10:00-06:00", "discharged home")
    book.tell("2026-03-06 11:00-06:00", "admitted again")
    book.tell("2026-03-06 15:00-06:00", "discharged home")
    assert "admitted-again" in ends_as(book, "FUH-7", "first")
    assert "missed" in ends_as(book, "FUH-7", "second")


@pytest.mark.parametrize(("second", "excluded"), [("2026-04-05", True), ("2026-04-06", False)])
def test_a_second_visit_within_31_days(second: str, excluded: bool) -> None:  # noqa: FBT001
    book = home("class=EMER; diagnoses=F20.0; born=1990-02-14")
    book.tell(f"{second} 08:00-05:00", "emergency again")
    book.tell(f"{second} 09:00-05:00", "discharged home")
    assert ("within-31-days-of-another" in ends_as(book, "FUM-30", "second")) == excluded


def test_a_visit_that_is_left_out_does_not_leave_out_the_next() -> None:
    book = home("class=EMER; diagnoses=F20.0; born=1990-02-14")
    book.tell("2026-03-07 08:00-06:00", "admitted again")
    book.tell("2026-03-09 08:00-05:00", "discharged home")
    book.tell("2026-03-20 08:00-05:00", "emergency again")
    book.tell("2026-03-20 09:00-05:00", "discharged home")
    assert "admitted-again" in ends_as(book, "FUM-7")
    assert "missed" in ends_as(book, "FUM-7", "third")


@pytest.mark.parametrize(
    ("back", "became"),
    [
        ("2026-04-05 23:59-05:00", "met"),
        ("2026-04-06 00:00-05:00", "missed"),
        ("2026-03-08 10:00-05:00", "met"),
        ("2026-03-07 23:59-06:00", "part-of-a-later-stay"),  # one calendar day: a direct transfer
        ("2026-03-06 23:59-06:00", "part-of-a-later-stay"),
    ],
)
def test_pcr_counts_returns_and_merges_transfers(back: str, became: str) -> None:
    book = home()
    book.tell(back, "admitted again")
    assert became in ends_as(book, "PCR")


def test_pcr_leaves_out_same_day_stays_pregnancy_and_the_newborn() -> None:
    assert "same-day-stay" in ends_as(home(came="2026-03-06 06:00-06:00"), "PCR")
    assert "pregnancy" in ends_as(home("class=IMP; diagnoses=O80; born=1990-02-14"), "PCR")
    assert "perinatal" in ends_as(home("class=IMP; diagnoses=P07.3; born=1990-02-14"), "PCR")
    assert "missed" in ends_as(home("class=IMP; diagnoses=I10,O99.4; born=1990-02-14"), "PCR")


@pytest.mark.parametrize("why", ["indicator", "chemotherapy", "birth"])
def test_a_planned_return_is_no_readmission(why: str) -> None:
    book = home()
    codes = {"chemotherapy": ("Z51.11",), "birth": ("O80",)}.get(why, ())
    back = StayTold(diagnoses=codes)
    book.stays_told.append(back)
    indicator: dict[str, Any] = {"readmission_indicator": "P"} if why == "indicator" else {}
    book.ward.hear(back.admit("2026-03-16 10:00-05:00", patient=book.stay.state["patient"], **indicator))
    assert "missed" in ends_as(book, "PCR")
    assert ("missed" in ends_as(book, "READMISSION-30")) == (why == "indicator")


@pytest.mark.parametrize(
    ("nubc", "reason"),
    [("02", "transferred"), ("65", "transferred"), ("07", "against-advice"), ("20", "died"), ("81", "planned-return")],
)
def test_no_index_discharges(nubc: str, reason: str) -> None:
    book = Book.opened(IN_BED)
    book.tell(CAME, "admitted")
    book.tell(LEFT, f"discharged to {nubc}")
    book.tell("2026-03-16 10:00-05:00", "admitted again")
    assert reason in ends_as(book, "READMISSION-30")


def test_what_the_transition_is_flagged_with_is_what_is_counted() -> None:
    book = home()
    book.tell("2026-04-05 10:00-05:00", "admitted again")
    flagged = book.ward.of(book.stay).readmission
    assert flagged is not None
    assert ends_as(book, "READMISSION-30") == {"met", f"day {flagged.days}"}


def test_a_lost_discharge_does_not_swallow_what_follows() -> None:
    book = Book.opened(IN_BED)
    book.tell(CAME, "admitted")
    book.tell("2026-03-20 10:00-05:00", "admitted again")
    book.tell("2026-03-24 10:00-05:00", "discharged home")
    assert ends_as(book, "PCR") == {"not counted"}
    assert "missed" in ends_as(book, "PCR", "second")


def test_a_disposition_that_says_a_return_is_planned_is_no_index() -> None:
    book = Book.opened(IN_BED)
    book.tell(CAME, "admitted")
    book.ward.hear(book.stay.discharge(LEFT, disposition=Disposition(nubc="01", planned_readmission=True)))
    assert "planned-return" in ends_as(book, "READMISSION-30")
