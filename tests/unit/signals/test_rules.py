"""When signals stand and when they do not, case by case."""

from datetime import UTC, datetime, timedelta

import pytest

from services.transitions.signals.judging import feed_reading
from services.transitions.signals.profile import Basis, Profile, Usual
from services.transitions.signals.readings import FacilityReading, FeedReading, Finding, Open, Readings
from services.transitions.signals.rules import judge
from services.transitions.signals.thresholds import read_thresholds
from shared.events.operations import SignalKind

NOW = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)
NOTHING: Open = frozenset()
LIMITS = read_thresholds()


def feed(*, quiet: float = 0, usual: float | None = 60, counted_ago: float = 0.5, last_hour: int = 60) -> FeedReading:
    """`usual`: messages an hour at all hours; None where nothing is known."""
    until = NOW - timedelta(minutes=counted_ago)
    hourly = 7.0 if usual is None else usual
    return FeedReading(
        feed="north",
        facility="NORTH",
        counted_until=until,
        quiet_since=until - timedelta(minutes=quiet),
        missed=hourly * quiet / 60,
        usual_now=Usual(hourly, 0 if usual is None else 4, Basis.NOTHING if usual is None else Basis.HOUR_OF_WEEK),
        last_hour=last_hour,
        usual_hour=usual,
    )


def found(
    *feeds: FeedReading, facilities: tuple[FacilityReading, ...] = (), is_open: Open = NOTHING, watched: float = 600
) -> list[Finding]:
    readings = Readings(at=NOW, watched_since=NOW - timedelta(minutes=watched), feeds=feeds, facilities=facilities)
    return judge(readings, is_open, LIMITS)


def kinds(findings: list[Finding]) -> list[SignalKind]:
    return [finding.kind for finding in findings]


@pytest.mark.parametrize(
    ("quiet", "usual", "is_silent"),
    [
        (4, 600, False),  # busy, but shorter than the least quiet time
        (5, 600, True),
        (6, 60, False),  # six messages expected: chance says nothing yet
        (7, 60, True),
        (30, 10, False),  # a slow feed at night
        (60, 10, True),
        (59, None, False),  # nothing known of that hour
        (60, None, True),
        (600, 0, False),  # usually nothing comes at this hour
    ],
)
def test_silence_is_measured_against_the_hours_usual(quiet: float, usual: float | None, *, is_silent: bool) -> None:
    findings = found(feed(quiet=quiet, usual=usual, last_hour=0))
    assert kinds(findings) == ([SignalKind.SILENT_FEED] if is_silent else [])


@pytest.mark.parametrize(("rhythm", "quiet", "is_silent"), [(45, 44, False), (45, 45, True), (240, 239, False)])
def test_a_feed_without_a_past_is_measured_by_its_configured_rhythm(
    rhythm: int, quiet: int, *, is_silent: bool
) -> None:
    row = {"feed": "north", "facility": "NORTH", "quiet_minutes": rhythm, "last_hour": 0, "counted_until": NOW}
    reading = feed_reading(row | {"quiet_since": NOW - timedelta(minutes=quiet)}, Profile(), LIMITS)
    findings = found(reading)
    assert kinds(findings) == ([SignalKind.SILENT_FEED] if is_silent else [])


def test_a_silence_says_what_it_was_measured_against() -> None:
    [silent] = found(feed(quiet=12, last_hour=0))
    assert (silent.value, silent.usual, silent.facility) == (12.0, 60.0, "NORTH")
    assert silent.text == (
        "Nothing from feed north for 12 minutes; usual 60 messages an hour at this hour of the week, learned from 4 weeks."
    )
    [unknown] = found(feed(quiet=60, usual=None, last_hour=0))
    assert (unknown.usual, unknown.text) == (None, "Nothing from feed north for 60 minutes; usual is not known yet.")


def test_no_counts_at_all_is_a_pipeline_alarm_and_suppresses_silence() -> None:
    quiet = feed(quiet=30, counted_ago=5, last_hour=0)
    [alarm] = found(quiet)
    assert (alarm.kind, alarm.scope, alarm.value) == (SignalKind.PIPELINE_SILENT, "pipeline", 5.0)


def test_a_silence_that_stood_before_the_pipeline_fell_silent_stays() -> None:
    standing = frozenset({(SignalKind.SILENT_FEED, "feed:north")})
    findings = found(feed(quiet=30, counted_ago=5, last_hour=0), is_open=standing)
    assert kinds(findings) == [SignalKind.PIPELINE_SILENT, SignalKind.SILENT_FEED]


def test_no_pipeline_alarm_before_anybody_listened_long_enough() -> None:
    assert found(feed(counted_ago=500), watched=2) == []
    assert found(watched=2) == []
    assert kinds(found(watched=4)) == [SignalKind.PIPELINE_SILENT]


def test_a_feed_counted_no_more_while_others_are_is_no_silence() -> None:
    gone, there = feed(quiet=30, counted_ago=60, last_hour=0), feed(counted_ago=0.5)
    assert found(gone, there) == []


@pytest.mark.parametrize(
    ("last_hour", "usual", "was_open", "is_surge"),
    [
        (120, 60, False, True),
        (119, 60, False, False),
        (95, 60, True, True),  # once raised, it stands until clearly over
        (89, 60, True, False),
        (49, 1, False, False),  # too few to be a surge of anything
        (500, None, False, False),
    ],
)
def test_surge(last_hour: int, usual: float | None, *, was_open: bool, is_surge: bool) -> None:
    standing = frozenset({(SignalKind.SURGE, "feed:north")}) if was_open else NOTHING
    findings = found(feed(last_hour=last_hour, usual=usual), is_open=standing)
    assert kinds(findings) == ([SignalKind.SURGE] if is_surge else [])


@pytest.mark.parametrize(
    ("open_tasks", "overdue", "was_open", "stands"),
    [(10, 2, False, True), (10, 1, False, False), (9, 9, False, False), (20, 3, True, True), (20, 2, True, False)],
)
def test_overdue_ratio(open_tasks: int, overdue: int, *, was_open: bool, stands: bool) -> None:
    place = FacilityReading(facility="NORTH", open_tasks=open_tasks, overdue_tasks=overdue)
    standing = frozenset({(SignalKind.OVERDUE_RATIO, "facility:NORTH")}) if was_open else NOTHING
    findings = found(feed(), facilities=(place,), is_open=standing)
    assert kinds(findings) == ([SignalKind.OVERDUE_RATIO] if stands else [])


@pytest.mark.parametrize(
    ("returns", "discharges", "was_open", "stands"),
    [(3, 30, False, True), (3, 31, False, False), (2, 5, False, False), (2, 5, True, True), (1, 5, True, False)],
)
def test_bounce_back_cluster(returns: int, discharges: int, *, was_open: bool, stands: bool) -> None:
    place = FacilityReading(facility="NORTH", returns=returns, discharges=discharges)
    standing = frozenset({(SignalKind.BOUNCE_BACK, "facility:NORTH")}) if was_open else NOTHING
    findings = found(feed(), facilities=(place,), is_open=standing)
    assert kinds(findings) == ([SignalKind.BOUNCE_BACK] if stands else [])
