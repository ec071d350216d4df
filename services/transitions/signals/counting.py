"""SQL of what is counted, in transitions' schema. Every statement sets; none adds up, so repeats change nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from services.transitions.signals.hearing import Count, FeedSeen, Stay
from services.transitions.signals.profile import Profile
from services.transitions.signals.readings import facility_scope

if TYPE_CHECKING:
    from asyncpg import Record

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
INSERT INTO signal_feed AS f (feed, facility, counted_until, last_heard, time_zone, quiet_minutes, counted_by)
SELECT feed, facility, counted_until, last_heard, time_zone, quiet_minutes, $7
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::int[])
     AS t (feed, facility, counted_until, last_heard, time_zone, quiet_minutes)
ON CONFLICT (feed) DO UPDATE SET
    facility = coalesce(excluded.facility, f.facility),
    time_zone = coalesce(excluded.time_zone, f.time_zone),
    quiet_minutes = CASE WHEN excluded.counted_until >= f.counted_until THEN excluded.quiet_minutes
                         ELSE f.quiet_minutes END,
    counted_by = excluded.counted_by,
    counted_until = greatest(f.counted_until, excluded.counted_until),
    last_heard = greatest(f.last_heard, excluded.last_heard)
"""
# Answers each place and hour whose counts changed: those of the row before, and those of the row now.
SET_STAYS = """
WITH before AS (SELECT * FROM signal_stay WHERE encounter_id = ANY($1)),
after AS (
    INSERT INTO signal_stay AS s (encounter_id, version, patient_id, facility, unit, present, counts, arrived_at,
                                  discharged_at, expected_by, time_zone)
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::boolean[],
                         $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::text[])
    ON CONFLICT (encounter_id) DO UPDATE SET
        version = excluded.version, patient_id = excluded.patient_id, facility = excluded.facility,
        unit = excluded.unit, present = excluded.present, counts = excluded.counts,
        arrived_at = excluded.arrived_at, discharged_at = excluded.discharged_at, expected_by = excluded.expected_by,
        time_zone = excluded.time_zone
    WHERE s.version <= excluded.version
    RETURNING *
),
seen AS (SELECT * FROM before UNION ALL SELECT * FROM after)
SELECT 'arrivals' AS kind, facility, unit, date_trunc('hour', arrived_at) AS hour FROM seen WHERE arrived_at IS NOT NULL
UNION
SELECT 'discharges', facility, unit, date_trunc('hour', discharged_at) FROM seen WHERE discharged_at IS NOT NULL
"""
# Two workers may change the same hour of the same place: who counts second waits, and sees what the first has set.
ONE_COUNTS = "SELECT pg_advisory_xact_lock(hashtextextended('signals.flows', 0))"
# Each hour of a facility is read once, by its index, for all its units and for the facility as a whole.
COUNT_FLOWS = """
WITH asked AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) AS t (kind, facility, unit, hour)
),
hours AS (SELECT DISTINCT kind, facility, hour FROM asked),
counted AS (
    SELECT h.kind, h.facility, h.hour, s.unit, count(*) AS stays
    FROM hours h JOIN signal_stay s ON s.counts AND s.facility = h.facility
         AND s.arrived_at >= h.hour AND s.arrived_at < h.hour + interval '1 hour'
    WHERE h.kind = 'arrivals' GROUP BY h.kind, h.facility, h.hour, s.unit
    UNION ALL
    SELECT h.kind, h.facility, h.hour, s.unit, count(*)
    FROM hours h JOIN signal_stay s ON s.counts AND s.facility = h.facility
         AND s.discharged_at >= h.hour AND s.discharged_at < h.hour + interval '1 hour'
    WHERE h.kind = 'discharges' GROUP BY h.kind, h.facility, h.hour, s.unit
)
SELECT a.kind, a.facility, a.unit, a.hour, coalesce(sum(c.stays), 0)::int AS value
FROM asked a LEFT JOIN counted c ON c.kind = a.kind AND c.facility = a.facility AND c.hour = a.hour
     AND (a.unit = '' OR c.unit = a.unit)
GROUP BY a.kind, a.facility, a.unit, a.hour
"""
REKEY = "UPDATE signal_stay SET patient_id = $2 WHERE patient_id = $1"
RECENT_MINUTES = """
SELECT substr(scope, length('feed:') + 1) AS feed, starts, value FROM signal_window
WHERE kind = 'feed-minute' AND starts >= $1 ORDER BY starts
"""
PROFILES = "SELECT feed, body FROM signal_profile"
SET_PROFILES = """
INSERT INTO signal_profile (feed, body, learned_at) SELECT feed, body, $3 FROM unnest($1::text[], $2::jsonb[])
    AS t (feed, body)
ON CONFLICT (feed) DO UPDATE SET body = excluded.body, learned_at = excluded.learned_at
"""
COUNTED_LATELY = "SELECT feed FROM signal_feed WHERE counted_until > now() - interval '1 day'"


