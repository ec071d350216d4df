"""A feed's health from its counted minutes: pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.dashboard.charts import Bars, stacked_bars
from services.dashboard.row import Row
from services.dashboard.weeks import WeekChart

MINUTES_SHOWN = 60
# What an outcome means for who looks: done, done without an effect, or in need of somebody.
KINDS = ("taken", "without-effect", "trouble")
TROUBLE = frozenset({"held", "rejected"})
WITHOUT_EFFECT = frozenset({"duplicate", "skipped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedHealth:
    """`quiet`: nothing came for longer than the settings allow, and something usually would have; `signal`: the words
    of the live signal that stands for it. `week` is None where transitions could not tell it.
    """

    feed: str
    facility: str | None
    last: datetime | None
    quiet: bool
    signal: str | None
    per_minute: float
    total: int
    chart: Bars
    outcomes: tuple[tuple[str, str, int], ...]
    triggers: tuple[tuple[str, int], ...]
    week: WeekChart | None = None


def kind_of(outcome: str) -> str:
    if outcome in TROUBLE:
        return "trouble"
    return "without-effect" if outcome in WITHOUT_EFFECT else "taken"


def health_of(
    feed: Row,
    minutes: Sequence[Row],
    signals: Iterable[Row],
    now: datetime,
    quiet_after: timedelta,
    week: WeekChart | None = None,
) -> FeedHealth:
    last: datetime | None = feed["last_received_at"]
    signal = next((each["text"] for each in signals if each["scope"] == f"feed:{feed['feed']}"), None)
    outcomes, triggers = _totals(minutes)
    return FeedHealth(
        feed=feed["feed"],
        facility=feed["facility"],
        last=last,
        quiet=(last is None or now - last > quiet_after) and (week is None or week.missed >= 1),
        signal=signal,
        per_minute=feed["lately"] / 5,
        total=feed["total"],
        chart=stacked_bars(_columns(minutes, now), KINDS),
        outcomes=tuple((name, kind_of(name), count) for name, count in sorted(outcomes.items(), key=_most)),
        triggers=tuple(sorted(triggers.items(), key=_most)[:8]),
        week=week,
    )


def _most(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _totals(minutes: Sequence[Row]) -> tuple[dict[str, int], dict[str, int]]:
    outcomes: dict[str, int] = {}
    triggers: dict[str, int] = {}
    for minute in minutes:
        for each in minute["counts"]:
            if each["count"]:
                outcomes[each["outcome"]] = outcomes.get(each["outcome"], 0) + each["count"]
                triggers[each["trigger"]] = triggers.get(each["trigger"], 0) + each["count"]
    return outcomes, triggers


def _columns(minutes: Sequence[Row], now: datetime) -> list[tuple[str, dict[str, int] | None]]:
    """The last hour, minute by minute, the one that runs now left out: it is not counted yet."""
    this = now.replace(second=0, microsecond=0)
    told = {minute["minute"]: minute for minute in minutes}
    return [_column(this - timedelta(minutes=back), told) for back in range(MINUTES_SHOWN, 0, -1)]


def _column(at: datetime, told: Mapping[datetime, Row]) -> tuple[str, dict[str, int] | None]:
    if at not in told:
        return f"{at:%H:%M} UTC: not counted", None
    kinds: dict[str, int] = {}
    for each in told[at]["counts"]:
        kinds[kind_of(each["outcome"])] = kinds.get(kind_of(each["outcome"]), 0) + each["count"]
    words = ", ".join(f"{count} {kind.replace('-', ' ')}" for kind, count in kinds.items() if count) or "none"
    return f"{at:%H:%M} UTC: {words}", kinds
