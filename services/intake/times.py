"""HL7 v2 date-times (DTM): `YYYY[MM[DD[HH[MM[SS[.S…]]]]]][+/-ZZZZ]`, with their precision kept."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from services.intake.remembering import remembered

_DTM = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,9}))?)?)?)?)?)?(?:([+-])(\d\d)(\d\d))?", re.ASCII
)
EARLIEST_YEAR = 1850
_MAX_OFFSET = timedelta(hours=14)
# The same by two names; it has no ambiguous and no non-existent times.
_UTC = (UTC, ZoneInfo("UTC"))


class Precision(StrEnum):
    YEAR = "year"
    MONTH = "month"
    DAY = "day"
    HOUR = "hour"
    MINUTE = "minute"
    SECOND = "second"
    FRACTION = "fraction"


_BY_PARTS_SAID = tuple(Precision)
_COARSE = frozenset({Precision.YEAR, Precision.MONTH})


class Moment(NamedTuple):
    """An instant as the sender said it: `at` is UTC and the start of what was said (`202603` is its first instant).

    `offset` is the offset from UTC in minutes that was said or applied; `note` tells of a local time that the clock
    change made ambiguous (the earlier offset is taken) or non-existent (shifted forward). `iso` is `at` in ISO 8601.
    """

    at: datetime
    precision: Precision
    offset: int
    iso: str
    note: str | None = None

    @property
    def names_a_day(self) -> bool:
        """Whether days can be counted from it: `202603` is not the first of March."""
        return self.precision not in _COARSE


@remembered(4096)
def read_moment(text: str, zone: tzinfo) -> Moment | None:
    """The moment, or None when the text is no date-time. `zone` applies where no offset is given (`-0000`: unknown)."""
    match = _DTM.fullmatch(text.strip())
    if match is None:
        return None
    *digits, fraction, sign, hours, minutes = match.groups()
    said = [int(part) for part in digits if part is not None]
    year, month, day, hour, minute, second = (*said, *(0, 1, 1, 0, 0, 0)[len(said) :])
    if year < EARLIEST_YEAR:
        return None
    micro = int(fraction[:6].ljust(6, "0")) if fraction else 0
    precision = Precision.FRACTION if fraction else _BY_PARTS_SAID[len(said) - 1]
    try:
        local = datetime(year, month, day, hour, minute, min(second, 59), micro)  # noqa: DTZ001  (the zone follows)
        if sign and (sign, hours, minutes) != ("-", "00", "00"):
            return _at_offset(local, precision, sign, timedelta(hours=int(hours), minutes=int(minutes)))
        return _in_zone(local, precision, zone)
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=256)
def _offset(sign: str, hours: str, minutes: str) -> tzinfo | None:
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return None if offset > _MAX_OFFSET else timezone(offset if sign == "+" else -offset)


@remembered(4096)
def read_offset(text: str) -> tzinfo | None:
    """The offset that a date-time carries: MSH-7's is the default zone of the whole message."""
    match = _DTM.fullmatch(text.strip())
    if match is None or match[8] is None or (match[8], match[9], match[10]) == ("-", "00", "00"):
        return None
    return _offset(match[8], match[9], match[10])


@remembered(4096)
def zone_of_message(sent: str, own: tzinfo) -> tzinfo:
    """The default zone of all times in a message: MSH-7's offset, else the feed's `own` zone ("": it says no time).

    Where that zone has this very offset at that time, it is the zone meant: a time from before the clock change is the
    one that was on the wall then, whenever it is said again.
    """
    offset = read_offset(sent)
    moment = read_moment(sent, own) if offset else None
    if offset is None or moment is None:
        return own
    return own if moment.at.astimezone(own).utcoffset() == offset.utcoffset(None) else offset


def _at_offset(local: datetime, precision: Precision, sign: str, offset: timedelta) -> Moment | None:
    if offset > _MAX_OFFSET:
        return None
    signed = offset if sign == "+" else -offset
    at = (local - signed).replace(tzinfo=UTC)
    return Moment(at, precision, int(signed.total_seconds() // 60), at.isoformat())


def _in_zone(local: datetime, precision: Precision, zone: tzinfo) -> Moment:
    """fold=0 is the earlier offset of an ambiguous time, and shifts a non-existent one forward."""
    if zone in _UTC:
        at = local.replace(tzinfo=UTC)
        return Moment(at, precision, 0, at.isoformat())
    aware = local.replace(tzinfo=zone)
    at = aware.astimezone(UTC)
    offset = aware.utcoffset() or timedelta()
    note = None
    if at.astimezone(zone).replace(tzinfo=None) != local:
        note = "nonexistent"
    elif aware.replace(fold=1).utcoffset() != offset:
        note = "ambiguous"
    return Moment(at, precision, int(offset.total_seconds() // 60), at.isoformat(), note)
