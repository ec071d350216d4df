"""All SQL of the signals, in transitions' schema. Every statement sets; none adds up, so repeats change nothing."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.transitions.signals.hearing import FeedSeen, Stay
from services.transitions.signals.rules import FacilityReading, Finding, facility_scope
from services.transitions.signals.windows import Count
from shared.events import uuid7
from shared.events.operations import SignalKind

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

ALL_UNITS = ""
SET_WINDOWS = """
INSERT INTO signal_window (kind, scope, starts, value)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::int[])
ON CONFLICT (kind, scope, starts) DO UPDATE SET value = excluded.value
"""
# The hour of a feed is the sum of its minutes, counted anew.
SET_FEED_HOURS = """
WITH touched AS (SELECT DISTINCT scope, date_trunc('hour', starts) AS hour
                 FROM unnest($1::text[], $2::timestamptz[]) AS t (scope, starts))
INSERT INTO signal_window (kind, scope, starts, value)
SELECT 'feed-hour', t.scope, t.hour, sum(w.value) FROM touched t
JOIN signal_window w ON w.kind = 'feed-minute' AND w.scope = t.scope
    AND w.starts >= t.hour AND w.starts < t.hour + interval '1 hour'
GROUP BY t.scope, t.hour
ON CONFLICT (kind, scope, starts) DO UPDATE SET value = excluded.value
"""
SET_FEEDS = """
INSERT INTO signal_feed AS f (feed, facility, counted_until, last_heard)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[])
ON CONFLICT (feed) DO UPDATE SET
    facility = coalesce(excluded.facility, f.facility),
    counted_until = greatest(f.counted_until, excluded.counted_until),
    last_heard = greatest(f.last_heard, excluded.last_heard)
"""
# Answers each place and hour whose counts changed: those of the row before, and those of the row now.
SET_STAYS = """
WITH before AS (SELECT * FROM signal_stay WHERE encounter_id = ANY($1)),
after AS (
    INSERT INTO signal_stay AS s
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::boolean[],
                         $8::timestamptz[], $9::timestamptz[])
    ON CONFLICT (encounter_id) DO UPDATE SET
        version = excluded.version, patient_id = excluded.patient_id, facility = excluded.facility,
        unit = excluded.unit, present = excluded.present, counts = excluded.counts,
        arrived_at = excluded.arrived_at, discharged_at = excluded.discharged_at
    WHERE s.version <= excluded.version
    RETURNING *
),
seen AS (SELECT * FROM before UNION ALL SELECT * FROM after)
SELECT 'arrivals' AS kind, facility, unit, date_trunc('hour', arrived_at) AS hour FROM seen WHERE arrived_at IS NOT NULL
UNION
SELECT 'discharges', facility, unit, date_trunc('hour', discharged_at) FROM seen WHERE discharged_at IS NOT NULL
"""
COUNT_FLOWS = """
SELECT t.kind, t.facility, t.unit, t.hour, count(s.encounter_id)::int AS value
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) AS t (kind, facility, unit, hour)
LEFT JOIN signal_stay s ON s.counts AND s.facility = t.facility AND (t.unit = '' OR s.unit = t.unit)
    AND CASE t.kind WHEN 'arrivals' THEN s.arrived_at ELSE s.discharged_at END >= t.hour
    AND CASE t.kind WHEN 'arrivals' THEN s.arrived_at ELSE s.discharged_at END < t.hour + interval '1 hour'
GROUP BY t.kind, t.facility, t.unit, t.hour
"""
REKEY = "UPDATE signal_stay SET patient_id = $2 WHERE patient_id = $1"
RECENT = "SELECT kind, scope, starts, value FROM signal_window WHERE kind = ANY($1) AND starts >= $2"
# The median of the same hour of the day in the last two weeks; fewer than three such hours say nothing.
FEEDS = """
SELECT f.feed, f.counted_until, coalesce(f.last_heard, (
        SELECT min(w.starts) FROM signal_window w WHERE w.kind = 'feed-minute' AND w.scope = 'feed:' || f.feed
    ), f.counted_until) AS quiet_since, usual.value AS usual_hour
