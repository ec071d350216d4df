"""Due times against the domain's table, with what is told of how they were counted."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from services.transitions.due import due, end_of_visit_day
from services.transitions.protocols import Anchor, DueRule
from shared.events.people import Facility
from tests.unit.transitions.stays import CHICAGO, NEW_YORK, at

# discharge (local, 15:00), contact in 2 business days, visit in 7 and in 14 days
TABLE = [
    ("2026-03-02 15:00-06:00", "2026-03-04", "2026-03-09", "2026-03-16"),
    ("2026-03-06 15:00-06:00", "2026-03-10", "2026-03-13", "2026-03-20"),
    ("2026-03-07 15:00-06:00", "2026-03-10", "2026-03-14", "2026-03-21"),
    ("2026-03-08 15:00-05:00", "2026-03-10", "2026-03-15", "2026-03-22"),
    ("2026-05-22 15:00-05:00", "2026-05-27", "2026-05-29", "2026-06-05"),
    ("2025-12-24 15:00-06:00", "2025-12-29", "2025-12-31", "2026-01-07"),
    ("2025-12-31 15:00-06:00", "2026-01-05", "2026-01-07", "2026-01-14"),
    ("2026-02-26 15:00-06:00", "2026-03-02", "2026-03-05", "2026-03-12"),
]


def last_of(day: str, offset: str) -> str:
    return f"{day} 23:59:59.999999{offset}"


@pytest.mark.parametrize(("discharge", "contact", "seven", "fourteen"), TABLE)
def test_windows_end_with_the_day_the_table_says(discharge: str, contact: str, seven: str, fourteen: str) -> None:
    rules = (DueRule(business_days=2), DueRule(calendar_days=7), DueRule(calendar_days=14))
    for rule, day in zip(rules, (contact, seven, fourteen), strict=True):
        offset = "-05:00" if "2026-03-08" <= day < "2026-11-01" else "-06:00"
        assert due(rule, at(discharge), CHICAGO).at == at(last_of(day, offset))


@pytest.mark.parametrize(
    ("rule", "anchor", "facility", "expected"),
    [
        # Ten in the evening in Chicago is the next day in New York and in UTC.
        (DueRule(calendar_days=0), "2026-07-06 22:30-05:00", CHICAGO, "2026-07-06 23:59:59.999999-05:00"),
        (DueRule(calendar_days=0), "2026-07-06 22:30-05:00", NEW_YORK, "2026-07-06 23:59:59.999999-04:00"),
        (DueRule(calendar_days=0), "2026-07-06 23:30-05:00", NEW_YORK, "2026-07-07 23:59:59.999999-04:00"),
        (
            DueRule(calendar_days=7, inclusive=True),
            "2026-03-06 15:00-06:00",
            CHICAGO,
            "2026-03-12 23:59:59.999999-05:00",
        ),
        (DueRule(minutes=2), "2026-03-08 01:59-06:00", CHICAGO, "2026-03-08 02:01-06:00"),
        (DueRule(business_days=1), "2026-02-11 09:00-06:00", CHICAGO, "2026-02-12 23:59:59.999999-06:00"),
        (
            DueRule(business_days=1, state_holidays=True),
            "2026-02-11 09:00-06:00",
            CHICAGO,
            "2026-02-13 23:59:59.999999-06:00",
        ),
        # Counting the night in which clocks go back: the day has 25 hours and is still one day.
        (DueRule(calendar_days=1), "2026-10-31 12:00-05:00", CHICAGO, "2026-11-01 23:59:59.999999-06:00"),
    ],
)
def test_days_are_days_on_the_facilitys_wall(rule: DueRule, anchor: str, facility: Facility, expected: str) -> None:
    assert due(rule, at(anchor), facility).at == at(expected)


def test_says_in_words_how_the_days_were_counted() -> None:
    told = due(DueRule(business_days=2), at("2026-05-22 15:00-05:00"), CHICAGO).explained
    assert told == (
        "2 business days after the discharge on Fri 2026-05-22 (America/Chicago); not counted: Sat 2026-05-23 (Saturday), "
        "Sun 2026-05-24 (Sunday), Mon 2026-05-25 (Memorial Day). Due by the end of Wed 2026-05-27."
    )
    assert due(DueRule(calendar_days=7), at("2026-03-06 15:00-06:00"), CHICAGO).explained == (
        "7 calendar days after the discharge, Fri 2026-03-06 (America/Chicago). Due by the end of Fri 2026-03-13."
    )
    assert due(DueRule(anchor=Anchor.ADMISSION, calendar_days=1), at("2026-03-06 15:00-06:00"), CHICAGO).explained == (
        "1 calendar day after the admission, Fri 2026-03-06 (America/Chicago). Due by the end of Sat 2026-03-07."
    )
    assert due(DueRule(minutes=2), at("2026-03-06 15:00-06:00"), CHICAGO).explained == "2 minutes after the discharge"


def test_a_visit_pulls_what_must_precede_it_to_its_day_and_never_pushes() -> None:
    rule_due = due(DueRule(calendar_days=14), at("2026-03-06 15:00-06:00"), CHICAGO)
    early = end_of_visit_day(rule_due, at("2026-03-09 10:00-05:00"), CHICAGO, "Visit")
    assert early.at == at("2026-03-09 23:59:59.999999-05:00")
    assert "On or before the day of “Visit”, Mon 2026-03-09" in early.explained
    assert end_of_visit_day(rule_due, rule_due.at + timedelta(days=3), CHICAGO, "Visit") == rule_due


@pytest.mark.parametrize(
    "units", [{}, {"business_days": 1, "minutes": 1}, {"business_days": 0}, {"minutes": 5, "inclusive": True}]
)
def test_a_due_rule_has_exactly_one_unit(units: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        DueRule.model_validate(units)
