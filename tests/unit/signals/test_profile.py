"""What is usual at an hour of the week: learned, and what stands in while little has been seen."""

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.transitions.signals.profile import (
    SLOTS,
    Basis,
    Profile,
    hours_before,
    learn,
    observed_at,
    observed_between,
    slot_of,
    usual_at,
    usual_between,
)
from services.transitions.signals.thresholds import read_thresholds
from services.transitions.signals.weeks import hours_of_week, week_of

LIMITS = read_thresholds()
P = LIMITS.profile
HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)
TUESDAY_15 = datetime(2026, 3, 10, 15, tzinfo=UTC)
SLOT = 24 + 15
CHICAGO = "America/Chicago"


def learned(counts: list[int], *, first: datetime = TUESDAY_15, step: timedelta = WEEK, zone: str = "UTC") -> Profile:
    profile = Profile()
    for n, count in enumerate(counts):
        profile = learn(profile, first + n * step, count, zone, P)
    return profile


@pytest.mark.parametrize(
    ("hour", "zone", "slot"),
    [
        (datetime(2026, 3, 9, 0, tzinfo=UTC), "UTC", 0),
        (datetime(2026, 3, 15, 23, tzinfo=UTC), "UTC", SLOTS - 1),
        (datetime(2026, 3, 9, 5, tzinfo=UTC), CHICAGO, 0),  # summer time began on 8 March
        (datetime(2026, 3, 2, 6, tzinfo=UTC), CHICAGO, 0),  # and standard time the week before
        (datetime(2026, 11, 1, 6, tzinfo=UTC), CHICAGO, 6 * 24 + 1),  # the hour that comes twice
        (datetime(2026, 11, 1, 7, tzinfo=UTC), CHICAGO, 6 * 24 + 1),
    ],
)
def test_a_slot_is_the_local_hour_of_the_week(hour: datetime, zone: str, slot: int) -> None:
    assert slot_of(hour, ZoneInfo(zone)) == slot


def test_every_hour_of_a_week_has_a_slot_of_its_own() -> None:
    monday = datetime(2026, 3, 9, tzinfo=UTC)
    assert [slot_of(monday + n * HOUR, ZoneInfo("UTC")) for n in range(SLOTS)] == list(range(SLOTS))


@pytest.mark.parametrize(
    ("seen", "hourly", "basis"),
    [
        ([], 12.0, Basis.RHYTHM),
        ([60], 24.0, Basis.RHYTHM),  # a quarter its own, three quarters the rhythm
        ([60, 60, 60], 48.0, Basis.RHYTHM),
        ([60, 60, 60, 60], 60.0, Basis.HOUR_OF_WEEK),  # from the fourth week on the feed's own alone
        ([0, 0, 0, 0], 0.0, Basis.HOUR_OF_WEEK),
        ([60, 60, 60, 60, 0], 60.0, Basis.HOUR_OF_WEEK),  # one outage teaches nothing
    ],
)
def test_the_configured_rhythm_stands_in_while_little_was_seen(seen: list[int], hourly: float, basis: Basis) -> None:
    usual = usual_at(learned(seen), SLOT, P, prior=12, is_configured=True)
    assert (usual.hourly, usual.weeks, usual.basis) == (hourly, len(seen), basis)


@pytest.mark.parametrize(
    ("days", "hourly", "basis"),
    [
        (2, 7.0, Basis.NOTHING),  # two hours alike are too few
        (3, 60.0, Basis.HOUR_OF_DAY),  # Monday to Wednesday say what Thursday will be
    ],
)
def test_hours_alike_stand_in_where_no_rhythm_is_configured(days: int, hourly: float, basis: Basis) -> None:
    monday = datetime(2026, 3, 9, 15, tzinfo=UTC)
    profile = learned([60] * days, first=monday, step=timedelta(days=1))
    thursday = usual_at(profile, 3 * 24 + 15, P, prior=7, is_configured=False)
    assert (thursday.hourly, thursday.basis) == (hourly, basis)
    saturday = usual_at(profile, 5 * 24 + 15, P, prior=7, is_configured=False)
    assert (saturday.hourly, saturday.basis) == (7.0, Basis.NOTHING)  # a weekend is another kind of day


def test_only_the_newest_weeks_are_kept_and_an_hour_told_again_counts_once() -> None:
    profile = learned([*range(10), 9])
    again = learn(profile, TUESDAY_15 + 10 * WEEK, 11, "UTC", P)
    assert [count for _, count in again.hours[SLOT]] == [3, 4, 5, 6, 7, 8, 9, 11]
    assert learn(again, TUESDAY_15, 500, "UTC", P) == again  # older than what is kept


