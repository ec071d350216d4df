"""Boundaries of quality measures: days, ages, deaths, dispositions, diagnoses, referrals."""

import pytest

from shared.events.people import EncounterClass
from tests.unit.transitions.counted import CAME, IN_BED, LEFT, Book, days_after, ends_as, home
from tests.unit.transitions.stays import NEW_YORK, StayTold, at

# What counts as the follow-up where a measure asks with whom, or for what.
SEEN = {"FUH": "visit to Psychiatry", "FUM": "visit for F20.0", "FUA": "visit for F10.1"}


@pytest.mark.parametrize(
    ("measure", "said", "last", "too_late"),
    [
        ("TRC-3", IN_BED, "2026-04-05 23:59-05:00", "2026-04-06 00:00-05:00"),
        ("FUH-7", "class=IMP; diagnoses=F20.0; born=1990-01-01", "2026-03-13 23:59-05:00", "2026-03-14 00:00-05:00"),
        ("FUH-30", "class=IMP; diagnoses=F20.0; born=1990-01-01", "2026-04-05 23:59-05:00", "2026-04-06 00:00-05:00"),
        ("FUM-7", "class=EMER; diagnoses=F20.0; born=1990-01-01", "2026-03-13 23:59-05:00", "2026-03-14 00:00-05:00"),
        ("FUM-30", "class=EMER; diagnoses=F20.0; born=1990-01-01", "2026-04-05 23:59-05:00", "2026-04-06 00:00-05:00"),
        ("FUA-7", "class=EMER; diagnoses=F10.1; born=1990-01-01", "2026-03-13 23:59-05:00", "2026-03-14 00:00-05:00"),
        ("FUA-30", "class=EMER; diagnoses=F10.1; born=1990-01-01", "2026-04-05 23:59-05:00", "2026-04-06 00:00-05:00"),
        ("FMC", "class=EMER; diagnoses=I48.0,N18.3; born=1950-01-01", "2026-03-13 23:59-05:00", "2026-03-14 00:00-05:00"),
        ("TCM-VISIT-7", IN_BED, "2026-03-13 23:59-05:00", "2026-03-14 00:00-05:00"),
        ("TCM-VISIT-14", IN_BED, "2026-03-20 23:59-05:00", "2026-03-21 00:00-05:00"),
    ],
)  # fmt: skip
def test_the_last_day_counts_to_its_end_and_the_next_not_at_all(
    measure: str, said: str, last: str, too_late: str
) -> None:
    for when, became in ((last, "met"), (too_late, "missed")):
        book = home(said)
        book.tell(when, SEEN.get(measure[:3], "visit attended"))
        assert became in ends_as(book, measure), when


# domain: contact due by the end of these days.
CONTACTS = [
    ("2026-03-02 15:00-06:00", "2026-03-04"),
    ("2026-03-06 15:00-06:00", "2026-03-10"),
    ("2026-03-07 15:00-06:00", "2026-03-10"),
    ("2026-03-08 15:00-05:00", "2026-03-10"),
    ("2026-05-22 15:00-05:00", "2026-05-27"),
    ("2025-12-24 15:00-06:00", "2025-12-29"),
    ("2025-12-31 15:00-06:00", "2026-01-05"),
    ("2026-02-26 15:00-06:00", "2026-03-02"),
]


@pytest.mark.parametrize(("left", "due"), CONTACTS)
def test_a_contact_is_in_time_within_two_business_days(left: str, due: str) -> None:
    offset = "-05:00" if "2026-03-08" <= due < "2026-11-01" else "-06:00"
    for when, became in ((f"{due} 23:59{offset}", "met"), (days_after(f"{due} 23:59{offset}", 1), "missed")):
        book = home(left=left, came=days_after(left, -2))
        book.tell(when, "contact made")
        assert became in ends_as(book, "TCM-CONTACT"), when


@pytest.mark.parametrize(("nubc", "reason"), [("20", "died"), ("41", "died"), ("50", "hospice"), ("51", "hospice")])
def test_deaths_and_hospices_are_left_out(nubc: str, reason: str) -> None:
    book = Book.opened("class=IMP; diagnoses=F20.0; born=1990-02-14")
    book.tell(CAME, "admitted")
    book.tell(LEFT, f"discharged to {nubc}")
    for measure in ("TRC-1", "TRC-3", "FUH-7", "PCR"):
        assert ends_as(book, measure) >= {"excluded", reason}, measure


@pytest.mark.parametrize(
    ("died", "trc", "tcm"),
    [
        ("2026-04-04 10:00-05:00", True, True),
        ("2026-04-05 10:00-05:00", True, False),  # the 30 days of TCM end on day 29
        ("2026-12-31 23:59-06:00", True, False),
        ("2027-01-01 00:00-06:00", False, False),
    ],
)
def test_a_death_after_the_discharge(died: str, trc: bool, tcm: bool) -> None:  # noqa: FBT001
    book = home()
    book.tell(died, "died")
    # A transition that is over keeps the patient as known then: a later stay's word holds for the patient.
    book.tell(days_after(died, 0), "emergency again")
    book.stay.state["patient"] = book.stay.summary(birth_date="1950-02-14", deceased=True, deceased_at=at(died))
    book.tell(days_after(died, 0), "discharged to 20")
    assert ("died" in ends_as(book, "TRC-3")) == trc
    assert ("died" in ends_as(book, "TCM-VISIT-14")) == tcm


