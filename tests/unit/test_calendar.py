from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.calendar import add_business_days, end_of_day, is_business_day, local_date, why_no_business_day

CHICAGO = "America/Chicago"


def day(text: str) -> date:
    return date.fromisoformat(text)


# The table of the domain: discharge, end of two business days, seven days, fourteen days, last day of the period.
TCM = [
    ("2026-03-02", "2026-03-04", "2026-03-09", "2026-03-16", "2026-03-31"),
    ("2026-03-06", "2026-03-10", "2026-03-13", "2026-03-20", "2026-04-04"),
    ("2026-03-07", "2026-03-10", "2026-03-14", "2026-03-21", "2026-04-05"),
    ("2026-03-08", "2026-03-10", "2026-03-15", "2026-03-22", "2026-04-06"),
    ("2026-05-22", "2026-05-27", "2026-05-29", "2026-06-05", "2026-06-20"),
    ("2025-12-24", "2025-12-29", "2025-12-31", "2026-01-07", "2026-01-22"),
    ("2025-12-31", "2026-01-05", "2026-01-07", "2026-01-14", "2026-01-29"),
    ("2026-02-26", "2026-03-02", "2026-03-05", "2026-03-12", "2026-03-27"),
]


@pytest.mark.parametrize(("discharge", "contact", "seven", "fourteen", "last"), TCM)
def test_counts_as_the_table_says(discharge: str, contact: str, seven: str, fourteen: str, last: str) -> None:
    start = day(discharge)
    assert add_business_days(start, 2).day == day(contact)
    assert start + timedelta(days=7) == day(seven)
    assert start + timedelta(days=14) == day(fourteen)
    assert start + timedelta(days=29) == day(last)


@pytest.mark.parametrize(
    ("when", "why"),
    [
        ("2026-03-07", "Saturday"),
        ("2026-03-08", "Sunday"),
        ("2026-05-25", "Memorial Day"),
        ("2026-07-03", "Independence Day (observed)"),
        ("2026-06-19", "Juneteenth National Independence Day"),
        ("2026-10-12", "Columbus Day"),
        ("2026-11-26", "Thanksgiving Day"),
        ("2025-12-26", None),  # closed by an executive order, yet no federal holiday
        ("2026-03-09", None),
    ],
)
def test_says_why_a_day_does_not_count(when: str, why: str | None) -> None:
    assert why_no_business_day(day(when)) == why


def test_leaves_out_a_states_own_holidays_only_where_asked() -> None:
    lincoln = day("2026-02-12")
    assert is_business_day(lincoln)
    assert not is_business_day(lincoln, "IL")
    assert add_business_days(day("2026-02-11"), 1, "IL").day == day("2026-02-13")


def test_names_the_days_left_out() -> None:
    counted = add_business_days(day("2026-05-22"), 2)
    assert [(f"{s.day}", s.why) for s in counted.skipped] == [
        ("2026-05-23", "Saturday"),
        ("2026-05-24", "Sunday"),
        ("2026-05-25", "Memorial Day"),
    ]


def test_no_business_days_is_no_question() -> None:
    with pytest.raises(ValueError, match="counted from one"):
        add_business_days(day("2026-03-02"), 0)


@pytest.mark.parametrize(
    ("instant", "zone", "expected"),
    [
        ("2026-03-07T05:59:59+00:00", CHICAGO, "2026-03-06"),
        ("2026-03-07T06:00:00+00:00", CHICAGO, "2026-03-07"),
        ("2026-03-07T06:00:00+00:00", "UTC", "2026-03-07"),
        ("2026-03-07T06:00:00+00:00", "Pacific/Honolulu", "2026-03-06"),
    ],
)
def test_reads_the_date_on_the_facilitys_wall(instant: str, zone: str, expected: str) -> None:
    assert local_date(datetime.fromisoformat(instant), zone) == day(expected)


def test_a_day_ends_at_local_midnight_on_both_sides_of_the_change_of_clocks() -> None:
    before, after = end_of_day(day("2026-03-07"), CHICAGO), end_of_day(day("2026-03-08"), CHICAGO)
    assert before == datetime(2026, 3, 8, 5, 59, 59, 999999, UTC)
    assert after == datetime(2026, 3, 9, 4, 59, 59, 999999, UTC)
    assert after - before == timedelta(hours=23)


@given(st.dates(date(2015, 1, 1), date(2035, 1, 1)), st.integers(1, 15))
def test_business_days_add_up(start: date, days: int) -> None:
    reached = add_business_days(start, days)
    assert is_business_day(reached.day)
    passed = [start + timedelta(days=n) for n in range(1, (reached.day - start).days + 1)]
    assert sum(is_business_day(d) for d in passed) == days
    assert {s.day for s in reached.skipped} == {d for d in passed if not is_business_day(d)}
    if days > 1:
        assert add_business_days(add_business_days(start, days - 1).day, 1).day == reached.day


# Hypothesis wants its bounds without a zone.
@given(
    st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from([CHICAGO, "America/Phoenix", "America/New_York", "UTC"]),
)
def test_an_instant_lies_within_its_own_day(instant: datetime, zone: str) -> None:
    today = local_date(instant, zone)
    assert end_of_day(today - timedelta(days=1), zone) < instant <= end_of_day(today, zone)