def test_the_order_in_which_hours_are_told_does_not_matter() -> None:
    told = [(TUESDAY_15 + n * HOUR, n % 7) for n in range(400)]
    shuffled = random.Random(7).sample(told, len(told))  # noqa: S311  (an order, no secret)
    profiles = []
    for hours in (told, shuffled):
        profile = Profile()
        for hour, count in hours:
            profile = learn(profile, hour, count, CHICAGO, P)
        profiles.append(profile)
    assert profiles[0] == profiles[1]
    assert Profile.from_json(profiles[0].to_json()) == profiles[0]


def test_a_feed_whose_facility_changes_zone_has_its_hours_placed_anew() -> None:
    moved = learn(learned([60, 60]), TUESDAY_15 + 2 * WEEK, 60, CHICAGO, P)
    assert {slot: len(seen) for slot, seen in moved.hours.items()} == {24 + 10: 3}


def test_a_silence_is_summed_over_the_hours_it_lasted() -> None:
    profile = learned([0] * 4)
    for n in range(4):
        profile = learn(profile, TUESDAY_15 + HOUR + n * WEEK, 60, "UTC", P)
    quiet, until = TUESDAY_15 + 5 * WEEK, TUESDAY_15 + HOUR + 5 * WEEK
    sums = [
        usual_between(profile, quiet, until + timedelta(minutes=m), P, prior=7, is_configured=True) for m in (0, 1, 7)
    ]
    assert sums == [0.0, 1.0, 7.0]  # the quiet hour before adds nothing to what the busy one lacks


@pytest.mark.parametrize("minutes", [13, 45, 60, 240])
def test_with_the_prior_alone_exactly_the_configured_silence_is_missed(minutes: int) -> None:
    prior = 7 * 60 / minutes
    start = TUESDAY_15 + timedelta(minutes=17)
    sums = [
        usual_between(Profile(), start, start + timedelta(minutes=m), P, prior=prior, is_configured=True)
        for m in (minutes - 1, minutes)
    ]
    assert sums[0] < 7 <= sums[1]


def test_a_surge_is_measured_against_what_was_seen_and_nothing_else() -> None:
    assert observed_at(Profile(), SLOT, P) is None
    assert observed_at(learned([60, 80]), SLOT, P) is None
    assert observed_at(learned([60, 80, 70]), SLOT, P) == 70
    profile = learned([60, 60, 60])
    assert observed_between(profile, TUESDAY_15, TUESDAY_15 + HOUR, P) == 60
    assert observed_between(profile, TUESDAY_15, TUESDAY_15 + HOUR + timedelta(minutes=1), P) is None


@pytest.mark.parametrize(
    ("now", "zone", "first", "hours"),
    [
        (datetime(2026, 3, 10, 15, 30, tzinfo=UTC), "UTC", datetime(2026, 3, 9, tzinfo=UTC), 168),
        (datetime(2026, 3, 9, 4, 59, tzinfo=UTC), CHICAGO, datetime(2026, 3, 2, 6, tzinfo=UTC), 167),  # clocks go on
        (datetime(2026, 3, 9, 5, 0, tzinfo=UTC), CHICAGO, datetime(2026, 3, 9, 5, tzinfo=UTC), 168),
        (datetime(2026, 10, 31, tzinfo=UTC), CHICAGO, datetime(2026, 10, 26, 5, tzinfo=UTC), 169),  # and back
    ],
)
def test_a_week_begins_on_monday_midnight_of_the_facility(
    now: datetime, zone: str, first: datetime, hours: int
) -> None:
    found = hours_of_week(now, zone)
    assert (found[0], len(found)) == (first, hours)


def test_a_week_shows_what_came_against_what_is_usual() -> None:
    now = TUESDAY_15 + 4 * WEEK + timedelta(minutes=30)
    profile = learned([60] * 4)
    counted = {TUESDAY_15 + 4 * WEEK: 12}
    week = week_of(now, "UTC", profile, counted, LIMITS, prior=7, is_configured=False)
    assert (len(week.counts), week.counts[SLOT], week.counts[SLOT + 1]) == (SLOTS, 12, None)
    assert (week.usual[SLOT], week.weeks[SLOT], week.weeks[0]) == (60.0, 4, 0)


def test_the_same_hour_before_is_that_of_the_places_own_clock() -> None:
    # Sunday 8 March 2026, 02:00: New York puts its clocks forward.
    noon = datetime(2026, 3, 10, 16, 20, tzinfo=UTC)  # 12:20 there
    before = hours_before(noon, ZoneInfo("America/New_York"), (1, 2, 3, 7))
    assert [hour.isoformat() for hour in before] == [
        "2026-03-09T16:00:00+00:00",
        "2026-03-08T16:00:00+00:00",
        "2026-03-07T17:00:00+00:00",
        "2026-03-03T17:00:00+00:00",
    ]
    half = hours_before(noon, ZoneInfo("Asia/Kolkata"), (7,))
    assert half == [datetime(2026, 3, 3, 16, tzinfo=UTC)]
    assert hours_before(noon, ZoneInfo("UTC"), (7,)) == half