@pytest.mark.parametrize("nubc", ["03", "04", "61", "62", "64", "83"])
def test_a_transfer_to_non_acute_care_is_no_fuh(nubc: str) -> None:
    book = Book.opened("class=IMP; diagnoses=F20.0; born=1990-02-14")
    book.tell(LEFT, f"discharged to {nubc}")
    assert "non-acute-transfer" in ends_as(book, "FUH-7")


@pytest.mark.parametrize(
    ("measure", "said", "born", "counted"),
    [
        # TRC: 18 on 31 December; the others on the day of the visit or discharge.
        ("TRC-1", "class=IMP", "2008-12-31", True),
        ("TRC-1", "class=IMP", "2009-01-01", False),
        ("FUH-7", "class=IMP; diagnoses=F20.0", "2020-03-06", True),
        ("FUH-7", "class=IMP; diagnoses=F20.0", "2020-03-07", False),
        ("FUA-7", "class=EMER; diagnoses=F10.1", "2013-03-06", True),
        ("FUA-7", "class=EMER; diagnoses=F10.1", "2013-03-07", False),
        ("PCR", "class=IMP", "2008-03-06", True),
        ("PCR", "class=IMP", "2008-03-07", False),
    ],
)
def test_ages(measure: str, said: str, born: str, counted: bool) -> None:  # noqa: FBT001
    assert (ends_as(home(f"{said}; born={born}"), measure) != {"not counted"}) == counted


def test_an_age_that_nobody_said_is_told_as_such() -> None:
    book = home("class=IMP")
    assert "age-unknown" in ends_as(book, "TRC-1")
    # TCM asks no age.
    assert "missed" in ends_as(book, "TCM-VISIT-7")


@pytest.mark.parametrize(
    ("measure", "said", "left", "counted"),
    [
        ("TRC-1", IN_BED, "2026-12-01 23:59-06:00", True),
        ("TRC-1", IN_BED, "2026-12-02 00:00-06:00", False),
        ("FMC", "class=EMER; diagnoses=I48.0,N18.3; born=1950-01-01", "2026-12-24 23:59-06:00", True),
        ("FMC", "class=EMER; diagnoses=I48.0,N18.3; born=1950-01-01", "2026-12-25 00:00-06:00", False),
    ],
)
def test_the_years_last_day(measure: str, said: str, left: str, counted: bool) -> None:  # noqa: FBT001
    found = ends_as(home(said, left, days_after(left, -2)), measure)
    assert ("outside-measurement-year" in found) != counted


@pytest.mark.parametrize(
    ("diagnoses", "counted"),
    [
        ("F20.0,I10", True),
        ("I10,F20.0", False),  # mental illness counts as the principal diagnosis only
        ("S61.5,X78.1", True),  # self-harm wherever it stands
        ("I10", False),
    ],
)
def test_which_diagnoses_count(diagnoses: str, counted: bool) -> None:  # noqa: FBT001
    book = home(f"class=IMP; diagnoses={diagnoses}; born=1990-02-14")
    assert (ends_as(book, "FUH-7") != {"not counted"}) == counted


def test_copd_and_asthma_are_one_condition_and_those_of_the_year_before_count() -> None:
    assert ends_as(home("class=EMER; diagnoses=J44.9,J45.20; born=1950-02-14"), "FMC") == {"not counted"}
    for before, counted in (("2025-03-07 10:00-06:00", True), ("2025-03-05 10:00-06:00", False)):
        book = home("class=EMER; diagnoses=J44.9; born=1950-02-14", left=days_after(before, 1), came=before)
        second = StayTold(encounter_class=EncounterClass.EMERGENCY, diagnoses=("N18.3",))
        second.state["patient"] = book.stay.state["patient"]
        book.stays_told.append(second)
        book.ward.hear(second.admit("2026-03-06 10:00-06:00"), second.discharge("2026-03-06 15:00-06:00"))
        assert (ends_as(book, "FMC", "second") != {"not counted"}) == counted, before


def test_days_are_those_of_the_facility() -> None:
    # 23:30 in Chicago on day 7 is day 8 in New York.
    book = Book.opened("class=IMP; diagnoses=F20.0; born=1990-02-14")
    book.stay.facility = NEW_YORK
    book.tell("2026-03-06 15:00-05:00", "discharged home")
    book.tell("2026-03-13 23:30-05:00", "visit to Psychiatry")
    assert "missed" in ends_as(book, "FUH-7")
    assert "met" in ends_as(book, "FUH-30")


def test_a_discharge_taken_back_is_not_counted() -> None:
    book = home()
    book.tell("2026-03-06 16:00-06:00", "discharge taken back")
    assert ends_as(book, "TRC-1") == {"not counted"}


def test_referrals_that_nobody_owes_a_report_of_are_left_out() -> None:
    for words, reason in (("cancel", "cancelled"), ("error", "entered-in-error")):
        book = Book.opened()
        book.tell(LEFT, "referral request")
        book.tell("2026-03-07 10:00-06:00", f"referral {words}")
        assert reason in ends_as(book, "REFERRAL-CLOSED")
    book = Book.opened()
    for day, words in enumerate(("request", "accept", "attend", "complete", "result", "withdraw-result")):
        book.tell(days_after(LEFT, day), f"referral {words}")
    assert "missed" in ends_as(book, "REFERRAL-REPORT")
