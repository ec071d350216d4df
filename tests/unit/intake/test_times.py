from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.times import Precision, read_moment, read_offset, zone_of_message

CHICAGO = ZoneInfo("America/Chicago")


@pytest.mark.parametrize(
    ("text", "expected", "precision"),
    [
        ("2026", "2026-01-01T06:00:00+00:00", Precision.YEAR),
        ("202603", "2026-03-01T06:00:00+00:00", Precision.MONTH),
        ("20260302", "2026-03-02T06:00:00+00:00", Precision.DAY),
        ("2026030209", "2026-03-02T15:00:00+00:00", Precision.HOUR),
        ("202603020915", "2026-03-02T15:15:00+00:00", Precision.MINUTE),
        ("20260302091530", "2026-03-02T15:15:30+00:00", Precision.SECOND),
        ("20260302091530.1234", "2026-03-02T15:15:30.123400+00:00", Precision.FRACTION),
        ("202603020915-0600", "2026-03-02T15:15:00+00:00", Precision.MINUTE),
        ("202603020915+0530", "2026-03-02T03:45:00+00:00", Precision.MINUTE),
        ("202603020915-0000", "2026-03-02T15:15:00+00:00", Precision.MINUTE),
        ("202603020000", "2026-03-02T06:00:00+00:00", Precision.MINUTE),
        ("202607020915", "2026-07-02T14:15:00+00:00", Precision.MINUTE),
    ],
)
def test_moments_keep_their_precision(text: str, expected: str, precision: Precision) -> None:
    moment = read_moment(text, CHICAGO)
    assert moment is not None
    assert (moment.iso, moment.precision) == (expected, precision)


@pytest.mark.parametrize(
    ("text", "expected", "note"),
    [
        ("202611010130", "2026-11-01T06:30:00+00:00", "ambiguous"),  # twice that night: the earlier offset, CDT
        ("202611010030", "2026-11-01T05:30:00+00:00", None),
        ("202603080230", "2026-03-08T08:30:00+00:00", "nonexistent"),  # skipped: shifted forward, 03:30 CDT
        ("202603080330", "2026-03-08T08:30:00+00:00", None),
    ],
)
def test_clock_changes(text: str, expected: str, note: str | None) -> None:
    moment = read_moment(text, CHICAGO)
    assert moment is not None
    assert (moment.iso, moment.note) == (expected, note)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "today",
        "20261301",
        "20260230",
        "2026030224",
        "00000000",
        "99999999",
        "202603020915+2500",
        "2026-03-02",
        "٢٠٢٦",
    ],
)
def test_what_is_no_moment(text: str) -> None:
    assert read_moment(text, CHICAGO) is None


@pytest.mark.parametrize(
    ("text", "offset"),
    [("20260302091800-0600", timedelta(hours=-6)), ("20260302+0530", timedelta(hours=5, minutes=30))],
)
def test_an_offset_is_the_zone_of_the_message(text: str, offset: timedelta) -> None:
    assert read_offset(text) == timezone(offset)


@pytest.mark.parametrize("text", ["20260302091800", "20260302091800-0000", "nothing", "20260302091800+9900"])
def test_no_offset(text: str) -> None:
    assert read_offset(text) is None


@pytest.mark.parametrize(
    ("sent", "zone"),
    [
        ("20260307120000-0600", CHICAGO),
        ("20260309120000-0500", CHICAGO),
        ("20260309120000-0600", timezone(timedelta(hours=-6))),  # it keeps winter time: not that zone's clock
        ("20260309120000+0100", timezone(timedelta(hours=1))),
        ("20260309120000", CHICAGO),
        ("20260309120000-0000", CHICAGO),
        ("nothing-0500", CHICAGO),
        ("", CHICAGO),
    ],
)
def test_the_zone_of_a_message_is_the_feeds_where_their_clocks_agree(sent: str, zone: tzinfo) -> None:
    assert zone_of_message(sent, CHICAGO) == zone


@pytest.mark.parametrize(
    ("text", "day"), [("2026", False), ("202603", False), ("20260306", True), ("2026030615", True)]
)
def test_a_month_names_no_day(text: str, *, day: bool) -> None:
    moment = read_moment(text, CHICAGO)
    assert moment is not None
    assert moment.names_a_day == day


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001
def test_a_time_with_offset_is_read_as_it_is(local: datetime) -> None:
    moment = read_moment(f"{local:%Y%m%d%H%M%S.%f}+0000", CHICAGO)
    assert moment is not None
    assert moment.at == local.replace(tzinfo=UTC)
