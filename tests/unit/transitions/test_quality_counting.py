"""Boundaries of quality measures: days, ages, transfers, deaths, planned returns, repeats; and what a file may say."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.transitions.protocols import WrongProtocolError
from services.transitions.quality.figures import Figure
from services.transitions.quality.measures import SHIPPED, read_measures
from services.transitions.quality.report import measure_report
from services.transitions.quality.sheet import patients_sheet
from shared.events.followups import AppointmentAttended, AppointmentNoShow
from shared.events.people import Diagnosis, Disposition, EncounterClass, Identifier
from tests.unit.transitions import stays
from tests.unit.transitions.counted import MEASURES, Book, days_after
from tests.unit.transitions.stays import NEW_YORK, StayTold, at, follow_up

IN_BED = "class=IMP; born=1950-02-14"
CAME, LEFT = "2026-03-02 10:00-06:00", "2026-03-06 15:00-06:00"
# What counts as the follow-up where a measure asks with whom, or for what.
SEEN = {"FUH": "visit to Psychiatry", "FUM": "visit for F20.0", "FUA": "visit for F10.1"}
MUCH_LATER = "2027-06-01 00:00-05:00"


def home(said: str = IN_BED, left: str = LEFT, came: str = CAME) -> Book:
    book = Book.opened(said)
    book.tell(came, "admitted")
    book.tell(left, "discharged home")
    return book


def ends_as(book: Book, measure: str, of: str = "first") -> set[str]:
    return book.standing_at(MUCH_LATER, measure, of)


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


def test_a_contact_before_the_discharge_or_with_the_receiving_nurse_is_none() -> None:
    book = home()
    book.tell("2026-03-06 14:59-06:00", "contact made")
    book.tell("2026-03-09 10:00-05:00", "nurse report given")
    assert "missed" in ends_as(book, "TCM-CONTACT")


def test_one_attempt_or_two_too_late_do_not_suffice() -> None:
    for second in (None, "2026-03-11 00:00-05:00", "2026-03-09 10:00-05:00"):
        book = home()
        for when in ("2026-03-09 10:00-05:00", *filter(None, [second])):
            book.tell(when, "contact attempted")
        book.tell("2026-03-12 09:00-05:00", "medications reconciled by pharmacist")
        book.tell("2026-03-12 10:00-05:00", "visit attended")
        # The same instant twice is one attempt.
        assert "missed" in ends_as(book, "TCM-CONTACT"), second


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


def test_a_visit_before_the_emergency_one_on_the_same_day_does_not_count() -> None:
    book = home("class=EMER; diagnoses=F20.0; born=1990-02-14")
    book.tell("2026-03-06 14:59-06:00", "visit attended")
    assert "missed" in ends_as(book, "FUM-7")


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


def test_days_are_those_of_the_facility() -> None:
    # 23:30 in Chicago on day 7 is day 8 in New York.
    book = Book.opened("class=IMP; diagnoses=F20.0; born=1990-02-14")
    book.stay.facility = NEW_YORK
    book.tell("2026-03-06 15:00-05:00", "discharged home")
    book.tell("2026-03-13 23:30-05:00", "visit to Psychiatry")
    assert "missed" in ends_as(book, "FUH-7")
    assert "met" in ends_as(book, "FUH-30")


MENTAL, SUBSTANCE = ("class=EMER; diagnoses=F20.0; born=1990-02-14", "class=EMER; diagnoses=F10.1; born=1990-02-14")
DAY_3 = "2026-03-09 10:00-05:00"


@pytest.mark.parametrize(
    ("measure", "said", "visit", "became"),
    [
        ("FUH-7", "class=IMP; diagnoses=F20.0", "visit attended", "missed"),
        ("FUH-7", "class=IMP; diagnoses=F20.0", "visit to Cardiology", "missed"),
        ("FUH-7", "class=IMP; diagnoses=F20.0", "visit to 103TC0700X", "met"),
        ("FUH-7", "class=IMP; diagnoses=F20.0", "visit to 363LP0808X", "met"),
        ("FUH-7", "class=IMP; diagnoses=F20.0", "visit to 363L00000X", "missed"),
        ("FUH-7", "class=IMP; diagnoses=F20.0", "visit to psy", "met"),
        ("FUH-7", "class=IMP; diagnoses=F20.0", "visit to Community Mental Health Center", "met"),
        ("FUH-7", "class=IMP; diagnoses=F20.0", "visit for F20.0", "missed"),
        ("FUM-7", MENTAL, "visit attended", "missed"),
        ("FUM-7", MENTAL, "visit for F33.1", "met"),
        ("FUM-7", MENTAL, "visit for X71.0", "met"),
        ("FUM-7", MENTAL, "visit for I10", "missed"),
        ("FUM-7", MENTAL, "visit to Psychiatry", "missed"),
        ("FUA-7", SUBSTANCE, "visit attended", "missed"),
        ("FUA-7", SUBSTANCE, "visit for T40.1X1A", "met"),
        ("FUA-7", SUBSTANCE, "visit for F17.2", "missed"),
        ("FUA-7", SUBSTANCE, "visit to Psychiatry", "met"),
    ],
)
def test_a_follow_up_counts_by_whom_it_was_with_or_what_it_was_for(
    measure: str, said: str, visit: str, became: str
) -> None:
    book = home(f"{said}; born=1990-02-14" if "born" not in said else said)
    book.tell(DAY_3, visit)
    assert became in ends_as(book, measure)


def test_only_the_principal_diagnosis_makes_a_visit_one_for_mental_illness() -> None:
    for codes, became in ((("I10", "F33.1"), "missed"), (("F33.1", "I10"), "met")):
        book = home(MENTAL)
        book.ward.hear(stays.attended(DAY_3, diagnoses=tuple(Diagnosis(code=code) for code in codes)))
        assert became in ends_as(book, "FUM-7"), codes
    book = home(MENTAL)
    ranked = (Diagnosis(code="I10", rank=2), Diagnosis(code="F33.1", rank=1))
    book.ward.hear(stays.attended(DAY_3, diagnoses=ranked))
    assert "met" in ends_as(book, "FUM-7")


def test_what_an_outpatient_was_seen_for_is_said_later_and_may_be_corrected() -> None:
    book = home(MENTAL)
    book.tell(DAY_3, "registered as an outpatient")
    assert "missed" in ends_as(book, "FUM-7")
    book.tell("2026-03-20 10:00-05:00", "the outpatient was seen for F33.1")  # said late, of a visit in time
    assert ends_as(book, "FUM-7") >= {"met", "day 3"}
    book.tell("2026-03-21 10:00-05:00", "the outpatient was seen for I10")
    assert "missed" in ends_as(book, "FUM-7")


def test_tcm_is_counted_once_in_thirty_days() -> None:
    every = ("TCM-CONTACT", "TCM-VISIT-7", "TCM-VISIT-14", "TCM-MEDREC")
    for again, left, second in (
        ("2026-03-25 10:00-05:00", "2026-04-04 10:00-05:00", "within-30-days-of-another"),  # day 29
        ("2026-03-25 10:00-05:00", "2026-04-05 10:00-05:00", "met"),  # the 30 days that began on 6 March are over
    ):
        book = home()
        book.tell(DAY_3, "contact made")
        book.tell("2026-03-12 10:00-05:00", "medications reconciled by pharmacist")
        book.tell("2026-03-12 11:00-05:00", "visit attended")
        book.tell(again, "admitted again")
        book.tell(left, "discharged home")
        for day, words in ((1, "contact made"), (3, "medications reconciled by pharmacist"), (4, "visit attended")):
            book.tell(days_after(left, day), words)
        for measure in every:
            assert "met" in ends_as(book, measure), measure
            assert second in ends_as(book, measure, "second"), (left, measure)


def test_tcm_begins_anew_where_the_patient_is_back_before_the_visit_is_due() -> None:
    book = home()
    book.tell("2026-03-20 10:00-05:00", "admitted again")  # day 14
    book.tell("2026-03-24 10:00-05:00", "discharged home")
    for measure in ("TCM-CONTACT", "TCM-VISIT-7", "TCM-VISIT-14"):
        assert "admitted-again" in ends_as(book, measure), measure
        assert "missed" in ends_as(book, measure, "second"), measure


def test_a_visit_taken_back_and_a_deed_for_another_stay_count_for_nothing() -> None:
    book = home()
    visit = Identifier(authority="PCP", value="A1")
    for fact, when in ((AppointmentAttended, "2026-03-10 10:00-05:00"), (AppointmentNoShow, "2026-03-10 12:00-05:00")):
        book.ward.hear(follow_up(fact, when, appointment=visit, starts_at=at("2026-03-10 10:00-05:00")))
    book.ward.hear(stays.contact("2026-03-11 10:00-05:00", transition_id=UUID(int=9)))
    assert "missed" in ends_as(book, "TRC-3")


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


def test_a_disposition_that_says_a_return_is_planned_is_no_index() -> None:
    book = Book.opened(IN_BED)
    book.tell(CAME, "admitted")
    book.ward.hear(book.stay.discharge(LEFT, disposition=Disposition(nubc="01", planned_readmission=True)))
    assert "planned-return" in ends_as(book, "READMISSION-30")


def shipped(folder: Path, name: str, old: str, new: str) -> Path:
    for path in SHIPPED.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        assert path.name != name or old in text
        (folder / path.name).write_text(text.replace(old, new) if path.name == name else text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("fuh.yaml", "principal: [mental-illness]", "principal: [bad-mood]", "no value set"),
        ("fuh.yaml", "to_day: 30}", "to_day: 30, business_days: 2}", "exactly one of"),
        ("fuh.yaml", "care.followup.appointment-attended.v1", "care.followup.was-here.v1", "no such event"),
        ("tcm.yaml", "measure: TCM-VISIT-14", "measure: TCM-MEDREC", "own outcome"),
        ("tcm.yaml", "if_met: [TCM-VISIT-14", "if_met: [TCM-VISIT-99", "TCM-VISIT-99"),
        ("fmc.yaml", "id: FMC", "id: PCR", "stands there twice"),
        ("fmc.yaml", "until:", "unitl:", "Extra inputs"),
        ("fmc.yaml", "name: fmc", "name: [", "is not YAML"),
    ],
)
def test_a_file_that_can_not_be_used_is_refused(tmp_path: Path, name: str, old: str, new: str, said: str) -> None:
    with pytest.raises(WrongProtocolError, match=said):
        read_measures(shipped(tmp_path, name, old, new))


def test_another_number_is_another_edition(tmp_path: Path) -> None:
    other = read_measures(shipped(tmp_path, "fmc.yaml", "to_day: 7\n      after", "to_day: 6\n      after"))
    assert other.edition != MEASURES.edition
    assert read_measures().edition == MEASURES.edition


def test_a_sheet_is_no_formula_and_an_empty_report_has_no_score() -> None:
    item = dict.fromkeys(
        ("status", "patient_id", "transition_id", "about", "facility", "counted_on", "closes_at", "exclusion", "met",
         "met_at", "event_id", "value", "why", "version")
    )  # fmt: skip
    sheet = patients_sheet([{**item, "organisation": '=HYPERLINK("http://x")', "protocols": ["tcm-home", "copd"]}])
    assert "\"'=HYPERLINK" in sheet
    assert "tcm-home copd" in sheet
    days = (at("2026-01-01 00:00").date(), at("2027-01-01 00:00").date())
    report = measure_report(MEASURES.by_id["PCR"], [], days, at("2026-12-01 00:00"))
    assert report["period"] == {"start": "2026-01-01", "end": "2026-12-31"}
    assert "measureScore" not in report["group"][0]
    pending = Figure("PCR", {}, pending=2, left_out={"died": 1})
    counts = measure_report(MEASURES.by_id["PCR"], [pending], days, at("2026-12-01 00:00"))["group"][0]["population"]
    assert [one["count"] for one in counts] == [3, 1, 1, 0]
