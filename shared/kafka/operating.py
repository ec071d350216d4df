"""What people do to the pipeline through the operations routes: look, release, skip, accept a gap, republish."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from shared.kafka.consumer import Consumer
from shared.kafka.relay import Relay
from shared.kafka.republish import Position
from shared.postgres import Database, Transaction

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

PARKED = """
SELECT b.consumer, b.subject, b.reason, b.detail, b.state, b.since, b.attempts, b.version,
       (SELECT count(*) FROM parked_event p WHERE p.consumer = b.consumer AND p.subject = b.subject) AS events,
       h.event_id, h.type, h.topic, h.sequence
FROM blocked_key b LEFT JOIN LATERAL (
    SELECT event_id, type, topic, sequence FROM parked_event p
    WHERE p.consumer = b.consumer AND p.subject = b.subject ORDER BY p.id LIMIT 1
) h ON true
ORDER BY b.since LIMIT $1
"""
RELEASE = """
UPDATE blocked_key SET state = 'releasing', version = version + 1
WHERE consumer = $1 AND subject = $2 AND version = $3 RETURNING 1
"""
HEAD = """
SELECT id, source, topic, epoch, sequence, event_id, type, headers, value FROM parked_event
WHERE consumer = $1 AND subject = $2 ORDER BY id LIMIT 1
"""
SKIP = """
INSERT INTO skipped_event (consumer, subject, source, topic, epoch, from_sequence, to_sequence, event_id, type, headers,
                           value, reason, actor)
SELECT consumer, subject, source, topic, epoch, sequence, sequence, event_id, type, headers, value, $2, $3
FROM parked_event WHERE id = $1
"""
# The gap before the oldest parked event of a stream is given up: what is missing there is written down as skipped.
ACCEPT = """
WITH head AS (
    SELECT DISTINCT ON (p.source, p.topic) p.source, p.topic, p.epoch, p.sequence, coalesce(w.sequence, 0) AS done
    FROM parked_event p LEFT JOIN watermark w
      ON w.consumer = p.consumer AND w.source = p.source AND w.topic = p.topic AND w.subject = p.subject
     AND w.epoch = p.epoch
    WHERE p.consumer = $1 AND p.subject = $2 ORDER BY p.source, p.topic, p.epoch, p.sequence
), given_up AS (SELECT * FROM head WHERE sequence > done + 1
), written AS (
    INSERT INTO skipped_event (consumer, subject, source, topic, epoch, from_sequence, to_sequence, reason, actor)
    SELECT $1, $2, source, topic, epoch, done + 1, sequence - 1, $3, $4 FROM given_up
)
INSERT INTO watermark (consumer, source, topic, subject, epoch, sequence)
SELECT $1, source, topic, $2, epoch, sequence - 1 FROM given_up
ON CONFLICT (consumer, source, topic, subject) DO UPDATE SET epoch = excluded.epoch, sequence = excluded.sequence
"""
ADVANCE = """
INSERT INTO watermark (consumer, source, topic, subject, epoch, sequence) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (consumer, source, topic, subject) DO UPDATE SET epoch = excluded.epoch, sequence = excluded.sequence
"""
FORGET = "DELETE FROM parked_event WHERE id = $1"
DEAD = """
SELECT id, consumer, topic, partition, log_offset, reason, at FROM dead_letter ORDER BY id DESC LIMIT $1
"""
POSITIONS = "SELECT consumer, topic, partition, log_id, next_offset FROM position ORDER BY 1, 2, 3"
RELAY = """
SELECT log_id, opened_at, last_wave_at,
       (SELECT min(recorded) FROM outbox WHERE published_at IS NULL) AS oldest_unpublished
FROM relay
"""
OUTBOX_HOP = """
SELECT count(*) AS count, extract(epoch FROM clock_timestamp() - min(recorded))::float8 AS oldest
FROM (SELECT recorded FROM outbox WHERE published_at IS NULL ORDER BY id LIMIT 100000) waiting
"""
PARKED_HOP = """
SELECT count(*) AS count, extract(epoch FROM clock_timestamp() - min(since))::float8 AS oldest FROM blocked_key
"""
DEAD_HOP = (
    "SELECT count(*) AS count, extract(epoch FROM clock_timestamp() - min(at))::float8 AS oldest FROM dead_letter"
)
RAISE_EPOCH = "UPDATE epoch SET epoch = epoch + 1, since = clock_timestamp() RETURNING epoch"


class StaleVersionError(Exception):
    """The key changed since it was looked at (or is free again): look again, then decide."""


class Head(BaseModel):
    """The event at the head of a parked patient's queue."""

    event_id: str
    type: str
    topic: str
    sequence: int


