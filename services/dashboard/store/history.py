"""What caused what: the event log read by stay, and walked towards causes and effects."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.dashboard.store import Connection

Record = asyncpg.Record
DEEPEST = 12
MOST = 500
UUID_PATTERN = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"

COLUMNS = (
    "event_id, type, topic, source, subject, correlation, causation, sequence, flags, occurred, recorded, seen, summary"
)
OF_STAY = f"""
SELECT {COLUMNS} FROM event_log
WHERE correlation = ANY ($1) AND ($2::timestamptz IS NULL OR (recorded, event_id) < ($2, $3::uuid))
ORDER BY recorded DESC, event_id DESC LIMIT $4
"""
ONE = f"SELECT {COLUMNS} FROM event_log WHERE event_id = $1"
EFFECTS = f"""
WITH RECURSIVE caused AS (
    SELECT {COLUMNS}, 1 AS depth FROM event_log WHERE causation = $1
    UNION
    SELECT {", ".join("e." + name.strip() for name in COLUMNS.split(","))}, c.depth + 1
    FROM caused c JOIN event_log e ON e.causation = c.event_id::text
    WHERE c.depth < {DEEPEST}
)
SELECT * FROM caused ORDER BY recorded, event_id LIMIT {MOST}
"""
# A causation that is no UUID, or that is no event's, is a message or a request: the walk ends there.
CAUSES = f"""
WITH RECURSIVE chain AS (
    SELECT {COLUMNS}, 1 AS depth FROM event_log WHERE event_id = $1
    UNION ALL
    SELECT {", ".join("e." + name.strip() for name in COLUMNS.split(","))}, c.depth + 1
    FROM chain c JOIN event_log e
      ON e.event_id = CASE WHEN c.causation ~ '{UUID_PATTERN}' THEN c.causation::uuid END
    WHERE c.depth < {DEEPEST}
)
SELECT * FROM chain ORDER BY depth
"""
FORGET = """
DELETE FROM event_log WHERE event_id IN (
    SELECT event_id FROM event_log WHERE seen < now() - make_interval(days => $1) LIMIT $2)
"""


FORGET_MINUTES = "DELETE FROM feed_minute WHERE minute < now() - make_interval(days => $1)"


async def events_of(
    connection: Connection, correlations: Sequence[str], before: tuple[datetime, UUID] | None, limit: int
) -> list[Record]:
    """Events that belong to a stay or transition, the latest first."""
    at, last = before or (None, None)
    return await connection.fetch(OF_STAY, correlations, at, last, limit)


async def event(connection: Connection, event_id: UUID) -> Record | None:
    return await connection.fetchrow(ONE, event_id)


async def effects(connection: Connection, causation: str) -> list[Record]:
    """Every event that followed from this message or event, directly or not: 12 steps and 500 events at most."""
    return await connection.fetch(EFFECTS, causation)


async def causes(connection: Connection, event_id: UUID) -> list[Record]:
    """The event and what caused it, step by step; the last one's `causation` is where it began."""
    return await connection.fetch(CAUSES, event_id)


async def forget(connection: Connection, days: int, limit: int) -> int:
    """Drops up to `limit` events seen more than `days` ago (and the feeds' minutes); answers how many events."""
    await connection.execute(FORGET_MINUTES, days)
    done: str = await connection.execute(FORGET, days, limit)
    return int(done.rsplit(" ", 1)[-1])
