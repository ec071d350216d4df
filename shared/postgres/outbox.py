"""The outbox: what a service says, in the same transaction as what it did."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from shared.events import Barrier, Draft, headers_of
from shared.events.envelope import attributes_of

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

# Takes the next numbers of each (topic, subject) and answers the number before the first one taken.
NUMBER = """
WITH current AS (SELECT epoch FROM epoch),
said AS (SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[]) AS t (topic, subject, events)),
numbered AS (
    INSERT INTO stream AS s (topic, subject, epoch, sequence)
    SELECT said.topic, said.subject, current.epoch, said.events FROM said, current ORDER BY 1, 2
    ON CONFLICT (topic, subject) DO UPDATE SET
        sequence = CASE WHEN s.epoch = excluded.epoch THEN s.sequence ELSE 0 END + excluded.sequence,
        epoch = excluded.epoch
    RETURNING s.topic, s.subject, s.epoch, s.sequence
)
SELECT n.topic, n.subject, n.epoch, n.sequence - said.events AS before, clock_timestamp() AS recorded
FROM numbered n JOIN said USING (topic, subject)
"""
APPEND = """
INSERT INTO outbox (event_id, topic, subject, epoch, sequence, type, headers, value, recorded)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::text[], $7::bytea[], $8::bytea[],
                     $9::timestamptz[])
"""
# Both in one statement, for drafts that name no other: see the function.
APPEND_AT_ONCE = "SELECT append_outbox($1, $2, $3, $4, $5, $6, $7, $8, $9)"
Numbers = dict[tuple[str, str], tuple[int, int]]
MOST_BYTES = 800_000
"""Of one event's value: with its headers it still fits the 1 MB that brokers take."""
MOST_TOGETHER = 64 * 1024 * 1024
"""Of all that one transaction says: a message of many parts repeats its patient in each."""


class EventTooLargeError(ValueError):
    """No broker would take it, and all that is said after it would wait behind it for ever."""


def values_of(drafts: Sequence[Draft]) -> Iterator[bytes]:
    """The events' values as they are published. Raises EventTooLargeError, also where they are too much together."""
    together = 0
    for draft in drafts:
        value = draft.fact.model_dump_json(exclude_none=True).encode()
        together += len(value)
        if len(value) > MOST_BYTES or together > MOST_TOGETHER:
            raise EventTooLargeError(f"{draft.fact.TYPE} of {len(value)} bytes, {together} with those before it")
        yield value


def pack_headers(headers: Sequence[tuple[str, bytes]]) -> bytes:
    """Headers as one JSON object: a record's headers are text by contract."""
    return orjson.dumps({name: value.decode() for name, value in headers})


def unpack_headers(packed: bytes) -> list[tuple[str, bytes]]:
    said: dict[str, str] = orjson.loads(packed)
    return [(name, value.encode()) for name, value in said.items()]


async def append(connection: "Connection", source: str, drafts: Sequence[Draft]) -> None:
    """Numbers and appends the drafts in one round trip, or two where one names another; however many they are."""
    if not any(draft.after for draft in drafts):
        await connection.execute(APPEND_AT_ONCE, *unnumbered(source, drafts))
        return
    streams: dict[tuple[str, str], int] = {}
    for draft in drafts:
        key = (draft.on_topic, draft.subject)
        streams[key] = streams.get(key, 0) + 1
    topics, subjects = zip(*streams, strict=True)
    rows = await connection.fetch(NUMBER, topics, subjects, list(streams.values()))
    recorded: datetime = rows[0]["recorded"].astimezone(UTC)
    numbers: Numbers = {(r["topic"], r["subject"]): (r["epoch"], r["before"]) for r in rows}
    await connection.execute(APPEND, *_columns(source, drafts, numbers, recorded))


def unnumbered(source: str, drafts: Sequence[Draft]) -> list[Sequence[object]]:
    """The arguments of append_outbox, for drafts that name no other."""
    counts: dict[tuple[str, str], int] = {}
    for draft in drafts:
        key = (draft.on_topic, draft.subject)
        counts[key] = counts.get(key, 0) + 1
    # By code point, as the server sorts with COLLATE "C".
    streams = sorted(counts)
    places = {key: (place, iter(range(1, counts[key] + 1))) for place, key in enumerate(streams, 1)}
    rows: list[tuple[object, ...]] = []
    for draft, value in zip(drafts, values_of(drafts), strict=True):
        place, nth = places[draft.on_topic, draft.subject]
        headers = orjson.dumps(attributes_of(draft, source))
        rows.append((draft.id, place, next(nth), draft.fact.TYPE, headers, value))
    columns: list[Sequence[object]] = [list(column) for column in zip(*rows, strict=True)]
    topics, subjects = [topic for topic, _ in streams], [subject for _, subject in streams]
    return [topics, subjects, [counts[key] for key in streams], *(columns or [[] for _ in range(6)])]


def _columns(source: str, drafts: Sequence[Draft], numbers: Numbers, recorded: datetime) -> list[Sequence[object]]:
    given: dict[object, int] = {}
    rows: list[tuple[object, ...]] = []
    for draft, value in zip(drafts, values_of(drafts), strict=True):
        key = (draft.on_topic, draft.subject)
        epoch, before = numbers[key]
        sequence = before + 1
        numbers[key] = (epoch, sequence)
        given[draft.id] = sequence
        after = Barrier(subject=draft.after.subject, sequence=given[draft.after.id]) if draft.after else None
        headers = headers_of(draft, source=source, sequence=sequence, epoch=epoch, recorded=recorded, after=after)
        rows.append((draft.id, *key, epoch, sequence, draft.fact.TYPE, pack_headers(headers), value, recorded))
    return [list(column) for column in zip(*rows, strict=True)]