async def set_feeds(
    connection: "Connection", minutes: Sequence[Count], feeds: Sequence[FeedSeen], instance: str
) -> None:
    """`instance`: the worker that counts these feeds now."""
    if not minutes:
        return
    await connection.execute(SET_WINDOWS, *_window_columns(minutes))
    scopes, starts = [c.scope for c in minutes], [c.starts for c in minutes]
    await connection.execute(SET_FEED_HOURS, scopes, starts)
    rows = [(f.feed, f.facility, f.counted_until, f.last_heard, f.time_zone, f.quiet_minutes) for f in feeds]
    await connection.execute(SET_FEEDS, *columns(rows), instance)


async def set_stays(connection: "Connection", stays: Sequence[Stay], *, recount_since: datetime) -> None:
    """Sets the stays, and counts anew the hours of arrivals and discharges that changed by it, by facility and unit."""
    rows = [
        (
            s.encounter_id, s.version, s.patient_id, s.facility, s.unit, s.present, s.counts, s.arrived_at,
            s.discharged_at, s.expected_by, s.time_zone,
        )
        for s in stays
    ]  # fmt: skip
    touched = await connection.fetch(SET_STAYS, *columns(rows)) if rows else []
    recent = [row for row in touched if row["hour"] >= recount_since]
    places = {(r["kind"], r["facility"], unit, r["hour"]) for r in recent for unit in (r["unit"], ALL_UNITS)}
    if places:
        await connection.execute(ONE_COUNTS)
        counted = await connection.fetch(COUNT_FLOWS, *columns(sorted(places)))
        await connection.execute(SET_WINDOWS, *_window_columns([_flow(row) for row in counted]))


def _flow(row: "Record") -> Count:
    scope = facility_scope(row["facility"], row["unit"] or None)
    return Count(kind=row["kind"], scope=scope, starts=row["hour"], value=row["value"])


async def rekey_stays(connection: "Connection", retired: str, survivor: str) -> None:
    await connection.execute(REKEY, retired, survivor)


async def recent_minutes(connection: "Connection", since: datetime) -> list[tuple[str, datetime, int]]:
    """(feed, minute, messages), oldest first."""
    return [(row["feed"], row["starts"], row["value"]) for row in await connection.fetch(RECENT_MINUTES, since)]


async def profiles(connection: "Connection") -> dict[str, Profile]:
    return {row["feed"]: Profile.from_json(row["body"]) for row in await connection.fetch(PROFILES)}


async def set_profiles(connection: "Connection", learned: Mapping[str, Profile], now: datetime) -> None:
    if learned:
        rows = [(feed, profile.to_json()) for feed, profile in sorted(learned.items())]
        await connection.execute(SET_PROFILES, *columns(rows), now)


async def feeds_counted_lately(connection: "Connection") -> list[str]:
    """Those that any worker counted within the last day."""
    return [row["feed"] for row in await connection.fetch(COUNTED_LATELY)]


def _window_columns(counts: Sequence[Count]) -> list[list[Any]]:
    return columns([(c.kind, c.scope, c.starts, c.value) for c in counts])


def columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """As `unnest` wants them; the rows are not empty."""
    return [list(column) for column in zip(*rows, strict=True)]
