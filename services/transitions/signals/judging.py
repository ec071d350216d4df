"""Judges every few seconds: measures, gauges, then one transaction that raises and clears, with the events that say so.

PostgreSQL knows what was counted and what is open; nothing here remembers it. A process that was killed goes on where
it stood, and several workers judge in turn, each of them everything.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.transitions.signals import store
from services.transitions.signals.following import Changes, Standing, follow
from services.transitions.signals.own import own_limits
from services.transitions.signals.profile import (
    Profile,
    hour_start,
    observed_between,
    slot_of,
    usual_at,
    usual_between,
    zone_named,
)
from services.transitions.signals.readings import (
    FeedReading,
    Finding,
    Readings,
    facility_scope,
    feed_scope,
)
from services.transitions.signals.rules import judge
from services.transitions.signals.thresholds import Thresholds
from shared.events import Draft
from shared.events.operations import SignalCleared, SignalFact, SignalKind, SignalRaised
from shared.kafka.failures import is_transient
from shared.metrics import SIGNALS_CLEARED, SIGNALS_OPEN, SIGNALS_RAISED, WORK_ALIVE
from shared.postgres import Database, Transaction
from shared.telemetry import describe_error, log

# Who judges holds this key: two workers, or an old process that lingers, never raise the same twice.
JUDGE = "signals"
FORGET_EVERY = timedelta(hours=1)
HOUR = timedelta(hours=1)
Gauge = tuple[str, str, float]


class Judging:
    """`watched_since`: when this process began to listen; before that a missing count says nothing."""

    def __init__(
        self, database: Database, limits: Thresholds, *, every_seconds: float, watched_since: datetime
    ) -> None:
        self._database = database
        self._limits = limits
        self._every_seconds = every_seconds
        self._watched_since = watched_since
        self._forget_at = watched_since
        self._profiles: dict[str, tuple[datetime, Profile]] = {}

    async def run(self) -> None:
        """Judges until cancelled. A database that is away is waited for; any other failure ends the process."""
        while True:
            try:
                await self.judge_once()
                WORK_ALIVE.labels("signals").set_to_current_time()
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("signals.judging_waits", error=describe_error(error))
            await asyncio.sleep(self._every_seconds)

    async def judge_once(self) -> Changes:
        """One round; what it changed."""
        async with self._database.transaction() as tx:
            await tx.lock([JUDGE])
            now = await tx.now()
            readings = await self._read(tx, now)
            gauges = gauges_of(readings, await store.flows(tx.connection, now))
            await store.set_gauges(tx.connection, gauges, now)
            standing = await store.standing(tx.connection)
            known = frozenset((signal.finding.kind, signal.finding.scope) for signal in standing)
            found = judge(readings, known, self._limits)
            found += own_limits(gauges, now, known, self._limits.own.limits)
            changes = await say_changes(tx, standing, found, now, self._limits)
            if now >= self._forget_at:
                await store.forget_old(tx.connection, now)
                self._forget_at = now + FORGET_EVERY
        measure(found, changes)
        return changes

    async def _read(self, tx: Transaction, now: datetime) -> Readings:
        limits = self._limits
        rows = await store.feeds(tx.connection)
        await self._learn(tx, rows)
        return Readings(
            at=now,
            watched_since=self._watched_since,
            feeds=[feed_reading(row, self._profile(row["feed"]), limits) for row in rows],
            facilities=await store.facilities(tx.connection, now),
            census=await store.census(tx.connection, now),
            late_stays=await store.late_stays(tx.connection, now - limits.expected_discharge.hours * HOUR),
            unbooked=await store.unbooked(tx.connection, now - limits.referral.hours.shortest * HOUR),
        )

    async def _learn(self, tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
        """Profiles are read when they have changed, once an hour and feed: parsing them all each time would cost."""
        learned = {row["feed"]: row["learned_at"] for row in rows if row["learned_at"] is not None}
        stale = [feed for feed, at in learned.items() if feed not in self._profiles or self._profiles[feed][0] != at]
        for feed, profile in (await store.profiles(tx.connection, stale)).items():
            self._profiles[feed] = (learned[feed], profile)

    def _profile(self, feed: str) -> Profile:
        known = self._profiles.get(feed)
        return known[1] if known else Profile()


def feed_reading(row: Mapping[str, Any], profile: Profile, limits: Thresholds) -> FeedReading:
    """A feed against its own profile; its configured rhythm stands in while little has been seen."""
    until, quiet_since = row["counted_until"], row["quiet_since"]
    prior, is_configured = prior_of(row["quiet_minutes"], limits)
    slot = slot_of(hour_start(until), zone_named(profile.zone))
    return FeedReading(
        feed=row["feed"],
        facility=row["facility"],
        counted_until=until,
        quiet_since=quiet_since,
        missed=usual_between(profile, quiet_since, until, limits.profile, prior=prior, is_configured=is_configured),
        usual_now=usual_at(profile, slot, limits.profile, prior=prior, is_configured=is_configured),
        last_hour=row["last_hour"],
        usual_hour=observed_between(profile, until - HOUR, until, limits.profile),
    )


def prior_of(quiet_minutes: int | None, limits: Thresholds) -> tuple[float, bool]:
    """Messages an hour of a feed that is silent, at the longest, for so many minutes, and whether that is configured:
    the rate at which exactly that silence would be raised.
    """
    silence = limits.silence
    return silence.messages_missed * 60 / (quiet_minutes or silence.quiet_minutes_unknown), quiet_minutes is not None


def gauges_of(readings: Readings, flows: Iterable[tuple[str, str, int]]) -> list[Gauge]:
    gauges: list[Gauge] = [("census", facility_scope(c.facility, c.unit), c.patients) for c in readings.census]
    flowed = {(kind, scope): value for kind, scope, value in flows}
    scopes = {scope for _, scope, _ in gauges} | {facility_scope(f.facility) for f in readings.facilities}
    for kind in ("arrivals", "discharges"):
        gauges += [(f"{kind}-24h", scope, flowed.get((kind, scope), 0)) for scope in sorted(scopes)]
    gauges += [("feed-hour", feed_scope(feed.feed), feed.last_hour) for feed in readings.feeds]
    for place in readings.facilities:
        gauges.append(("returns-72h", facility_scope(place.facility), place.returns))
        if place.open_tasks:
            gauges.append(("overdue-ratio", facility_scope(place.facility), place.overdue_tasks / place.open_tasks))
    return gauges


async def say_changes(
    tx: Transaction, standing: Sequence[Standing], found: Sequence[Finding], now: datetime, limits: Thresholds
) -> Changes:
    """Opens what is found and not open, clears what has been calm for long enough; one event each."""
    changes = follow(standing, found, now, limits.calm)
    ids = await store.raise_signals(tx.connection, changes.raised, now, limits.edition)
    await store.clear_signals(tx.connection, [signal.id for signal in changes.cleared], now)
    await store.set_calm(tx.connection, changes.calmed, changes.stirred, now)
    raised = zip(ids, changes.raised, strict=True)
    drafts = [_draft(SignalRaised, key, finding, now, limits.edition) for key, finding in raised]
    drafts += [_draft(SignalCleared, each.id, each.finding, now, limits.edition) for each in changes.cleared]
    await tx.publish(drafts)
    return changes


def _draft(kind: type[SignalFact], signal_id: UUID, finding: Finding, now: datetime, rules: str) -> Draft:
    fact = kind(
        signal_id=signal_id,
        kind=finding.kind,
        scope=finding.scope,
        since=finding.since,
        value=finding.value,
        usual=finding.usual,
        text=finding.text,
        facility=finding.facility,
        rules=rules,
    )
    return Draft(fact=fact, subject=finding.scope, time=now, correlation_id=str(signal_id), causation_id=JUDGE)


def measure(found: Iterable[Finding], changes: Changes) -> None:
    kinds = [finding.kind for finding in found]
    for kind in SignalKind:
        SIGNALS_OPEN.labels(kind.value).set(kinds.count(kind))
    for finding in changes.raised:
        SIGNALS_RAISED.labels(finding.kind.value).inc()
    for signal in changes.cleared:
        SIGNALS_CLEARED.labels(signal.finding.kind.value).inc()
