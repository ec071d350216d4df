"""All SQL of consuming: watermarks, positions, parked keys. One function a statement; arrays, never a row at a time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.events import AnyEvent
from shared.kafka.sequence import Mark

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

StreamKey = tuple[str, str, str]
"""(source, topic, subject)"""

CLAIM = """
INSERT INTO position (consumer, topic, partition, fence)
SELECT $1, t.topic, t.partition, 1 FROM unnest($2::text[], $3::int[]) AS t (topic, partition) ORDER BY 2, 3
ON CONFLICT (consumer, topic, partition) DO UPDATE SET fence = position.fence + 1
RETURNING topic, partition, log_id, next_offset, fence
"""
MOVE = """
UPDATE position p SET next_offset = u.next_offset, log_id = $2, moved_at = clock_timestamp()
FROM unnest($3::text[], $4::int[], $5::bigint[], $6::bigint[]) AS u (topic, partition, next_offset, fence)
WHERE p.consumer = $1 AND p.topic = u.topic AND p.partition = u.partition AND p.fence = u.fence
"""
MARKS = """
SELECT w.source, w.topic, w.subject, w.epoch, w.sequence
FROM unnest($2::text[], $3::text[], $4::text[]) AS u (source, topic, subject)
JOIN watermark w ON w.consumer = $1 AND w.source = u.source AND w.topic = u.topic AND w.subject = u.subject
"""
BLOCKED = "SELECT subject, reason FROM blocked_key WHERE consumer = $1 AND subject = ANY ($2) FOR UPDATE"
# Whoever waited for one of these streams (the survivor of a merge) and now need wait no longer is released with it.
SET_MARKS = """
WITH said AS (
    SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::bigint[])
        AS u (source, topic, subject, epoch, sequence)
), woken AS (
    UPDATE blocked_key b SET state = 'releasing', version = version + 1 FROM said
    WHERE b.consumer = $1 AND b.reason = 'awaiting-merge' AND b.state = 'parked' AND b.waits_source = said.source
      AND b.waits_topic = said.topic AND b.waits_subject = said.subject
      AND (b.waits_epoch, b.waits_sequence) <= (said.epoch, said.sequence)
)
INSERT INTO watermark AS w (consumer, source, topic, subject, epoch, sequence)
SELECT $1, source, topic, subject, epoch, sequence FROM said
ON CONFLICT (consumer, source, topic, subject) DO UPDATE SET epoch = excluded.epoch, sequence = excluded.sequence
"""
BLOCK = """
INSERT INTO blocked_key AS b (consumer, subject, reason, detail, waits_source, waits_topic, waits_subject, waits_epoch,
                              waits_sequence, asked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, CASE WHEN $3 = 'gap' THEN clock_timestamp() END)
ON CONFLICT (consumer, subject) DO UPDATE SET
    reason = excluded.reason, detail = excluded.detail, state = 'parked', attempts = b.attempts + 1,
    waits_source = excluded.waits_source, waits_topic = excluded.waits_topic, waits_subject = excluded.waits_subject,
    waits_epoch = excluded.waits_epoch, waits_sequence = excluded.waits_sequence, asked_at = excluded.asked_at,
    version = b.version + 1
"""
PARK = """
INSERT INTO parked_event (consumer, subject, source, topic, epoch, sequence, event_id, type, headers, value)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::bigint[], $7::uuid[], $8::text[],
                         $9::bytea[], $10::bytea[])
ON CONFLICT (consumer, source, topic, subject, epoch, sequence) DO NOTHING
"""
WAKE = """
UPDATE blocked_key SET state = 'releasing', version = version + 1
WHERE consumer = $1 AND subject = ANY ($2) AND state = 'parked' AND reason IN ('gap', 'awaiting-merge')
"""
DEAD = """
INSERT INTO dead_letter (consumer, topic, partition, log_id, log_offset, reason, headers, value)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A partition as it was when this instance was given it."""

    topic: str
    partition: int
    log_id: str | None
    next_offset: int
    fence: int


@dataclass(frozen=True, slots=True)
class Block:
    """Why a key is parked; `waits_for` is the point of another stream that must be reached first."""

    reason: str
    detail: str
    waits_for: tuple[StreamKey, Mark] | None = None


@dataclass(frozen=True, slots=True)
class Parked:
    """An event as it came: parked events are read anew when they are released."""

    event: AnyEvent
    headers: bytes
    value: bytes


async def claim(connection: "Connection", consumer: str, places: Sequence[tuple[str, int]]) -> list[Claimed]:
    rows = await connection.fetch(CLAIM, consumer, [p[0] for p in places], [p[1] for p in places])
    return [Claimed(**dict(row)) for row in rows]


async def move(
    connection: "Connection", consumer: str, log_id: str, moves: Mapping[tuple[str, int], tuple[int, int]]
) -> bool:
    """Moves positions to (next offset, under this fence); False when a fence was raised meanwhile."""
    places = list(moves)
    status = await connection.execute(
        MOVE,
        consumer,
        log_id,
        [place[0] for place in places],
        [place[1] for place in places],
        [moves[place][0] for place in places],
        [moves[place][1] for place in places],
    )
    return status == f"UPDATE {len(places)}"


async def marks(connection: "Connection", consumer: str, keys: Iterable[StreamKey]) -> dict[StreamKey, Mark]:
    wanted = list(keys)
    rows = await connection.fetch(MARKS, consumer, *([key[i] for key in wanted] for i in range(3)))
    return {(r["source"], r["topic"], r["subject"]): Mark(r["epoch"], r["sequence"]) for r in rows}


async def blocked(connection: "Connection", consumer: str, subjects: Iterable[str]) -> dict[str, str]:
    """Which of these subjects are parked, and for what reason."""
    rows = await connection.fetch(BLOCKED, consumer, list(subjects))
    return {row["subject"]: row["reason"] for row in rows}


async def set_marks(connection: "Connection", consumer: str, moved: Mapping[StreamKey, Mark]) -> None:
    keys = sorted(moved)
    await connection.execute(
        SET_MARKS,
        consumer,
        *([key[i] for key in keys] for i in range(3)),
        [moved[key].epoch for key in keys],
        [moved[key].sequence for key in keys],
    )


async def block(connection: "Connection", consumer: str, subject: str, why: Block) -> None:
    waits: tuple[object, ...] = (None, None, None, None, None)
    if why.waits_for:
        key, mark = why.waits_for
        waits = (*key, mark.epoch, mark.sequence)
    await connection.execute(BLOCK, consumer, subject, why.reason, why.detail, *waits)


async def park(connection: "Connection", consumer: str, parked: Sequence[Parked]) -> None:
    rows = [
        (e.subject, e.source, e.topic, e.epoch, e.sequence, e.id, e.type, p.headers, p.value)
        for p in parked
        for e in (p.event,)
    ]
    await connection.execute(PARK, consumer, *([list(column) for column in zip(*rows, strict=True)]))


async def wake(connection: "Connection", consumer: str, subjects: Sequence[str]) -> None:
    """What these keys waited for has come: the draining loop takes them up."""
    await connection.execute(WAKE, consumer, subjects)


async def bury(
    connection: "Connection",
    consumer: str,
    place: tuple[str, int, str, int],
    reason: str,
    headers: bytes,
    value: bytes | None,
) -> None:
    """Keeps a record that is no event. `place` is (topic, partition, log id, offset)."""
    await connection.execute(DEAD, consumer, *place, reason, headers, value)


async def clock(connection: "Connection") -> datetime:
    at: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return at
