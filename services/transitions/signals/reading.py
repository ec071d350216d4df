"""SQL behind the routes by which signals, gauges and profiles are read."""

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any

from services.transitions.signals.profile import Profile

if TYPE_CHECKING:
    from shared.postgres import Database

# A caller bound to facilities sees theirs, and what is nobody's in particular.
SIGNALS = """
SELECT id, kind, scope, since, raised_at, cleared_at, calm_since, value, usual, text, facility, rules FROM signal
WHERE ($1::text IS NULL OR kind = $1) AND ($2 OR cleared_at IS NULL)
  AND ($3::timestamptz IS NULL OR raised_at < $3)
  AND ($5::text[] IS NULL OR facility IS NULL OR facility = ANY($5))
ORDER BY raised_at DESC LIMIT $4
"""
GAUGES = "SELECT kind, scope, value, at FROM signal_gauge WHERE ($1::text IS NULL OR kind = $1) ORDER BY kind, scope"
WINDOWS = """
SELECT starts, value FROM signal_window WHERE kind = $1 AND scope = $2 AND starts > now() - make_interval(hours => $3)
ORDER BY starts
"""
FEEDS = """
SELECT f.feed, f.facility, f.time_zone, f.quiet_minutes, f.counted_until, f.counted_by, p.body,
       coalesce(f.last_heard, f.counted_until) AS quiet_since, 0 AS last_hour
FROM signal_feed f LEFT JOIN signal_profile p USING (feed)
WHERE $1::text IS NULL OR f.feed = $1 ORDER BY f.feed
"""
HOURS = """
SELECT substr(scope, length('feed:') + 1) AS feed, starts, value FROM signal_window
WHERE kind = 'feed-hour' AND starts > now() - interval '8 days' ORDER BY starts
"""


async def signals(
    database: "Database", kind: str | None, before: datetime | None, limit: int, *, cleared: bool, of: Collection[str]
) -> list[dict[str, Any]]:
    """Newest first; `of`: the facilities of the caller, none for one that is bound to none."""
    rows = await database.pool.fetch(SIGNALS, kind, cleared, before, limit, sorted(of) or None)
    return [dict(row) for row in rows]


async def gauges(database: "Database", kind: str | None) -> list[dict[str, Any]]:
    return [dict(row) for row in await database.pool.fetch(GAUGES, kind)]


async def windows(database: "Database", kind: str, scope: str, hours: int) -> list[dict[str, Any]]:
    return [dict(row) for row in await database.pool.fetch(WINDOWS, kind, scope, hours)]


async def feeds(database: "Database", feed: str | None) -> list[tuple[dict[str, Any], Profile]]:
    """Each feed with its profile; one that has learned nothing yet has an empty one."""
    rows = await database.pool.fetch(FEEDS, feed)
    return [(dict(row), Profile.from_json(row["body"]) if row["body"] else Profile()) for row in rows]


async def counted_hours(database: "Database") -> dict[str, dict[datetime, int]]:
    """Messages by feed and hour of the last eight days; an hour that goes on or was counted in part is told as far."""
    found: dict[str, dict[datetime, int]] = {}
    for row in await database.pool.fetch(HOURS):
        found.setdefault(row["feed"], {})[row["starts"]] = row["value"]
    return found
