"""All SQL of consuming: watermarks, positions, parked keys. One function a statement; arrays, never a row at a time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from shared.events import AnyEvent
from shared.kafka.sequence import Mark
from shared.postgres.outbox import pack_headers

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection, Transaction

StreamKey = tuple[str, str, str]
"""(source, topic, subject)"""
Moves = Mapping[tuple[str, int], tuple[int, int]]
"""(topic, partition) -> (next offset, under this fence)"""
NOWHERE: Moves = {}

CLAIM = """
INSERT INTO position (consumer, topic, partition, fence)
SELECT $1, t.topic, t.partition, 1 FROM unnest($2::text[], $3::int[]) AS t (topic, partition) ORDER BY 2, 3
ON CONFLICT (consumer, topic, partition) DO UPDATE SET fence = position.fence + 1
RETURNING topic, partition, log_id, next_offset, fence
"""
# In one round trip: locks, watermarks, and which of these keys are parked.
TAKE_UP = "SELECT kind, a, b, c, epoch, sequence FROM take_up($1, $2, $3, $4, $5, $6)"
MARKS = """
SELECT w.source, w.topic, w.subject, w.epoch, w.sequence
FROM unnest($2::text[], $3::text[], $4::text[]) AS u (source, topic, subject)
JOIN watermark w ON w.consumer = $1 AND w.source = u.source AND w.topic = u.topic AND w.subject = u.subject
"""
# The last statement of a batch: how far its streams have taken effect, and where to read on. Whoever waited for one of
# these streams (the survivor of a merge) and now need wait no longer is released with it.
SETTLE = """
WITH said AS (
    SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::bigint[])
        AS u (source, topic, subject, epoch, sequence)
), woken AS (
    UPDATE blocked_key b SET state = 'releasing', version = version + 1 FROM said
    WHERE b.consumer = $1 AND b.reason = 'awaiting-merge' AND b.state = 'parked' AND b.waits_source = said.source
      AND b.waits_topic = said.topic AND b.waits_subject = said.subject
      AND (b.waits_epoch, b.waits_sequence) <= (said.epoch, said.sequence)
    RETURNING 1
), marked AS (
    INSERT INTO watermark AS w (consumer, source, topic, subject, epoch, sequence)
    SELECT $1, source, topic, subject, epoch, sequence FROM said
    ON CONFLICT (consumer, source, topic, subject) DO UPDATE SET epoch = excluded.epoch, sequence = excluded.sequence
), moved AS (
    UPDATE position p SET next_offset = u.next_offset, log_id = $7, moved_at = clock_timestamp()
    FROM unnest($8::text[], $9::int[], $10::bigint[], $11::bigint[]) AS u (topic, partition, next_offset, fence)
    WHERE p.consumer = $1 AND p.topic = u.topic AND p.partition = u.partition AND p.fence = u.fence
    RETURNING 1
)
SELECT (SELECT count(*) FROM moved) AS moved, (SELECT count(*) FROM woken) AS woken
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


@dataclass(slots=True)
class Known:
    """What is known of a batch's streams and keys before it is applied."""

    marks: dict[StreamKey, Mark] = field(default_factory=dict)
    blocked: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settled:
    """`is_fenced`: a fence was raised meanwhile, this must not be committed. `woken`: keys that need wait no longer."""

    is_fenced: bool
    woken: int


@dataclass(frozen=True, slots=True)
class Parked:
    """An event as it came: parked events are read anew when they are released."""

    event: AnyEvent
    headers: Sequence[tuple[str, bytes]]
    value: bytes


async def claim(connection: "Connection", consumer: str, places: Sequence[tuple[str, int]]) -> list[Claimed]:
    rows = await connection.fetch(CLAIM, consumer, [p[0] for p in places], [p[1] for p in places])
    return [Claimed(**dict(row)) for row in rows]


async def marks(connection: "Connection", consumer: str, keys: Iterable[StreamKey]) -> dict[StreamKey, Mark]:
    wanted = list(keys)
    rows = await connection.fetch(MARKS, consumer, *([key[i] for key in wanted] for i in range(3)))
    return {(r["source"], r["topic"], r["subject"]): Mark(r["epoch"], r["sequence"]) for r in rows}


async def take_up(
    tx: "Transaction", consumer: str, subjects: Iterable[str], heard: Iterable[str], keys: Iterable[StreamKey]
) -> Known:
    """Locks `subjects`; answers the marks of these streams, and which of the subjects `heard` of are parked and why."""
    wanted = list(keys)
    columns = ([key[i] for key in wanted] for i in range(3))
    rows = await tx.connection.fetch(TAKE_UP, consumer, sorted(set(subjects)), list(heard), *columns)
    known = Known()
    locked: dict[str, str] = {}
    for kind, a, b, c, epoch, sequence in rows:
        match kind:
            case "key":
                locked[a] = b
            case "mark":
                known.marks[a, b, c] = Mark(epoch, sequence)
            case _:
                known.blocked[a] = b
    tx.has_locked(locked)
    return known


async def settle(
    connection: "Connection",
    consumer: str,
    marks: Mapping[StreamKey, Mark],
    log_id: str | None = None,
    moves: Moves = NOWHERE,
) -> Settled:
    """Sets marks and moves positions of this log."""
    keys, places = sorted(marks), list(moves)
    row = await connection.fetchrow(
        SETTLE,
        consumer,
        *([key[i] for key in keys] for i in range(3)),
        [marks[key].epoch for key in keys],
        [marks[key].sequence for key in keys],
        log_id,
        [place[0] for place in places],
        [place[1] for place in places],
        [moves[place][0] for place in places],
        [moves[place][1] for place in places],
    )
    assert row is not None  # noqa: S101  (an aggregate always answers)
    return Settled(is_fenced=row["moved"] != len(places), woken=row["woken"])


async def block(connection: "Connection", consumer: str, subject: str, why: Block) -> None:
    waits: tuple[object, ...] = (None, None, None, None, None)
    if why.waits_for:
        key, mark = why.waits_for
        waits = (*key, mark.epoch, mark.sequence)
    await connection.execute(BLOCK, consumer, subject, why.reason, why.detail, *waits)


async def park(connection: "Connection", consumer: str, parked: Sequence[Parked]) -> None:
    rows = [
        (e.subject, e.source, e.topic, e.epoch, e.sequence, e.id, e.type, pack_headers(p.headers), p.value)
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
