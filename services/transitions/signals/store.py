"""SQL of the judge, in transitions' schema: what it reads, what it keeps open, and its gauges."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.transitions.signals.counting import columns
from services.transitions.signals.following import Standing
from services.transitions.signals.profile import Profile, hours_before, zone_named
from services.transitions.signals.readings import (
    CensusReading,
    FacilityReading,
    Finding,
    LateStay,
    UnbookedReferral,
    facility_scope,
)
from shared.events import uuid7
from shared.events.operations import SignalKind

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.postgres.transaction import Connection

# The last hour of each feed ends where it was counted to: a count that comes a moment late takes nothing away.
FEEDS = """
SELECT f.feed, f.facility, f.counted_until, f.quiet_minutes, p.learned_at, coalesce(f.last_heard, (
        SELECT min(w.starts) FROM signal_window w WHERE w.kind = 'feed-minute' AND w.scope = 'feed:' || f.feed
    ), f.counted_until) AS quiet_since, (
        SELECT coalesce(sum(w.value), 0)::int FROM signal_window w WHERE w.kind = 'feed-minute'
          AND w.scope = 'feed:' || f.feed AND w.starts >= f.counted_until - interval '1 hour'
          AND w.starts < f.counted_until
    ) AS last_hour
FROM signal_feed f LEFT JOIN signal_profile p USING (feed) ORDER BY f.feed
"""
PROFILES = "SELECT feed, body FROM signal_profile WHERE feed = ANY($1)"
# A place that had patients within the last day and has none now is read as empty.
CENSUS = """
SELECT facility, unit, count(*) FILTER (WHERE present)::int AS patients, max(time_zone) AS time_zone FROM signal_stay
WHERE present OR discharged_at > $1::timestamptz - interval '1 day'
GROUP BY GROUPING SETS ((facility), (facility, unit)) ORDER BY facility, unit
"""
EARLIER = """
SELECT t.scope,
       array_agg(w.value) FILTER (WHERE t.days % 7 = 0) AS weeks,
       array_agg(w.value) FILTER (WHERE t.days <= 14) AS days
FROM unnest($1::text[], $2::timestamptz[], $3::int[]) AS t (scope, starts, days)
JOIN signal_window w ON w.kind = 'census' AND w.scope = t.scope AND w.starts = t.starts GROUP BY t.scope
"""
KEEP_CENSUS = """
INSERT INTO signal_window AS w (kind, scope, starts, value)
SELECT 'census', scope, date_trunc('hour', $3::timestamptz), value
FROM unnest($1::text[], $2::int[]) AS t (scope, value)
ON CONFLICT (kind, scope, starts) DO UPDATE SET value = excluded.value WHERE w.value <> excluded.value
"""
FLOWS = """
SELECT kind, scope, sum(value)::int AS value FROM signal_window
WHERE kind IN ('arrivals', 'discharges') AND starts > $1::timestamptz - interval '24 hours' AND starts <= $1
GROUP BY kind, scope
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
LATE_STAYS = """
SELECT encounter_id, facility, unit, expected_by FROM signal_stay
WHERE present AND expected_by IS NOT NULL AND expected_by <= $1 ORDER BY expected_by, encounter_id
"""
# Old news waits for nobody: a referral of which only history is known is left out.
UNBOOKED = """
SELECT r.id AS referral_id, r.facility, r.priority, r.requested_at FROM referral r
WHERE r.is_open AND NOT r.is_held AND r.state IN ('requested', 'received', 'accepted') AND r.requested_at <= $1
  AND EXISTS (SELECT 1 FROM referral_deed d WHERE d.referral_id = r.id AND NOT d.historical)
ORDER BY r.requested_at, r.id
"""
STANDING = """
SELECT id, kind, scope, since, value, usual, text, facility, calm_since FROM signal WHERE cleared_at IS NULL
"""
RAISE = """
INSERT INTO signal (id, kind, scope, since, raised_at, value, usual, text, facility, rules)
SELECT u.id, u.kind, u.scope, u.since, $9, u.value, u.usual, u.text, u.facility, $10
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::float8[], $6::float8[], $7::text[], $8::text[])
     AS u (id, kind, scope, since, value, usual, text, facility)
"""
CLEAR = "UPDATE signal SET cleared_at = $2 WHERE id = ANY($1) AND cleared_at IS NULL"
CALM = (
    "UPDATE signal SET calm_since = CASE WHEN id = ANY($1) THEN $3::timestamptz END WHERE id = ANY($1) OR id = ANY($2)"
)
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
# Nine weeks of hours: a census is compared with the same hour of the eight weeks before.
FORGET_WINDOWS = """
DELETE FROM signal_window WHERE starts < $1::timestamptz - CASE kind WHEN 'feed-minute' THEN interval '2 days'
                                                                      ELSE interval '63 days' END
"""
FORGET_STAYS = """
DELETE FROM signal_stay
WHERE NOT present AND coalesce(discharged_at, arrived_at, '-infinity') < $1::timestamptz - interval '7 days'
"""
# The same hour of the fourteen days before, and of the eight weeks before.
DAYS_BACK = (*range(1, 15), *range(21, 57, 7))


