"""What is usual for a feed at each of the 168 hours of its week: pure, learned from its counts.

An hour is told by its start in UTC; its slot is the weekday and hour of the feed's own zone, so that a night stays a
night over a change of the clocks. What was learned is set by hour, never added: an hour told twice counts once, and
the order in which hours are told does not matter.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from services.transitions.signals.thresholds import Profiled

SLOTS = 168
HOUR = timedelta(hours=1)
HOUR_S = 3600
HOURS_A_DAY = 24
WEEKDAYS = range(5)
WEEKEND = range(5, 7)
# Further back than two weeks a silence is long known, and its sum says nothing new.
LONGEST_SUM = timedelta(days=14)


class Basis(StrEnum):
    """What a usual count rests on: the feed's own hours of the week, hours alike on other days, or no past at all."""

    HOUR_OF_WEEK = "hour-of-week"
    HOUR_OF_DAY = "hour-of-day"
    RHYTHM = "rhythm"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Usual:
    """Messages an hour. `weeks`: how many such hours of the week were seen."""

    hourly: float
    weeks: int
    basis: Basis


@dataclass(frozen=True, slots=True)
class Profile:
    """By slot: (hour since 1970, messages in it), oldest first."""

    zone: str = "UTC"
    hours: Mapping[int, tuple[tuple[int, int], ...]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "zone": self.zone,
            "hours": {str(slot): [list(one) for one in seen] for slot, seen in self.hours.items()},
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Profile":
        hours = {int(slot): tuple((int(at), int(count)) for at, count in seen) for slot, seen in said["hours"].items()}
        return cls(said["zone"], hours)


def zone_named(name: str | None) -> ZoneInfo:
    """UTC where there is none, or none of that name."""
    try:
        return ZoneInfo(name or "UTC")
    except (LookupError, ValueError, OSError):
        return ZoneInfo("UTC")


def hours_before(at: datetime, zone: ZoneInfo, days: Iterable[int]) -> list[datetime]:
    """The hours (UTC, whole) in which the clock there showed the same so many days before."""
    local = at.astimezone(zone)
    return [hour_start((local - timedelta(days=back)).astimezone(UTC)) for back in days]


def slot_of(hour: datetime, zone: ZoneInfo) -> int:
    """0 is the hour from Monday midnight, local time; 167 the last of Sunday."""
    local = hour.astimezone(zone)
    return local.weekday() * HOURS_A_DAY + local.hour


def hour_start(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def hour_number(hour: datetime) -> int:
    return int(hour.timestamp()) // HOUR_S


def learn(profile: Profile, hour: datetime, count: int, zone: str, limits: Profiled) -> Profile:
    """The profile that knows this whole hour too. A feed that moved to another zone gets all its hours placed anew."""
    if zone != profile.zone:
        profile = _moved(profile, zone)
    slot, number = slot_of(hour, zone_named(zone)), hour_number(hour)
    others = [one for one in profile.hours.get(slot, ()) if one[0] != number]
    kept = tuple(sorted([*others, (number, count)])[-limits.weeks_kept :])
    return Profile(zone, {**profile.hours, slot: kept})


def _moved(profile: Profile, zone: str) -> Profile:
    hours: dict[int, tuple[tuple[int, int], ...]] = {}
    for number, count in sorted(one for seen in profile.hours.values() for one in seen):
        slot = slot_of(datetime.fromtimestamp(number * HOUR_S, UTC), zone_named(zone))
        hours[slot] = (*hours.get(slot, ()), (number, count))
    return Profile(zone, hours)


def usual_at(profile: Profile, slot: int, limits: Profiled, *, prior: float, is_configured: bool) -> Usual:
    """Messages an hour in this slot. While fewer than `weeks_learned` such hours were seen, what stands in for them
    shares: the configured rhythm (`prior`, an hour), else the same hour of other days alike, else the prior of a feed
    of which nothing is known.
    """
    seen = [count for _, count in profile.hours.get(slot, ())]
    share = min(1.0, len(seen) / limits.weeks_learned)
    stand_in, basis = prior, Basis.RHYTHM
    if not is_configured:
        alike = seen_alike(profile, slot)
        known = len(alike) >= limits.hours_alike
        stand_in, basis = (median(alike), Basis.HOUR_OF_DAY) if known else (prior, Basis.NOTHING)
    hourly = share * (median(seen) if seen else 0) + (1 - share) * stand_in
    return Usual(hourly, len(seen), Basis.HOUR_OF_WEEK if share >= 1 else basis)


def seen_alike(profile: Profile, slot: int) -> list[int]:
    """The same hour on all days of its kind, its own among them: Monday to Friday, or the weekend."""
    day, hour = divmod(slot, HOURS_A_DAY)
    days = WEEKDAYS if day in WEEKDAYS else WEEKEND
    return [count for each in days for _, count in profile.hours.get(each * HOURS_A_DAY + hour, ())]


def observed_at(profile: Profile, slot: int, limits: Profiled) -> float | None:
    """What was truly seen in this slot, or in hours alike; None where too few of either were."""
    seen = [count for _, count in profile.hours.get(slot, ())]
    if len(seen) >= limits.weeks_learned:
        return median(seen)
    alike = seen_alike(profile, slot)
    return median(alike) if len(alike) >= limits.hours_alike else None


def usual_between(
    profile: Profile, since: datetime, until: datetime, limits: Profiled, *, prior: float, is_configured: bool
) -> float:
    """Messages that would usually have come in [since, until), hour by hour."""
    total = 0.0
    for hour, minutes in _hours(max(since, until - LONGEST_SUM), until):
        slot = slot_of(hour, zone_named(profile.zone))
        usual = usual_at(profile, slot, limits, prior=prior, is_configured=is_configured)
        total += usual.hourly * minutes
    return round(total / 60, 6)


def observed_between(profile: Profile, since: datetime, until: datetime, limits: Profiled) -> float | None:
    """As `usual_between`, of what was truly seen; None where any of these hours is unknown."""
    total = 0.0
    for hour, minutes in _hours(since, until):
        usual = observed_at(profile, slot_of(hour, zone_named(profile.zone)), limits)
        if usual is None:
            return None
        total += usual * minutes
    return round(total / 60, 6)


def _hours(since: datetime, until: datetime) -> list[tuple[datetime, float]]:
    """Each hour that [since, until) touches, and how many minutes of it."""
    found, at = [], since
    while at < until:
        hour = hour_start(at)
        ends = min(hour + HOUR, until)
        found.append((hour, (ends - at) / timedelta(minutes=1)))
        at = ends
    return found