class ParkedKey(BaseModel):
    """A parked patient. `followers` counts the events behind the head."""

    consumer: str
    subject: str
    reason: str
    detail: str
    state: str
    since: datetime
    attempts: int
    followers: int
    head: Head | None
    version: int


class Hop(BaseModel):
    """One hop of the pipeline: how much waits there and for how many seconds the oldest has."""

    name: str
    count: int
    oldest_seconds: float | None


async def parked(connection: "Connection", limit: int = 200) -> list[ParkedKey]:
    rows = await connection.fetch(PARKED, limit)
    return [_parked_key(dict(row)) for row in rows]


def _parked_key(row: dict[str, Any]) -> ParkedKey:
    head = Head(event_id=str(row["event_id"]), type=row["type"], topic=row["topic"], sequence=row["sequence"])
    return ParkedKey(**row, followers=max(0, row["events"] - 1), head=head if row["event_id"] else None)


async def release(tx: Transaction, consumer: str, subject: str, version: int) -> None:
    """Lets the patient's events be tried again, in order. Raises StaleVersionError."""
    if not await tx.connection.fetchval(RELEASE, consumer, subject, version):
        raise StaleVersionError


async def skip(tx: Transaction, consumer: str, subject: str, version: int, reason: str, actor: str) -> None:
    """Gives up the head event, with a reason that stays on record, and releases the rest. Raises StaleVersionError."""
    await tx.lock([subject])
    await release(tx, consumer, subject, version)
    head = await tx.connection.fetchrow(HEAD, consumer, subject)
    if head is None:
        return
    await tx.connection.execute(SKIP, head["id"], reason, actor)
    await tx.connection.execute(
        ADVANCE, consumer, head["source"], head["topic"], subject, head["epoch"], head["sequence"]
    )
    await tx.connection.execute(FORGET, head["id"])


async def accept_gap(tx: Transaction, consumer: str, subject: str, version: int, reason: str, actor: str) -> None:
    """Gives up what is missing before the parked events, and releases them. Raises StaleVersionError."""
    await tx.lock([subject])
    await release(tx, consumer, subject, version)
    await tx.connection.execute(ACCEPT, consumer, subject, reason, actor)


async def dead_letters(connection: "Connection", limit: int = 200) -> list[dict[str, Any]]:
    return [dict(row) for row in await connection.fetch(DEAD, limit)]


async def positions(connection: "Connection") -> list[Position]:
    return [Position(**dict(row)) for row in await connection.fetch(POSITIONS)]


async def relay_standing(connection: "Connection", relay: Relay) -> dict[str, Any]:
    row = await connection.fetchrow(RELAY)
    return {"open": relay.state.is_open, "leads": relay.state.leads, **dict(row or {})}


async def hops(database: Database, consumers: Sequence[Consumer]) -> list[Hop]:
    """Every place of this service where an event can wait."""
    async with database.pool.acquire() as connection:
        rows = {
            "outbox": await connection.fetchrow(OUTBOX_HOP),
            "parked": await connection.fetchrow(PARKED_HOP),
            "dead letters": await connection.fetchrow(DEAD_HOP),
        }
    found = [Hop(name=name, count=row["count"], oldest_seconds=row["oldest"]) for name, row in rows.items() if row]
    for consumer in consumers:
        progress = consumer.progress
        found += [
            Hop(name=f"consumer {topic}", count=count, oldest_seconds=progress.behind_s(topic))
            for topic, count in sorted(progress.lag.items())
        ]
    return found


async def raise_epoch(connection: "Connection") -> int:
    """After a restore from a backup: sequences start anew and every reader knows it."""
    epoch: int = await connection.fetchval(RAISE_EPOCH)
    return epoch