FROM signal_feed f
LEFT JOIN LATERAL (
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY w.value) AS value FROM signal_window w
    WHERE w.kind = 'feed-hour' AND w.scope = 'feed:' || f.feed
      AND w.starts = ANY(SELECT date_trunc('hour', $1::timestamptz) - n * interval '1 day'
                         FROM generate_series(1, 14) AS n)
    HAVING count(*) >= 3
) usual ON true
ORDER BY f.feed
"""
CENSUS = """
SELECT facility, unit, count(*)::int AS value FROM signal_stay WHERE present
GROUP BY GROUPING SETS ((facility), (facility, unit))
"""
TASKS = """
SELECT t.facility, count(*)::int AS open, count(*) FILTER (WHERE t.due_at < $1)::int AS overdue
FROM task t JOIN transition n ON n.id = t.transition_id AND NOT n.historical
WHERE t.status IN ('requested', 'accepted') GROUP BY t.facility
"""
RETURNS = """
SELECT r.facility, count(*)::int AS returns FROM signal_stay r
WHERE r.counts AND r.arrived_at > $1::timestamptz - interval '24 hours' AND r.arrived_at <= $1
  AND EXISTS (SELECT 1 FROM signal_stay e WHERE e.patient_id = r.patient_id AND e.encounter_id <> r.encounter_id
              AND e.counts AND e.facility = r.facility
              AND e.discharged_at <= r.arrived_at AND e.discharged_at > r.arrived_at - interval '72 hours')
GROUP BY r.facility
"""
DISCHARGED = """
SELECT facility, count(*)::int AS discharges FROM signal_stay
WHERE counts AND discharged_at > $1::timestamptz - interval '96 hours' AND discharged_at <= $1 GROUP BY facility
"""
OPEN_SIGNALS = "SELECT id, kind, scope, since, value, usual, text FROM signal WHERE cleared_at IS NULL"
RAISE = """
INSERT INTO signal (id, kind, scope, since, raised_at, value, usual, text)
SELECT u.id, u.kind, u.scope, u.since, $8, u.value, u.usual, u.text
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::float8[], $6::float8[], $7::text[])
     AS u (id, kind, scope, since, value, usual, text)
"""
CLEAR = "UPDATE signal SET cleared_at = $2 WHERE id = ANY($1) AND cleared_at IS NULL"
# Gauges that are no longer measured (an emptied unit) fall to zero once, then they are forgotten.
SET_GAUGES = """
WITH told AS (SELECT * FROM unnest($1::text[], $2::text[], $3::float8[]) AS t (kind, scope, value)),
gone AS (DELETE FROM signal_gauge g WHERE g.value = 0 AND NOT EXISTS (
    SELECT 1 FROM told WHERE told.kind = g.kind AND told.scope = g.scope))
INSERT INTO signal_gauge AS g (kind, scope, value, at)
SELECT kind, scope, value, $4::timestamptz FROM told
UNION ALL
SELECT g.kind, g.scope, 0, $4::timestamptz FROM signal_gauge g
WHERE g.value <> 0 AND NOT EXISTS (SELECT 1 FROM told WHERE told.kind = g.kind AND told.scope = g.scope)
ON CONFLICT (kind, scope) DO UPDATE SET value = excluded.value, at = excluded.at
"""
FORGET_WINDOWS = """
DELETE FROM signal_window WHERE starts < $1::timestamptz - CASE kind WHEN 'feed-minute' THEN interval '2 days'
                                                                      ELSE interval '35 days' END
