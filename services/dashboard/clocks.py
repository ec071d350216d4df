"""How long until, how long since: in words that can be read aloud, the same as static/console.js counts on."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

SOON = timedelta(hours=4)
MINUTE, HOUR, DAY = 60, 3600, 86400


class Urgency(StrEnum):
    OVERDUE = "overdue"
    SOON = "soon"
    LATER = "later"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Clock:
    """Time to a deadline: its words never depend on colour. `at` is the deadline, None when there is none."""

    urgency: Urgency
    words: str
    at: datetime | None


def clock_of(due_at: datetime | None, now: datetime) -> Clock:
    """`overdue by 2 h 5 min`, `due in 40 min`, `no due time`."""
    if due_at is None:
        return Clock(Urgency.NONE, "no due time", None)
    left = due_at - now
    if left < timedelta():
        return Clock(Urgency.OVERDUE, f"overdue by {span(-left)}", due_at)
    return Clock(Urgency.SOON if left <= SOON else Urgency.LATER, f"due in {span(left)}", due_at)


def span(length: timedelta) -> str:
    """Two units at most: `45 s`, `9 min 12 s`, `40 min`, `3 h 20 min`, `4 d 3 h`, `45 d`."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < MINUTE:
        return f"{seconds} s"
    if seconds < 10 * MINUTE:
        return f"{seconds // MINUTE} min {seconds % MINUTE} s"
    if seconds < HOUR:
        return f"{seconds // MINUTE} min"
    if seconds < 2 * DAY:
        return f"{seconds // HOUR} h {seconds % HOUR // MINUTE} min"
    if seconds < 14 * DAY:
        return f"{seconds // DAY} d {seconds % DAY // HOUR} h"
    return f"{seconds // DAY} d"


def ago(at: datetime | None, now: datetime) -> str:
    return "never" if at is None else f"{span(now - at)} ago"


def seconds_words(seconds: float | None) -> str:
    """An age in seconds, as the operations routes say it; a dash when nothing waits."""
    return "-" if seconds is None else span(timedelta(seconds=seconds))


def zone(name: str) -> tzinfo:
    """The IANA zone; UTC for a name that nobody knows, since a wrong setting must not stop anybody's events."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def local(at: datetime | None, time_zone: str) -> str:
    """`Wed 4 Mar 2026, 17:00 CST`; empty when there is none."""
    if at is None:
        return ""
    there = at.astimezone(zone(time_zone))
    return f"{there:%a} {there.day} {there:%b %Y, %H:%M %Z}"


def to_the_millisecond(at: datetime | None) -> str:
    """UTC, for the timeline: `14:03:22.187`."""
    return "" if at is None else f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}"
