"""Which follow-up counts: by whom it was with, what it was for, when it was, and once."""

from uuid import UUID

import pytest

from shared.events.followups import AppointmentAttended, AppointmentNoShow
from shared.events.people import Diagnosis, Identifier
from tests.unit.transitions import stays
from tests.unit.transitions.counted import days_after, ends_as, home
from tests.unit.transitions.stays import at, follow_up


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


def test_a_visit_before_the_emergency_one_on_the_same_day_does_not_count() -> None:
    book = home("class=EMER; diagnoses=F20.0; born=1990-02-14")
    book.tell("2026-03-06 14:59-06:00", "visit attended")
    assert "missed" in ends_as(book, "FUM-7")


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