"""
FORGET_STAYS = """
DELETE FROM signal_stay
WHERE NOT present AND coalesce(discharged_at, arrived_at, '-infinity') < $1::timestamptz - interval '7 days'
"""


async def set_feeds(connection: "Connection", minutes: Sequence[Count], feeds: Sequence[FeedSeen]) -> None:
    if not minutes:
        return
    await connection.execute(SET_WINDOWS, *_window_columns(minutes))
    scopes, starts = [c.scope for c in minutes], [c.starts for c in minutes]
    await connection.execute(SET_FEED_HOURS, scopes, starts)
    rows = [(f.feed, f.facility, f.counted_until, f.last_heard) for f in feeds]
    await connection.execute(SET_FEEDS, *_columns(rows))


async def set_stays(connection: "Connection", stays: Sequence[Stay], *, recount_since: datetime) -> list[Count]:
    """Sets the stays and answers the counts of arrivals and discharges that changed by it, per facility and unit."""
    rows = [
        (
            s.encounter_id, s.version, s.patient_id, s.facility, s.unit, s.present, s.counts, s.arrived_at,
            s.discharged_at,
        )
        for s in stays
    ]  # fmt: skip
    touched = await connection.fetch(SET_STAYS, *_columns(rows)) if rows else []
    recent = [row for row in touched if row["hour"] >= recount_since]
    places = {(r["kind"], r["facility"], unit, r["hour"]) for r in recent for unit in (r["unit"], ALL_UNITS)}
    if not places:
        return []
    counted = await connection.fetch(COUNT_FLOWS, *_columns(sorted(places)))
    counts = [
        Count(
            kind=row["kind"],
            scope=facility_scope(row["facility"], row["unit"] or None),
            starts=row["hour"],
            value=row["value"],
        )
        for row in counted
    ]
    await connection.execute(SET_WINDOWS, *_window_columns(counts))
    return counts


async def rekey_stays(connection: "Connection", retired: str, survivor: str) -> None:
    await connection.execute(REKEY, retired, survivor)


async def recent_windows(connection: "Connection", kinds: Sequence[str], since: datetime) -> list[Count]:
    return [Count(**dict(row)) for row in await connection.fetch(RECENT, list(kinds), since)]


async def feeds(connection: "Connection", now: datetime) -> list[dict[str, Any]]:
    """feed, counted_until, quiet_since, usual_hour (or None) of every feed that was ever counted."""
    return [dict(row) for row in await connection.fetch(FEEDS, now)]


async def census(connection: "Connection") -> list[tuple[str, str | None, int]]:
    """(facility, unit, patients); unit None is the whole facility."""
    return [(row["facility"], row["unit"], row["value"]) for row in await connection.fetch(CENSUS)]


async def facilities(connection: "Connection", now: datetime) -> list[FacilityReading]:
    found: dict[str, dict[str, int]] = {}
    for row in await connection.fetch(TASKS, now):
        found.setdefault(row["facility"], {}).update(open_tasks=row["open"], overdue_tasks=row["overdue"])
    for row in await connection.fetch(RETURNS, now):
        found.setdefault(row["facility"], {}).update(returns=row["returns"])
    for row in await connection.fetch(DISCHARGED, now):
        found.setdefault(row["facility"], {}).update(discharges=row["discharges"])
    return [FacilityReading(facility=facility, **found[facility]) for facility in sorted(found)]


async def open_signals(connection: "Connection") -> dict[UUID, Finding]:
    rows = await connection.fetch(OPEN_SIGNALS)
    return {
        row["id"]: Finding(
            kind=SignalKind(row["kind"]),
            scope=row["scope"],
            since=row["since"],
            value=row["value"],
            usual=row["usual"],
            text=row["text"],
        )
        for row in rows
    }


async def raise_signals(connection: "Connection", found: Sequence[Finding], now: datetime) -> list[UUID]:
    """Opens a row for each; answers their ids in the same order."""
    ids = [uuid7() for _ in found]
    rows = [(i, f.kind.value, f.scope, f.since, f.value, f.usual, f.text) for i, f in zip(ids, found, strict=True)]
    if rows:
        await connection.execute(RAISE, *_columns(rows), now)
    return ids


async def clear_signals(connection: "Connection", ids: Iterable[UUID], now: datetime) -> None:
    await connection.execute(CLEAR, list(ids), now)


async def set_gauges(connection: "Connection", gauges: Sequence[tuple[str, str, float]], now: datetime) -> None:
    """(kind, scope, value) of everything measured now; what was measured before and is not now falls to zero."""
    kinds, scopes, values = _columns(gauges) if gauges else ([], [], [])
    await connection.execute(SET_GAUGES, kinds, scopes, values, now)


async def forget_old(connection: "Connection", now: datetime) -> None:
    await connection.execute(FORGET_WINDOWS, now)
    await connection.execute(FORGET_STAYS, now)


def _window_columns(counts: Sequence[Count]) -> list[list[Any]]:
    return _columns([(c.kind, c.scope, c.starts, c.value) for c in counts])


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
