from datetime import UTC, datetime, timedelta

import pytest

from services.dashboard.clocks import Urgency, ago, clock_of, local, seconds_words, span, to_the_millisecond

NOW = datetime(2026, 3, 6, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=59.9), "59 s"),
        (timedelta(minutes=1), "1 min 0 s"),
        (timedelta(minutes=9, seconds=59), "9 min 59 s"),
        (timedelta(minutes=10), "10 min"),
        (timedelta(hours=1), "1 h 0 min"),
        (timedelta(hours=47, minutes=59), "47 h 59 min"),
        (timedelta(days=2), "2 d 0 h"),
        (timedelta(days=13, hours=23), "13 d 23 h"),
        (timedelta(days=45, hours=3), "45 d"),
    ],
)
def test_a_span_is_two_units_at_most(length: timedelta, words: str) -> None:
    assert span(length) == words


@pytest.mark.parametrize(
    ("due", "urgency", "words"),
    [
        (NOW - timedelta(hours=2), Urgency.OVERDUE, "overdue by 2 h 0 min"),
        (NOW, Urgency.SOON, "due in 0 s"),
        (NOW + timedelta(hours=4), Urgency.SOON, "due in 4 h 0 min"),
        (NOW + timedelta(hours=4, seconds=1), Urgency.LATER, "due in 4 h 0 min"),
        (None, Urgency.NONE, "no due time"),
    ],
)
def test_a_clock_says_in_words_what_its_colour_says(due: datetime | None, urgency: Urgency, words: str) -> None:
    clock = clock_of(due, NOW)
    assert (clock.urgency, clock.words) == (urgency, words)


def test_local_time_is_the_facilitys() -> None:
    assert local(NOW, "America/Chicago") == "Fri 6 Mar 2026, 12:00 CST"
    assert local(datetime(2026, 3, 8, 18, 0, tzinfo=UTC), "America/Chicago") == "Sun 8 Mar 2026, 13:00 CDT"
    assert local(None, "America/Chicago") == ""


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../../etc/passwd"])
def test_a_zone_that_nobody_knows_is_utc(name: str) -> None:
    assert local(NOW, name) == "Fri 6 Mar 2026, 18:00 UTC"


def test_ages() -> None:
    assert ago(None, NOW) == "never"
    assert ago(NOW - timedelta(minutes=3), NOW) == "3 min 0 s ago"
    assert seconds_words(None) == "-"
    assert seconds_words(75.2) == "1 min 15 s"
    assert to_the_millisecond(datetime(2026, 3, 6, 14, 3, 22, 187_900, tzinfo=UTC)) == "14:03:22.187"
