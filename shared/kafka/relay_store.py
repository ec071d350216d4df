"""All SQL of publishing the outbox."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import asyncpg

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

    Pool = asyncpg.Pool[asyncpg.Record]

TAKE_LEAD = "SELECT pg_try_advisory_lock(hashtext(current_schema() || '.relay'))"
GIVE_UP_LEAD = "SELECT pg_advisory_unlock(hashtext(current_schema() || '.relay'))"
# Rows of a wave are found by their keys, however little the statistics of a new day's partition know of it; and the
# statements are always the same.
PREPARE = """
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
SET plan_cache_mode = force_generic_plan
"""
NAME_LEADER = "UPDATE relay SET instance = $1, last_wave_at = clock_timestamp()"
OPEN_ON = """
UPDATE relay SET log_id = coalesce(log_id, $1),
                 opened_at = CASE WHEN log_id IS NULL THEN clock_timestamp() ELSE opened_at END
RETURNING log_id
"""
PLACES = """
SELECT topic, partition, max(log_offset) AS last FROM outbox
WHERE log_id = $1 AND published_at IS NOT NULL GROUP BY topic, partition
"""
TAKE_BACK = """
UPDATE outbox o SET published_at = NULL, log_id = NULL, log_offset = NULL
FROM unnest($2::text[], $3::int[], $4::bigint[]) AS e (topic, partition, end_offset)
WHERE o.log_id = $1 AND o.topic = e.topic AND o.partition = e.partition AND o.log_offset >= e.end_offset
  AND o.published_at IS NOT NULL
"""
UNPUBLISHED = """
SELECT day, id, topic, subject, headers, value FROM outbox WHERE published_at IS NULL ORDER BY id LIMIT $1
"""
MARK = """
UPDATE outbox o SET published_at = clock_timestamp(), log_id = $1, partition = u.partition, log_offset = u.log_offset
FROM unnest($2::date[], $3::bigint[], $4::int[], $5::bigint[]) AS u (day, id, partition, log_offset)
WHERE o.day = u.day AND o.id = u.id
"""
BEAT = "UPDATE relay SET last_wave_at = clock_timestamp(), instance = $1"
MAINTAIN = "SELECT outbox_maintain($1)"


class Row(NamedTuple):
    """An unpublished event."""

    day: date
    id: int
    topic: str
    subject: str
    headers: bytes
    value: bytes


class Published(NamedTuple):
    """An acknowledged event and where in the log it stands."""

    row: Row
    partition: int
    offset: int


async def take_lead(connection: "Connection", instance: str) -> bool:
    if not await connection.fetchval(TAKE_LEAD):
        return False
    await connection.execute(NAME_LEADER, instance)
    await connection.execute(PREPARE)
    return True


async def give_up_lead(connection: "Connection") -> None:
    await connection.execute(GIVE_UP_LEAD)


async def open_on(connection: "Connection", log_id: str) -> str:
    """The log this relay is open on: the first one it ever meets, or the one it was opened on since."""
    known: str = await connection.fetchval(OPEN_ON, log_id)
    return known


async def places(pool: "Pool", log_id: str) -> list[tuple[str, int]]:
    return [(row["topic"], row["partition"]) for row in await pool.fetch(PLACES, log_id)]


async def take_back(pool: "Pool", log_id: str, ends: Mapping[tuple[str, int], int]) -> int:
    """Marks rows at or above the log's ends unpublished; answers how many."""
    if not ends:
        return 0
    found = list(ends)
    status = await pool.execute(
        TAKE_BACK, log_id, [p[0] for p in found], [p[1] for p in found], [ends[p] for p in found]
    )
    return int(status.split()[-1])


async def unpublished(connection: "Connection", limit: int) -> list[Row]:
    return [Row(*row.values()) for row in await connection.fetch(UNPUBLISHED, limit)]


async def mark(connection: "Connection", log_id: str, published: Sequence[Published]) -> None:
    await connection.execute(
        MARK,
        log_id,
        [p.row.day for p in published],
        [p.row.id for p in published],
        [p.partition for p in published],
        [p.offset for p in published],
    )


async def beat(pool: "Pool", instance: str) -> None:
    await pool.execute(BEAT, instance)


async def maintain(pool: "Pool", days_kept: int) -> int:
    dropped: int = await pool.fetchval(MAINTAIN, days_kept)
    return dropped
