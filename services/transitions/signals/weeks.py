"""A feed's week, hour by hour: what came against what is usual. Pure, for a chart."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from services.transitions.signals.profile import Profile, slot_of, usual_at, zone_named
from services.transitions.signals.thresholds import Thresholds

DAYS = 7
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """From Monday midnight, local time. `counts` hold None for hours to come and hours that nobody counted; `usual` is
    what the rules take for usual then, an hour; `weeks` how many such hours were seen. A week in which the clocks
    change has an hour more or less than 168.
    """

    starts: datetime
    counts: tuple[int | None, ...]
    usual: tuple[float, ...]
    weeks: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        return {"starts": self.starts, "counts": self.counts, "usual": self.usual, "weeks": self.weeks}


def week_of(
    now: datetime, zone: str, profile: Profile, counted: Mapping[datetime, int], limits: Thresholds,
    *, prior: float, is_configured: bool,
) -> Week:  # fmt: skip
    """The week that `now` is in."""
    hours = hours_of_week(now, zone)
    seen = [
        usual_at(profile, slot_of(hour, zone_named(zone)), limits.profile, prior=prior, is_configured=is_configured)
        for hour in hours
    ]
    return Week(
        starts=hours[0],
        counts=tuple(counted.get(hour) for hour in hours),
        usual=tuple(round(usual.hourly, 2) for usual in seen),
        weeks=tuple(usual.weeks for usual in seen),
    )


def hours_of_week(now: datetime, zone: str) -> list[datetime]:
    """The start of each hour of the local week, in UTC."""
    local = now.astimezone(zone_named(zone))
    monday = local.date() - timedelta(days=local.weekday())
    first = datetime.combine(monday, time(), local.tzinfo).astimezone(UTC)
    last = datetime.combine(monday + timedelta(days=DAYS), time(), local.tzinfo).astimezone(UTC)
    return [first + n * HOUR for n in range(round((last - first) / HOUR))]
