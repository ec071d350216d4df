"""Days: local dates of a facility, and business days. Pure; no clock is read here.

Day arithmetic is done on local dates, never on spans of 24 hours: a day that has 23 hours is still one day. A business
day is Monday to Friday except public holidays (United States, federal; a state's own where asked for).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

SATURDAY = 5
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SkippedDay:
    """A day that did not count, and why: `Saturday`, `Sunday` or the holiday's name."""

    day: date
    why: str


@dataclass(frozen=True, slots=True)
class Counted:
    """The day that was reached, and the days left out on the way."""

    day: date
    skipped: tuple[SkippedDay, ...] = ()


@lru_cache(maxsize=512)
def zone_of(name: str) -> ZoneInfo:
    """The IANA zone. Raises ZoneInfoNotFoundError for a name that is none."""
    return ZoneInfo(name)


def local_date(instant: datetime, zone: str) -> date:
    """The date on the wall at `instant` in the zone."""
    return instant.astimezone(zone_of(zone)).date()


def end_of_day(day: date, zone: str) -> datetime:
    """The last microsecond of the local day, as an instant in UTC."""
    return datetime.combine(day, time.max, zone_of(zone)).astimezone(UTC)


def is_business_day(day: date, state: str | None = None) -> bool:
    return why_no_business_day(day, state) is None


def why_no_business_day(day: date, state: str | None = None, closed: Mapping[date, str] | None = None) -> str | None:
    """None for a business day, else the weekday's or the holiday's name, or why the house is closed that day."""
    if day.weekday() >= SATURDAY:
        return f"{day:%A}"
    name = _holidays(state).get(day) or (closed or {}).get(day)
    return str(name) if name else None


def add_business_days(
    start: date, days: int, state: str | None = None, closed: Mapping[date, str] | None = None
) -> Counted:
    """`days` business days after `start`; counting begins on the first business day after it.

    `state` is a US state's code whose own holidays are left out too, `closed` further days with the reason of each.
    Raises ValueError for less than one day and NotImplementedError for a state that is none.
    """
    if days < 1:
        raise ValueError("business days are counted from one")
    skipped: list[SkippedDay] = []
    counted, day = 0, start
    for day in _days_after(start):
        why = why_no_business_day(day, state, closed)
        if why:
            skipped.append(SkippedDay(day, why))
            continue
        counted += 1
        if counted == days:
            break
    return Counted(day, tuple(skipped))


def _days_after(start: date) -> Iterator[date]:
    day = start
    while True:
        day += ONE_DAY
        yield day


@lru_cache(maxsize=64)
def _holidays(state: str | None) -> holidays.HolidayBase:
    # Category `public`: `government` would add closures by executive order, which are no federal holidays.
    return holidays.country_holidays("US", subdiv=state, categories=("public",))
