"""The outbox: what a service says, in the same transaction as what it did."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from shared.events import Barrier, Draft, headers_of
from shared.events.envelope import SEQUENCE_DIGITS

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
# Both in one statement, for drafts that name no other: the headers that only the server knows are put before the rest.
APPEND_AT_ONCE = f"""
WITH current AS MATERIALIZED (SELECT epoch, clock_timestamp() AS recorded FROM epoch),
draft AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::text[], $6::bytea[], $7::bytea[])
    WITH ORDINALITY AS t (event_id, topic, subject, nth, type, headers, value, place)
),
said AS (SELECT topic, subject, max(nth) AS events FROM draft GROUP BY topic, subject),
numbered AS (
    INSERT INTO stream AS s (topic, subject, epoch, sequence)
    SELECT said.topic, said.subject, current.epoch, said.events FROM said, current ORDER BY 1, 2
    ON CONFLICT (topic, subject) DO UPDATE SET
        sequence = CASE WHEN s.epoch = excluded.epoch THEN s.sequence ELSE 0 END + excluded.sequence,
        epoch = excluded.epoch
    RETURNING s.topic, s.subject, s.epoch, s.sequence
)
INSERT INTO outbox (event_id, topic, subject, epoch, sequence, type, headers, value, recorded)
SELECT d.event_id, d.topic, d.subject, n.epoch, n.sequence - said.events + d.nth, d.type,
       convert_to(format('{{"ce_patientsequence":"%s","ce_epoch":"%s","ce_recorded":"%s",',
                         lpad((n.sequence - said.events + d.nth)::text, {SEQUENCE_DIGITS}, '0'), n.epoch,
                         to_char(c.recorded AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')), 'UTF8')
       || substring(d.headers FROM 2),
       d.value, c.recorded
FROM current c, draft d JOIN numbered n USING (topic, subject) JOIN said USING (topic, subject)
ORDER BY d.place
"""
SERVERS_OWN = {"ce_patientsequence", "ce_epoch", "ce_recorded"}

Numbers = dict[tuple[str, str], tuple[int, int]]


def pack_headers(headers: Sequence[tuple[str, bytes]]) -> bytes:
    """Headers as one JSON object: a record's headers are text by contract."""
    return orjson.dumps({name: value.decode() for name, value in headers})


def unpack_headers(packed: bytes) -> list[tuple[str, bytes]]:
    said: dict[str, str] = orjson.loads(packed)
    return [(name, value.encode()) for name, value in said.items()]


async def append(connection: "Connection", source: str, drafts: Sequence[Draft]) -> None:
    """Numbers and appends the drafts in one round trip, or two where one names another; however many they are."""
    if not any(draft.after for draft in drafts):
        await connection.execute(APPEND_AT_ONCE, *_unnumbered_columns(source, drafts))
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


def _unnumbered_columns(source: str, drafts: Sequence[Draft]) -> list[Sequence[object]]:
    counts: dict[tuple[str, str], int] = {}
    rows: list[tuple[object, ...]] = []
    for draft in drafts:
        key = (draft.on_topic, draft.subject)
        counts[key] = nth = counts.get(key, 0) + 1
        headers = headers_of(draft, source=source, sequence=0, epoch=0, recorded=draft.time)
        packed = pack_headers([(name, value) for name, value in headers if name not in SERVERS_OWN])
        value = draft.fact.model_dump_json(exclude_none=True).encode()
        rows.append((draft.id, *key, nth, draft.fact.TYPE, packed, value))
    return [list(column) for column in zip(*rows, strict=True)]


def _columns(source: str, drafts: Sequence[Draft], numbers: Numbers, recorded: datetime) -> list[Sequence[object]]:
    given: dict[object, int] = {}
    rows: list[tuple[object, ...]] = []
    for draft in drafts:
        key = (draft.on_topic, draft.subject)
        epoch, before = numbers[key]
        sequence = before + 1
        numbers[key] = (epoch, sequence)
        given[draft.id] = sequence
        after = Barrier(subject=draft.after.subject, sequence=given[draft.after.id]) if draft.after else None
        headers = headers_of(draft, source=source, sequence=sequence, epoch=epoch, recorded=recorded, after=after)
        value = draft.fact.model_dump_json(exclude_none=True).encode()
        rows.append((draft.id, *key, epoch, sequence, draft.fact.TYPE, pack_headers(headers), value, recorded))
    return [list(column) for column in zip(*rows, strict=True)]
