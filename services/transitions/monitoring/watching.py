"""Watching patients: what was measured is kept and judged, alerts open tasks, silence is asked after."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from services.transitions.announcement import Cause
from services.transitions.monitoring import store
from services.transitions.monitoring.alert import MISSING, Alert, missing, weigh
from services.transitions.monitoring.answering import answer
from services.transitions.monitoring.reading import Reading, findings, reading_in
from services.transitions.monitoring.rules import MonitoringRules
from services.transitions.monitoring.store import Monitoring
from services.transitions.protocols import Library
from services.transitions.rounds import Aside, Rounds, Told
from shared.events import AnyEvent
from shared.events.followups import ObservationRecorded
from shared.postgres import Database, Transaction

LONGEST_TREND = timedelta(days=31)


async def hear_observations(
    tx: Transaction, library: Library, rules: MonitoringRules, events: Sequence[AnyEvent]
) -> None:
    """Keeps what was measured of patients who are watched, and raises or takes back alerts."""
    told = [
        e for e in events if isinstance(e.fact, ObservationRecorded) and not e.snapshot and rules.signal_of(e.fact.code)
    ]
    if not told:
        return
    survivors = await tx.lock({event.subject for event in told})
    watched = {m.patient_id: m for m in await store.load(tx.connection, set(survivors.values()))}
    heard = [(e, r) for e in told if (r := _reading(rules, e, survivors[e.subject])) and r.patient_id in watched]
    if not heard:
        return
    await store.keep(tx.connection, [reading for _, reading in heard])
    causes = {reading.patient_id: event for event, reading in heard}
    for patient, event in causes.items():
        signals = {reading.signal for _, reading in heard if reading.patient_id == patient}
        earliest = min(reading.at for _, reading in heard if reading.patient_id == patient)
        await _judge(tx, library, rules, watched[patient], signals, earliest, Cause.of(event))


def _reading(rules: MonitoringRules, event: AnyEvent, patient: str) -> Reading | None:
    if not isinstance(event.fact, ObservationRecorded):
        return None
    return reading_in(event.fact, rules, patient, event.id, event.time, event.recorded)


async def _judge(
    tx: Transaction,
    library: Library,
    rules: MonitoringRules,
    monitoring: Monitoring,
    signals: set[str],
    earliest: datetime,
    cause: Cause,
) -> None:
    since = earliest - LONGEST_TREND
    now = await tx.now()
    # What is judged has all the days before it that a trend looks at.
    kept = await store.readings(tx.connection, monitoring.patient_id, signals, since - LONGEST_TREND)
    known = await store.alerts_of(tx.connection, monitoring.id, since)
    changed: list[Alert] = []
    for signal in signals & set(monitoring.signals):
        readings = [reading for reading in kept if reading.signal == signal]
        before = [alert for alert in known if alert.signal == signal]
        changed += _changes(rules, monitoring, signal, readings, before, since, now)
    await answer(tx, library, monitoring, known, changed, cause)
    await plan_silence(tx, rules, monitoring, [*known, *changed])


def _changes(
    rules: MonitoringRules,
    monitoring: Monitoring,
    signal: str,
    readings: Sequence[Reading],
    before: Sequence[Alert],
    since: datetime,
    now: datetime,
) -> list[Alert]:
    """The alerts that are new or changed; of readings taken before `since` none is judged again."""
    if monitoring.is_paused:
        return []
    watch = rules.watch(signal, monitoring.variant, monitoring.limits)
    found = findings(readings, rules.signals[signal], watch, monitoring.time_zone)
    judged = [reading for reading in readings if reading.at >= since]
    after = weigh(monitoring.watched, judged, found, before, now, _patience(rules, monitoring, signal))
    known = {alert.id: alert for alert in before}
    return [alert for alert in after if alert != known.get(alert.id)]


async def plan_silence(
    tx: Transaction, rules: MonitoringRules, monitoring: Monitoring, alerts: Iterable[Alert]
) -> None:
    """Notes when the next signal will have been silent for too long; those asked after already are left out."""
    last = await store.latest(tx.connection, monitoring.patient_id)
    newest = {alert.id: alert for alert in alerts}
    asked = {a.signal for a in newest.values() if a.rule == MISSING and a.stands and _is_of(a, last)}
    ends = [at for signal, at in silences(rules, monitoring, last).items() if signal not in asked]
    await store.set_missing(tx.connection, monitoring.id, min(ends, default=None))


def _is_of(alert: Alert, last: Mapping[str, datetime]) -> bool:
    """Whether the signal has not been heard of since it was asked after."""
    at = last.get(alert.signal)
    return at is None or at <= alert.raised_at


def silences(rules: MonitoringRules, monitoring: Monitoring, last: Mapping[str, datetime]) -> dict[str, datetime]:
    """When each watched signal will have been silent for too long."""
    return {
        signal: max(monitoring.since, last.get(signal, monitoring.since)) + _patience(rules, monitoring, signal)
        for signal in monitoring.signals
    }


def _patience(rules: MonitoringRules, monitoring: Monitoring, signal: str) -> timedelta:
    return timedelta(hours=rules.silence(rules.watch(signal, monitoring.variant, monitoring.limits)))


async def ask_after(tx: Transaction, library: Library, rules: MonitoringRules, limit: int, aside: Aside = ()) -> Told:
    """Opens an outreach task for each silent signal, once, but for the monitorings `aside`."""
    due = await store.silent(tx.connection, limit, aside)
    idle = await tx.lock_idle(due.values()) if due else {}
    ids: list[UUID] = [key for key, patient in due.items() if patient in idle]
    found = [m for m in await store.load(tx.connection, [], ids) if m.id in ids] if ids else []
    now = await tx.now()
    for monitoring in found:
        known = await store.alerts_of(tx.connection, monitoring.id, monitoring.since)
        raised = [] if monitoring.is_paused else await _silent(tx, rules, monitoring, known, now)
        await answer(tx, library, monitoring, known, raised, Cause(id=f"timer:{monitoring.id}", at=now))
        if monitoring.is_paused:
            await store.set_missing(tx.connection, monitoring.id, now + timedelta(hours=1))
        else:
            await plan_silence(tx, rules, monitoring, [*known, *raised])
    return Told(len(due), len(found))


async def _silent(
    tx: Transaction, rules: MonitoringRules, monitoring: Monitoring, known: Sequence[Alert], now: datetime
) -> list[Alert]:
    last = await store.latest(tx.connection, monitoring.patient_id)
    told = {alert.id for alert in known}
    raised = []
    for signal, ends in silences(rules, monitoring, last).items():
        patience = _patience(rules, monitoring, signal)
        hours = int(patience.total_seconds()) // 3600
        alert = missing(monitoring.watched, signal, rules.signals[signal].title, hours, ends - patience, now)
        if ends <= now and alert.id not in told:
            raised.append(replace(alert, raised_at=now))
    return raised


def watcher(database: Database, library: Library, rules: MonitoringRules, *, batch: int = 50) -> Rounds:
    """Asks after silent devices for as long as it runs."""

    async def tell(tx: Transaction, limit: int, aside: Aside) -> Told:
        return await ask_after(tx, library, rules, limit, aside)

    return Rounds(database, "monitoring", due=store.silent, tell=tell, batch=batch)
