"""What stands out: pure rules, (readings, what is open) -> findings. A finding is what should be open now."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.transitions.signals.settings import Thresholds
from shared.events.operations import SignalKind

Open = frozenset[tuple[SignalKind, str]]
PIPELINE = "pipeline"
MINUTES_AN_HOUR = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that stands out: `value` against `usual`, in the unit of its kind; `since` in UTC."""

    kind: SignalKind
    scope: str
    since: datetime
    value: float
    usual: float | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReading:
    """A feed now. `counted_until` is the end of the last minute told, `quiet_since` the end of the last minute in
    which anything came (or the start of counting); `usual_hour` is None where too few such hours are known.
    """

    feed: str
    counted_until: datetime
    quiet_since: datetime
    last_hour: int
    usual_hour: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FacilityReading:
    """A facility now: open tasks, how many of them overdue; returns within 72 h in the last 24 h, and the discharges
    that they are a share of.
    """

    facility: str
    open_tasks: int = 0
    overdue_tasks: int = 0
    returns: int = 0
    discharges: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """All that the rules look at. `watched_since` is when somebody began to listen."""

    at: datetime
    watched_since: datetime
    feeds: Sequence[FeedReading] = ()
    facilities: Sequence[FacilityReading] = ()


def feed_scope(feed: str) -> str:
    return f"feed:{feed}"


def facility_scope(facility: str, unit: str | None = None) -> str:
    return f"facility:{facility}" if unit is None else f"facility:{facility}/unit:{unit}"


def judge(now: Readings, open_signals: Open, limits: Thresholds) -> list[Finding]:
    """Everything that should stand open. What is open and not in it is to be cleared."""
    pipeline = pipeline_silence(now, limits)
    found = [pipeline] if pipeline else []
    found += silences(now, open_signals, limits, is_suppressed=pipeline is not None)
    found += surges(now, open_signals, limits)
    found += overdue_ratios(now, open_signals, limits)
    found += bounce_backs(now, open_signals, limits)
    return found


def pipeline_silence(now: Readings, limits: Thresholds) -> Finding | None:
    """No counts at all, not even zeros: nobody counts, or nobody hears it."""
    last = max((feed.counted_until for feed in now.feeds), default=now.watched_since)
    since = max(last, now.watched_since)
    minutes = (now.at - since) / timedelta(minutes=1)
    if minutes <= limits.pipeline_minutes:
        return None
    text = f"No feed has been counted for {minutes:.0f} minutes: intake, its relay or the broker stands still."
    return Finding(
        kind=SignalKind.PIPELINE_SILENT, scope=PIPELINE, since=since, value=round(minutes, 1), usual=None, text=text
    )


def silences(now: Readings, open_signals: Open, limits: Thresholds, *, is_suppressed: bool) -> Iterable[Finding]:
    """Feeds whose counts say zero for longer than that hour's usual explains. While the pipeline itself is silent
    nothing is known of feeds: none is raised, and none that is open is cleared.
    """
    for feed in now.feeds:
        was_open = (SignalKind.SILENT_FEED, feed_scope(feed.feed)) in open_signals
        quiet = (feed.counted_until - feed.quiet_since) / timedelta(minutes=1)
        if was_open if is_suppressed else _is_silent(feed, quiet, now, limits):
            yield Finding(
                kind=SignalKind.SILENT_FEED,
                scope=feed_scope(feed.feed),
                since=feed.quiet_since,
                value=round(quiet, 1),
                usual=feed.usual_hour,
                text=_silence_text(feed, quiet),
            )


def _is_silent(feed: FeedReading, quiet: float, now: Readings, limits: Thresholds) -> bool:
    # A feed that is counted no more, while others are, was taken out of the configuration: that is no silence.
    if (now.at - feed.counted_until) / timedelta(minutes=1) > limits.pipeline_minutes:
        return False
    if feed.usual_hour is None:
        return quiet >= limits.quiet_minutes_unknown
    expected = feed.usual_hour * quiet / MINUTES_AN_HOUR
    return quiet >= limits.quiet_minutes and expected >= limits.quiet_expected


def _silence_text(feed: FeedReading, quiet: float) -> str:
    usual = "not known yet" if feed.usual_hour is None else f"{feed.usual_hour:.0f} an hour"
    return f"Nothing from feed {feed.feed} for {quiet:.0f} minutes; usual at this hour: {usual}."


def surges(now: Readings, open_signals: Open, limits: Thresholds) -> Iterable[Finding]:
    """Feeds that sent far more in the last hour than they usually do at this hour."""
    for feed in now.feeds:
        if feed.usual_hour is None or feed.last_hour < limits.surge_least:
            continue
        is_open = (SignalKind.SURGE, feed_scope(feed.feed)) in open_signals
        factor = limits.surge_clear_factor if is_open else limits.surge_factor
        if feed.last_hour >= factor * feed.usual_hour:
            text = f"Feed {feed.feed} sent {feed.last_hour} messages in an hour; usual: {feed.usual_hour:.0f}."
            yield Finding(
                kind=SignalKind.SURGE,
                scope=feed_scope(feed.feed),
                since=now.at - timedelta(hours=1),
                value=float(feed.last_hour),
                usual=feed.usual_hour,
                text=text,
            )


def overdue_ratios(now: Readings, open_signals: Open, limits: Thresholds) -> Iterable[Finding]:
    """Facilities where too many of the open tasks are overdue."""
    for place in now.facilities:
        if place.open_tasks < limits.overdue_least:
            continue
        is_open = (SignalKind.OVERDUE_RATIO, facility_scope(place.facility)) in open_signals
        ratio = place.overdue_tasks / place.open_tasks
        if ratio >= (limits.overdue_clear_ratio if is_open else limits.overdue_ratio):
            text = f"{place.overdue_tasks} of {place.open_tasks} open tasks of {place.facility} are overdue."
            yield Finding(
                kind=SignalKind.OVERDUE_RATIO,
                scope=facility_scope(place.facility),
                since=now.at,
                value=round(ratio, 3),
                usual=None,
                text=text,
            )


def bounce_backs(now: Readings, open_signals: Open, limits: Thresholds) -> Iterable[Finding]:
    """Facilities where several patients came back within 72 hours of their discharge."""
    for place in now.facilities:
        is_open = (SignalKind.BOUNCE_BACK, facility_scope(place.facility)) in open_signals
        least = max(1, limits.returns_least - 1) if is_open else limits.returns_least
        share = place.returns / max(1, place.discharges)
        if place.returns >= least and share >= limits.returns_ratio:
            text = (
                f"{place.returns} patients came back to {place.facility} within 72 hours in the last day; "
                f"{place.discharges} were discharged before."
            )
            yield Finding(
                kind=SignalKind.BOUNCE_BACK,
                scope=facility_scope(place.facility),
                since=now.at,
                value=float(place.returns),
                usual=None,
                text=text,
            )