async def feeds(connection: "Connection") -> list[dict[str, Any]]:
    """feed, facility, counted_until, quiet_since, last_hour, quiet_minutes and learned_at (both may be None) of every
    feed that was ever counted.
    """
    return [dict(row) for row in await connection.fetch(FEEDS)]


async def profiles(connection: "Connection", feeds: Iterable[str]) -> dict[str, Profile]:
    wanted = sorted(feeds)
    rows = await connection.fetch(PROFILES, wanted) if wanted else []
    return {row["feed"]: Profile.from_json(row["body"]) for row in rows}


async def census(connection: "Connection", now: datetime) -> list[CensusReading]:
    """Of facilities (unit None) and units; keeps this hour's too, for the weeks to come. What is compared is the same
    hour of the place's own clock.
    """
    rows = await connection.fetch(CENSUS, now)
    scopes = [facility_scope(row["facility"], row["unit"]) for row in rows]
    await connection.execute(KEEP_CENSUS, scopes, [row["patients"] for row in rows], now)
    hours = {row["time_zone"]: hours_before(now, zone_named(row["time_zone"]), DAYS_BACK) for row in rows}
    asked = [
        (scope, *each)
        for row, scope in zip(rows, scopes, strict=True)
        for each in zip(hours[row["time_zone"]], DAYS_BACK, strict=True)
    ]
    found = await connection.fetch(EARLIER, *columns(asked)) if asked else []
    earlier = {row["scope"]: (row["weeks"] or (), row["days"] or ()) for row in found}
    return [_census(row, *earlier.get(scope, ((), ()))) for row, scope in zip(rows, scopes, strict=True)]


def _census(row: "Record", weeks: Sequence[int], days: Sequence[int]) -> CensusReading:
    return CensusReading(
        facility=row["facility"],
        unit=row["unit"],
        patients=row["patients"],
        earlier_weeks=tuple(weeks),
        earlier_days=tuple(days),
    )


async def flows(connection: "Connection", now: datetime) -> list[tuple[str, str, int]]:
    """(`arrivals` or `discharges`, scope, patients) of the last 24 hours, the one that goes on included."""
    return [(row["kind"], row["scope"], row["value"]) for row in await connection.fetch(FLOWS, now)]


async def facilities(connection: "Connection", now: datetime) -> list[FacilityReading]:
    found: dict[str, dict[str, int]] = {}
    for row in await connection.fetch(TASKS, now):
        found.setdefault(row["facility"], {}).update(open_tasks=row["open"], overdue_tasks=row["overdue"])
    for row in await connection.fetch(RETURNS, now):
        found.setdefault(row["facility"], {}).update(returns=row["returns"])
    for row in await connection.fetch(DISCHARGED, now):
        found.setdefault(row["facility"], {}).update(discharges=row["discharges"])
    return [FacilityReading(facility=facility, **found[facility]) for facility in sorted(found)]


async def late_stays(connection: "Connection", before: datetime) -> list[LateStay]:
    """Patients who are here although they were expected to leave by `before`."""
    return [LateStay(**dict(row)) for row in await connection.fetch(LATE_STAYS, before)]


async def unbooked(connection: "Connection", before: datetime) -> list[UnbookedReferral]:
    """Referrals without an appointment that were requested by `before`."""
    return [UnbookedReferral(**dict(row)) for row in await connection.fetch(UNBOOKED, before)]


async def standing(connection: "Connection") -> list[Standing]:
    return [_standing(row) for row in await connection.fetch(STANDING)]


def _standing(row: "Record") -> Standing:
    names = ("scope", "since", "value", "usual", "text", "facility")
    finding = Finding(kind=SignalKind(row["kind"]), **{name: row[name] for name in names})
    return Standing(row["id"], finding, row["calm_since"])


async def raise_signals(connection: "Connection", found: Sequence[Finding], now: datetime, rules: str) -> list[UUID]:
    """Opens a row for each; answers their ids in the same order."""
    ids = [uuid7() for _ in found]
    rows = [
        (i, f.kind.value, f.scope, f.since, f.value, f.usual, f.text, f.facility)
        for i, f in zip(ids, found, strict=True)
    ]
    if rows:
        await connection.execute(RAISE, *columns(rows), now, rules)
    return ids


async def clear_signals(connection: "Connection", ids: Sequence[UUID], now: datetime) -> None:
    if ids:
        await connection.execute(CLEAR, ids, now)


async def set_calm(connection: "Connection", calmed: Sequence[UUID], stirred: Sequence[UUID], now: datetime) -> None:
    if calmed or stirred:
        await connection.execute(CALM, calmed, stirred, now)


async def set_gauges(connection: "Connection", gauges: Sequence[tuple[str, str, float]], now: datetime) -> None:
    """(kind, scope, value) of everything measured now; what was measured before and is not now falls to zero."""
    kinds, scopes, values = columns(gauges) if gauges else ([], [], [])
    await connection.execute(SET_GAUGES, kinds, scopes, values, now)


async def forget_old(connection: "Connection", now: datetime) -> None:
    await connection.execute(FORGET_WINDOWS, now)
    await connection.execute(FORGET_STAYS, now)
