"""Judges every few seconds: measures, gauges, then one transaction that raises and clears, with the events that say so.

PostgreSQL knows what is open; nothing here remembers it. A process that was killed goes on where it stood.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.transitions.signals import store
from services.transitions.signals.listening import Listening
from services.transitions.signals.rules import FeedReading, Finding, Readings, facility_scope, feed_scope, judge
from services.transitions.signals.settings import Settings
from services.transitions.signals.windows import HOUR
from shared.events import Draft
from shared.events.operations import SignalCleared, SignalFact, SignalKind, SignalRaised
from shared.kafka.failures import is_transient
from shared.metrics import SIGNALS_OPEN
from shared.postgres import Database, Transaction
from shared.telemetry import describe_error, log

# Who judges holds this key: two processes, an old one that lingers among them, never raise the same twice.
JUDGE = "signals"
FORGET_EVERY = timedelta(hours=1)
Gauge = tuple[str, str, float]


@dataclass(frozen=True, slots=True)
class Judged:
    raised: int
    cleared: int


class Judging:
    def __init__(
        self, database: Database, listening: Listening, settings: Settings, *, watched_since: datetime
    ) -> None:
        self._database = database
        self._listening = listening
        self._settings = settings
        self._watched_since = watched_since
        self._forget_at = watched_since

    async def run(self) -> None:
        """Judges until cancelled. A database that is away is waited for; any other failure ends the process."""
        while True:
            try:
                await self.judge_once()
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("signals.judging_waits", error=describe_error(error))
            await asyncio.sleep(self._settings.every_seconds)

    async def judge_once(self) -> Judged:
        async with self._database.transaction() as tx:
            await tx.lock([JUDGE])
            now = await tx.now()
            readings = await self._read(tx, now)
            await store.set_gauges(tx.connection, await self._gauges(tx, readings), now)
            standing = await store.open_signals(tx.connection)
            known = frozenset((signal.kind, signal.scope) for signal in standing.values())
            found = judge(readings, known, self._settings.thresholds)
            judged = await say_changes(tx, standing, found, now)
            if now >= self._forget_at:
                await store.forget_old(tx.connection, now)
                self._forget_at = now + FORGET_EVERY
        await self._listening.feed_minutes.forget_old()
        await self._listening.flow_hours.forget_old()
        measure(found)
        return judged

    async def _read(self, tx: Transaction, now: datetime) -> Readings:
        feeds = [self._feed(row, now) for row in await store.feeds(tx.connection, now)]
        facilities = await store.facilities(tx.connection, now)
        return Readings(at=now, watched_since=self._watched_since, feeds=feeds, facilities=facilities)

    def _feed(self, row: dict[str, object], now: datetime) -> FeedReading:
        last_hour = self._listening.feed_minutes.total(feed_scope(str(row["feed"])), now - HOUR, now)
        return FeedReading(**row, last_hour=last_hour)  # type: ignore[arg-type]  # the columns of one statement

    async def _gauges(self, tx: Transaction, readings: Readings) -> list[Gauge]:
        census = await store.census(tx.connection)
        gauges: list[Gauge] = [("census", facility_scope(place, unit), n) for place, unit, n in census]
        scopes = {scope for _, scope, _ in gauges} | {facility_scope(f.facility) for f in readings.facilities}
        flow = self._listening.flows
        for kind in ("arrivals", "discharges"):
            gauges += [(f"{kind}-24h", scope, flow(kind, scope, readings.at)) for scope in sorted(scopes)]
        gauges += [("feed-hour", feed_scope(feed.feed), feed.last_hour) for feed in readings.feeds]
        for place in readings.facilities:
            gauges.append(("returns-72h", facility_scope(place.facility), place.returns))
            if place.open_tasks:
                ratio = place.overdue_tasks / place.open_tasks
                gauges.append(("overdue-ratio", facility_scope(place.facility), ratio))
        return gauges


async def say_changes(
    tx: Transaction, standing: dict[UUID, Finding], found: Sequence[Finding], now: datetime
) -> Judged:
    """Opens what is found and not open, clears what is open and not found; one event each."""
    wanted = {(finding.kind, finding.scope): finding for finding in found}
    known = {(finding.kind, finding.scope) for finding in standing.values()}
    fresh = [finding for key, finding in wanted.items() if key not in known]
    over = {key: finding for key, finding in standing.items() if (finding.kind, finding.scope) not in wanted}
    ids = await store.raise_signals(tx.connection, fresh, now)
    await store.clear_signals(tx.connection, over, now)
    drafts = [_draft(SignalRaised, key, finding, now) for key, finding in zip(ids, fresh, strict=True)]
    drafts += [_draft(SignalCleared, key, finding, now) for key, finding in over.items()]
    await tx.publish(drafts)
    return Judged(len(fresh), len(over))


def _draft(kind: type[SignalFact], signal_id: UUID, finding: Finding, now: datetime) -> Draft:
    fact = kind(
        signal_id=signal_id,
        kind=finding.kind,
        scope=finding.scope,
        since=finding.since,
        value=finding.value,
        usual=finding.usual,
        text=finding.text,
    )
    return Draft(fact=fact, subject=finding.scope, time=now, correlation_id=str(signal_id), causation_id=JUDGE)


def measure(found: Iterable[Finding]) -> None:
    kinds = [finding.kind for finding in found]
    for kind in SignalKind:
        SIGNALS_OPEN.labels(kind.value).set(kinds.count(kind))
