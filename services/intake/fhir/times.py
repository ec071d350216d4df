"""FHIR dates and instants as moments: the same precision, offset and bounds as HL7's."""

from datetime import datetime, timedelta, tzinfo

from services.intake.context import FURTHEST_AHEAD, FURTHEST_PLANNED
from services.intake.times import Moment, read_moment


def read_instant(text: str, zone: tzinfo) -> Moment | None:
    """`2026-03-02T09:15:00-06:00`, or a date in the facility's zone. None when it is no date of the calendar."""
    date, _, clock = text.partition("T")
    clock = clock.replace("Z", "+00:00")
    sign = "-" if "-" in clock else "+"
    time, _, offset = clock.partition(sign)
    stamp = date.replace("-", "") + time.replace(":", "")
    return read_moment(stamp + (sign + offset.replace(":", "") if offset else ""), zone)


class Moments:
    """The instants of one request by FHIRPath. What lies too far ahead counts as missing, and is a doubt."""

    def __init__(self, received: datetime, zone: tzinfo) -> None:
        self._received = received
        self._zone = zone
        self.kept: dict[str, tuple[str, str, int]] = {}
        self.doubts: list[str] = []

    def read(self, name: str, text: str | None, ahead: timedelta) -> Moment | None:
        if text is None:
            return None
        moment = read_instant(text, self._zone)
        if moment is None or moment.at > self._received + ahead:
            self.doubts.append(name)
            return None
        self.kept[name] = (moment.iso, moment.precision.value, moment.offset)
        return moment

    def read_day(self, name: str, text: str | None, ahead: timedelta) -> Moment | None:
        """From which days are counted: a month alone is no more than a doubt."""
        moment = self.read(name, text, ahead)
        if moment is None or moment.names_a_day:
            return moment
        self.doubts.append(f"{name} without a day")
        return None

    def read_planned(self, name: str, text: str | None) -> Moment | None:
        """What may lie ahead: an appointment, an expiry."""
        return self.read(name, text, FURTHEST_PLANNED)

    def read_past(self, name: str, text: str | None) -> Moment | None:
        return self.read(name, text, FURTHEST_AHEAD)
