"""What the pages of the ops team read, and how the read tables are emptied to be told again."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.dashboard.store import Connection

Record = asyncpg.Record

FEEDS = """
SELECT feed, max(facility) AS facility, max(last_received_at) AS last_received_at, max(minute) AS last_minute,
       coalesce(sum(total) FILTER (WHERE minute > now() - interval '5 minutes'), 0) AS lately,
       coalesce(sum(total), 0) AS total
FROM feed_minute WHERE minute > now() - interval '24 hours' GROUP BY feed ORDER BY feed
"""
MINUTES = """
SELECT feed, minute, total, counts FROM feed_minute
WHERE minute > now() - make_interval(mins => $1) ORDER BY feed, minute
"""
SIGNALS = """
SELECT * FROM signal WHERE cleared_at IS NULL OR cleared_at > now() - interval '1 day'
ORDER BY cleared_at IS NOT NULL, since DESC LIMIT 200
"""
OPEN_SIGNALS = "SELECT * FROM signal WHERE cleared_at IS NULL ORDER BY since"
PRESENT = """
SELECT facility, max(facility_name) AS name, count(*) AS present FROM stay
WHERE discharged_at IS NULL AND status IN ('arrived', 'triaged', 'in-progress', 'onleave')
  AND encounter_class IN ('IMP', 'EMER', 'OBSENC', 'SS') GROUP BY facility ORDER BY facility
"""
MOVES = """
SELECT facility, hour, sum(came)::int AS came, sum(went)::int AS went FROM (
    SELECT facility, date_trunc('hour', admitted_at) AS hour, 1 AS came, 0 AS went FROM stay
    WHERE admitted_at > now() - make_interval(hours => $1) AND admitted_at <= now()
      AND status NOT IN ('cancelled', 'entered-in-error', 'planned')
      AND encounter_class IN ('IMP', 'EMER', 'OBSENC', 'SS')
    UNION ALL
    SELECT facility, date_trunc('hour', discharged_at), 0, 1 FROM stay
    WHERE discharged_at > now() - make_interval(hours => $1) AND discharged_at <= now()
      AND status NOT IN ('cancelled', 'entered-in-error', 'planned')
      AND encounter_class IN ('IMP', 'EMER', 'OBSENC', 'SS')
) moves GROUP BY facility, hour
"""
OVERDUE = """
SELECT t.facility, count(*) AS open, count(*) FILTER (WHERE k.due_at < now()) AS overdue
FROM board_task k JOIN board_transition t ON t.id = k.transition_id
WHERE k.status IN ('requested', 'accepted') AND k.due_at IS NOT NULL AND NOT t.historical
  AND t.status IN ('open', 'following') GROUP BY t.facility ORDER BY 1
"""
DELIVERIES = """
SELECT * FROM delivery
WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR organisation = $2)
  AND ($3::timestamptz IS NULL OR (at, id) < ($3, $4::uuid))
  AND ($6::text[] IS NULL OR EXISTS (
    SELECT FROM stay s WHERE s.encounter_id = delivery.encounter_id AND s.facility = ANY ($6)))
ORDER BY at DESC, id DESC LIMIT $5
"""
DELIVERY = "SELECT * FROM delivery WHERE id = $1"
DELIVERY_COUNTS = (
    "SELECT status, count(*) AS total FROM delivery WHERE at > now() - interval '1 day' GROUP BY status ORDER BY status"
)
# One look into the index per organisation, instead of reading every delivery.
ORGANISATIONS = """
WITH RECURSIVE found AS (
    SELECT min(organisation) AS organisation FROM delivery
    UNION ALL
    SELECT (SELECT min(organisation) FROM delivery d WHERE d.organisation > f.organisation)
    FROM found f WHERE f.organisation IS NOT NULL
)
SELECT organisation FROM found WHERE organisation IS NOT NULL LIMIT 200
"""
REVISION = "SELECT last_value FROM live_revision"
TOLD_AGAIN = (
    "person", "stay", "board_transition", "board_task", "plan", "event_log", "delivery", "feed_minute", "signal",
)  # fmt: skip
# The consumer reads its topics again from the log's beginning when it is told to stand there and nothing took effect.
# `fence` rises so that a batch in flight, decided on the old watermarks, fails instead of being applied.
EMPTY = f"TRUNCATE {', '.join(TOLD_AGAIN)}, watermark, blocked_key, parked_event, dead_letter"
REWIND = "UPDATE position SET next_offset = 0, fence = fence + 1, moved_at = now()"


async def feeds(connection: Connection) -> list[Record]:
    return await connection.fetch(FEEDS)


async def minutes(connection: Connection, back: int) -> list[Record]:
    """Counts of each feed per minute, `back` minutes back."""
    return await connection.fetch(MINUTES, back)


async def signals(connection: Connection) -> list[Record]:
    """Open ones first, then those cleared within a day."""
    return await connection.fetch(SIGNALS)


async def open_signals(connection: Connection) -> list[Record]:
    return await connection.fetch(OPEN_SIGNALS)


async def present(connection: Connection) -> list[Record]:
    """How many are in each facility now (inpatients, observation, emergency)."""
    return await connection.fetch(PRESENT)


async def moves(connection: Connection, hours: int) -> list[Record]:
    """Who came and who went, per facility and hour."""
    return await connection.fetch(MOVES, hours)


async def overdue(connection: Connection) -> list[Record]:
    """Open tasks and overdue tasks per facility."""
    return await connection.fetch(OVERDUE)


async def deliveries(
    connection: Connection,
    status: str | None,
    organisation: str | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
    facilities: Sequence[str] | None = None,
) -> list[Record]:
    """The latest first; `facilities` (None: all) are those the caller is bound to."""
    at, last = before or (None, None)
    return await connection.fetch(DELIVERIES, status, organisation, at, last, limit, facilities)


async def delivery(connection: Connection, delivery_id: UUID) -> Record | None:
    return await connection.fetchrow(DELIVERY, delivery_id)


async def delivery_counts(connection: Connection) -> dict[str, int]:
    """Per status, of the last day."""
    return {row["status"]: row["total"] for row in await connection.fetch(DELIVERY_COUNTS)}


async def organisations(connection: Connection) -> list[str]:
    return [row["organisation"] for row in await connection.fetch(ORGANISATIONS)]


async def revision(connection: Connection) -> int:
    """The number of the latest change that was announced."""
    number: int = await connection.fetchval(REVISION)
    return number


async def empty(connection: Connection) -> None:
    """Empties the read tables and forgets what was heard; the consumer then reads everything again."""
    await connection.execute(EMPTY)
    await connection.execute(REWIND)
