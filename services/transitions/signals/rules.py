"""What stands out: pure rules, (readings, what is open) -> findings. A finding is what should be open now."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from services.transitions.signals.cases import discharges_overdue, referrals_unbooked
from services.transitions.signals.places import bounce_backs, crowded, overdue_ratios
from services.transitions.signals.profile import Basis
from services.transitions.signals.readings import PIPELINE, FeedReading, Finding, Open, Readings, feed_scope
from services.transitions.signals.thresholds import Thresholds
from shared.events.operations import SignalKind

MINUTE = timedelta(minutes=1)
BASES = {
    Basis.HOUR_OF_WEEK: "at this hour of the week, learned from {weeks} weeks",
    Basis.HOUR_OF_DAY: "at this hour of such days",
    Basis.RHYTHM: "by the feed's configured rhythm",
    Basis.NOTHING: "is not known yet",
}


def judge(now: Readings, standing: Open, limits: Thresholds) -> list[Finding]:
    """Everything that should stand open. What is open and not in it has calmed."""
    pipeline = pipeline_silence(now, limits)
    found = [pipeline] if pipeline else []
    found += silences(now, standing, limits, is_suppressed=pipeline is not None)
    found += surges(now, standing, limits)
    found += crowded(now.census, now.at, standing, limits.census)
    found += overdue_ratios(now.facilities, now.at, standing, limits.overdue)
    found += bounce_backs(now.facilities, now.at, standing, limits.returns)
    found += discharges_overdue(now.late_stays, now.at, standing, limits.expected_discharge)
    found += referrals_unbooked(now.unbooked, now.at, standing, limits.referral)
    return found


def pipeline_silence(now: Readings, limits: Thresholds) -> Finding | None:
    """No counts at all, not even zeros: nobody counts, or nobody hears it."""
    last = max((feed.counted_until for feed in now.feeds), default=now.watched_since)
    since = max(last, now.watched_since)
    minutes = (now.at - since) / MINUTE
    if minutes <= limits.pipeline.minutes:
        return None
    text = f"No feed has been counted for {minutes:.0f} minutes: intake, its relay or the broker stands still."
    return Finding(
        kind=SignalKind.PIPELINE_SILENT, scope=PIPELINE, since=since, value=round(minutes, 1), usual=None, text=text
    )


def silences(now: Readings, standing: Open, limits: Thresholds, *, is_suppressed: bool) -> Iterable[Finding]:
    """Feeds whose counts say zero for longer than the usual of these hours explains. While the pipeline itself is
    silent nothing is known of feeds: none is raised, and none that is open is cleared.
    """
    for feed in now.feeds:
        was_open = (SignalKind.SILENT_FEED, feed_scope(feed.feed)) in standing
        if was_open if is_suppressed else _is_silent(feed, now.at, limits):
            yield Finding(
                kind=SignalKind.SILENT_FEED,
                scope=feed_scope(feed.feed),
                since=feed.quiet_since,
                value=round(_quiet_minutes(feed), 1),
                usual=None if feed.usual_now.basis is Basis.NOTHING else round(feed.usual_now.hourly, 2),
                text=_silence_text(feed),
                facility=feed.facility,
            )


def _is_silent(feed: FeedReading, at: datetime, limits: Thresholds) -> bool:
    # A feed that is counted no more, while others are, was taken out of the configuration: that is no silence.
    if (at - feed.counted_until) / MINUTE > limits.pipeline.minutes:
        return False
    return _quiet_minutes(feed) >= limits.silence.quiet_minutes and feed.missed >= limits.silence.messages_missed


def _quiet_minutes(feed: FeedReading) -> float:
    return (feed.counted_until - feed.quiet_since) / MINUTE


def _silence_text(feed: FeedReading) -> str:
    usual = feed.usual_now
    number = "" if usual.basis is Basis.NOTHING else f" {usual.hourly:.0f} messages an hour"
    basis = BASES[usual.basis].format(weeks=usual.weeks)
    return f"Nothing from feed {feed.feed} for {_quiet_minutes(feed):.0f} minutes; usual{number} {basis}."


def surges(now: Readings, standing: Open, limits: Thresholds) -> Iterable[Finding]:
    """Feeds that sent far more in the last hour than they usually do in it."""
    for feed in now.feeds:
        if feed.usual_hour is None or feed.last_hour < limits.surge.least:
            continue
        is_open = (SignalKind.SURGE, feed_scope(feed.feed)) in standing
        factor = limits.surge.clear_factor if is_open else limits.surge.factor
        if feed.last_hour >= factor * feed.usual_hour:
            yield Finding(
                kind=SignalKind.SURGE,
                scope=feed_scope(feed.feed),
                since=feed.counted_until - timedelta(hours=1),
                value=float(feed.last_hour),
                usual=feed.usual_hour,
                text=f"Feed {feed.feed} sent {feed.last_hour} messages in an hour; usual: {feed.usual_hour:.0f}.",
                facility=feed.facility,
            )
