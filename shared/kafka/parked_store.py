"""All SQL of releasing parked keys: many keys and many events a statement."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

    Pool = asyncpg.Pool[asyncpg.Record]

RELEASING = (
    "SELECT subject FROM blocked_key WHERE consumer = $1 AND state = 'releasing' ORDER BY since, subject LIMIT $2"
)
HOLD = """
SELECT subject FROM blocked_key WHERE consumer = $1 AND subject = ANY ($2) AND state = 'releasing'
ORDER BY subject FOR UPDATE
"""
# The oldest events of each stream of these patients.
OLDEST = """
SELECT id, subject, topic, headers, value FROM (
    SELECT id, subject, topic, headers, value,
           row_number() OVER (PARTITION BY subject, source, topic ORDER BY epoch, sequence) AS nth
    FROM parked_event WHERE consumer = $1 AND subject = ANY ($2)
) p WHERE nth <= $3 ORDER BY subject, nth, id
"""
STILL_THERE = "SELECT id FROM parked_event WHERE id = ANY ($1)"
FORGET = "DELETE FROM parked_event WHERE id = ANY ($1)"
FREE = """
DELETE FROM blocked_key b WHERE b.consumer = $1 AND b.subject = ANY ($2)
  AND NOT EXISTS (SELECT 1 FROM parked_event p WHERE p.consumer = b.consumer AND p.subject = b.subject)
RETURNING b.subject
"""
STALE_GAPS = """
SELECT subject FROM blocked_key
WHERE consumer = $1 AND reason = 'gap' AND state = 'parked'
  AND asked_at < statement_timestamp() - make_interval(secs => $2)
ORDER BY asked_at LIMIT $3
"""
ASKED = """
UPDATE blocked_key SET asked_at = clock_timestamp()
WHERE consumer = $1 AND subject = ANY ($2) AND reason = 'gap' AND state = 'parked' RETURNING subject
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A parked event as it is kept; `id` rises in the order of parking."""

    id: int
    subject: str
    topic: str
    headers: bytes
    value: bytes


async def releasing(pool: "Pool", consumer: str, limit: int) -> list[str]:
    """Keys that are released, the longest parked first."""
    return [row["subject"] for row in await pool.fetch(RELEASING, consumer, limit)]


async def hold(connection: "Connection", consumer: str, subjects: Collection[str]) -> set[str]:
    """Those that are still released, and stay so until the transaction ends."""
    return {row["subject"] for row in await connection.fetch(HOLD, consumer, list(subjects))}


async def oldest(connection: "Connection", consumer: str, subjects: Collection[str], each: int) -> list[Row]:
    """Up to `each` events of every stream of these patients, in order within their streams."""
    return [Row(*row.values()) for row in await connection.fetch(OLDEST, consumer, list(subjects), each)]


async def still_there(connection: "Connection", rows: Sequence[Row]) -> list[Row]:
    """Those of the rows that nobody has worked off or given up since they were read."""
    found = {row["id"] for row in await connection.fetch(STILL_THERE, [row.id for row in rows])}
    return [row for row in rows if row.id in found]


async def forget(connection: "Connection", rows: Collection[int]) -> None:
    await connection.execute(FORGET, list(rows))


async def free(connection: "Connection", consumer: str, subjects: Collection[str]) -> set[str]:
    """Frees those who have nothing parked any more; answers whom."""
    return {row["subject"] for row in await connection.fetch(FREE, consumer, list(subjects))}


async def stale_gaps(pool: "Pool", consumer: str, seconds: float, limit: int) -> list[str]:
    """Keys whose missing events were asked for so long ago and did not come."""
    return [row["subject"] for row in await pool.fetch(STALE_GAPS, consumer, seconds, limit)]


async def asked(connection: "Connection", consumer: str, subjects: Collection[str]) -> set[str]:
    """Notes that their missing events are asked for now; answers those who still miss some."""
    return {row["subject"] for row in await connection.fetch(ASKED, consumer, list(subjects))}
