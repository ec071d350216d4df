"""What queueing reads and writes: the history of stays, notices, deliveries, suppressions."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.notifications.history import History, Said, Told

if TYPE_CHECKING:
    from services.notifications.store import Connection, Record

# Locks what may be dropped, so that the delivery loop (which skips locked rows) does not send it meanwhile.
HOLD = """
SELECT 1 FROM delivery WHERE status IN ('waiting', 'queued') AND encounter_id = ANY ($1::uuid[])
ORDER BY id FOR NO KEY UPDATE
"""
SAID = """
SELECT event_id, event_type, encounter_id, occurred_at, amends FROM notice
WHERE encounter_id = ANY ($1::uuid[]) ORDER BY recorded_at, event_id
"""
TOLD = """
SELECT d.id AS delivery_id, d.event_id, n.event_type, d.endpoint_id, d.organisation, d.status, d.version, d.reached,
       d.retracted_by
FROM delivery d JOIN notice n USING (event_id)
WHERE d.encounter_id = ANY ($1::uuid[]) AND d.endpoint_id IS NOT NULL ORDER BY d.position
"""
# The same of a referral, a plan or an appointment, which need not belong to a stay.
HOLD_THREADS = """
SELECT 1 FROM delivery WHERE status IN ('waiting', 'queued')
AND event_id IN (SELECT event_id FROM notice WHERE thread = ANY ($1::uuid[])) ORDER BY id FOR NO KEY UPDATE
"""
SAID_OF_THREADS = """
SELECT event_id, event_type, encounter_id, occurred_at, thread, amends FROM notice
WHERE thread = ANY ($1::uuid[]) ORDER BY recorded_at, event_id
"""
TOLD_OF_THREADS = """
SELECT d.id AS delivery_id, d.event_id, n.event_type, d.endpoint_id, d.organisation, d.status, d.version, d.reached,
       d.retracted_by
FROM notice n JOIN delivery d USING (event_id)
WHERE n.thread = ANY ($1::uuid[]) AND d.endpoint_id IS NOT NULL ORDER BY d.position
"""
INSERT_NOTICES = """
INSERT INTO notice (event_id, event_type, patient_id, encounter_id, transition_id, occurred_at, correlation_id,
                    traceparent, amends, encounter, task, event_recorded_at, late, thread, details)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::timestamptz[], $7::text[],
                     $8::text[], $9::uuid[], $10::jsonb[], $11::jsonb[], $12::timestamptz[], $13::boolean[],
                     $14::uuid[], $15::jsonb[])
ON CONFLICT (event_id) DO NOTHING
"""
# A delivery waits behind an open one of the same endpoint and patient, stored or earlier in this batch ($11).
INSERT_DELIVERIES = """
INSERT INTO delivery (id, event_id, endpoint_id, organisation, channel, patient_id, encounter_id, bases, body,
                      status, reason, retracts, retracted_by, version, acknowledgement, asked_at, closed_at)
SELECT t.id, t.event_id, t.endpoint_id, t.organisation, t.channel, t.patient_id, t.encounter_id,
       string_to_array(t.bases, ','), t.body,
       CASE WHEN t.status <> 'queued' THEN t.status
            WHEN t.follows OR EXISTS (
                SELECT 1 FROM delivery o WHERE o.endpoint_id = t.endpoint_id AND o.patient_id = t.patient_id
                AND o.status IN ('waiting', 'queued', 'delivering')) THEN 'waiting'
            ELSE 'queued' END,
       t.reason, coalesce(string_to_array(nullif(t.retracts, ''), ','), '{}')::uuid[], t.retracted_by, t.version,
       t.acknowledgement, t.asked_at,
       CASE WHEN t.status <> 'queued' THEN now() END
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::text[], $9::text[],
            $10::text[], $11::boolean[], $12::text[], $13::text[], $14::uuid[], $15::integer[], $16::text[],
            $17::timestamptz[])
     WITH ORDINALITY AS t (id, event_id, endpoint_id, organisation, channel, patient_id, encounter_id, bases, body,
                           status, follows, reason, retracts, retracted_by, version, acknowledgement, asked_at, nr)
ORDER BY t.nr
ON CONFLICT (event_id, endpoint_id) DO NOTHING
"""
DROP = """
UPDATE delivery d SET status = 'retracted', reason = 'retracted-before-sent', retracted_by = t.event_id,
       closed_at = now(), version = version + 1
FROM unnest($1::uuid[], $2::uuid[]) AS t (id, event_id) WHERE d.id = t.id AND d.status IN ('waiting', 'queued')
RETURNING d.endpoint_id, d.patient_id
"""
MARK_RETRACTED = """
UPDATE delivery d SET retracted_by = t.event_id FROM unnest($1::uuid[], $2::uuid[]) AS t (id, event_id)
WHERE d.id = t.id AND d.retracted_by IS NULL
"""
# The oldest waiting delivery of each lane (endpoint, patient) that has no open one before it becomes due.
# Each lane's next is looked up in the index of lanes: a plan over all that waits would cost most when most of it does.
ADVANCE = """
UPDATE delivery d SET status = 'queued', due_at = now()
FROM (SELECT DISTINCT * FROM unnest($1::uuid[], $2::text[]) AS l (endpoint_id, patient_id)) lane CROSS JOIN LATERAL (
    SELECT w.id FROM delivery w
    WHERE w.endpoint_id = lane.endpoint_id AND w.patient_id = lane.patient_id AND w.status = 'waiting'
      AND w.status IN ('waiting', 'queued', 'delivering')
      AND NOT EXISTS (
        SELECT FROM delivery o WHERE o.endpoint_id = lane.endpoint_id AND o.patient_id = lane.patient_id
        AND o.status IN ('queued', 'delivering'))
    ORDER BY w.position LIMIT 1
) next WHERE d.id = next.id
"""
INSERT_SUPPRESSIONS = """
INSERT INTO suppression (id, event_id, event_type, patient_id, encounter_id, organisation, endpoint_id, reason, bases)
SELECT t.id, t.event_id, t.event_type, t.patient_id, t.encounter_id, t.organisation, t.endpoint_id, t.reason,
       coalesce(string_to_array(nullif(t.bases, ''), ','), '{}')
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::uuid[], $8::text[], $9::text[])
     AS t (id, event_id, event_type, patient_id, encounter_id, organisation, endpoint_id, reason, bases)
ON CONFLICT DO NOTHING
"""
REKEY = """
WITH merged AS (SELECT * FROM unnest($1::text[], $2::text[]) AS m (retired, survivor)),
notice_ AS (UPDATE notice t SET patient_id = m.survivor FROM merged m WHERE t.patient_id = m.retired),
suppression_ AS (UPDATE suppression t SET patient_id = m.survivor FROM merged m WHERE t.patient_id = m.retired),
delivery_ AS (
    UPDATE delivery t SET patient_id = m.survivor, version = t.version + 1 FROM merged m WHERE t.patient_id = m.retired
)
SELECT
"""


async def load_history(connection: "Connection", encounters: Sequence[UUID], *, hold: bool) -> History:
    """The stays' notices and deliveries. `hold` locks what is not sent yet until the end of the transaction."""
    if hold:
        await connection.execute(HOLD, encounters)
    said = await connection.fetch(SAID, encounters)
    told = await connection.fetch(TOLD, encounters) if said else []
    return History(said=[Said(**row) for row in said], told=[Told(**row) for row in told])


async def load_threads(connection: "Connection", threads: Sequence[UUID], *, hold: bool) -> History:
    """The notices of these referrals, plans and appointments, and their deliveries. `hold`: as for stays."""
    if hold:
        await connection.execute(HOLD_THREADS, threads)
    said = await connection.fetch(SAID_OF_THREADS, threads)
    told = await connection.fetch(TOLD_OF_THREADS, threads) if said else []
    return History(said=[Said(**row) for row in said], told=[Told(**row) for row in told])


async def insert_notices(connection: "Connection", rows: Sequence[Sequence[Any]]) -> None:
    await connection.execute(INSERT_NOTICES, *_columns(rows, 15))


async def insert_deliveries(connection: "Connection", rows: Sequence[Sequence[Any]]) -> None:
    await connection.execute(INSERT_DELIVERIES, *_columns(rows, 17))


async def insert_suppressions(connection: "Connection", rows: Sequence[Sequence[Any]]) -> None:
    await connection.execute(INSERT_SUPPRESSIONS, *_columns(rows, 9))


async def drop(connection: "Connection", pairs: Sequence[tuple[UUID, UUID]]) -> "list[Record]":
    """Deliveries (id, by which event) that will never be sent; answers those that indeed were not sent."""
    return await connection.fetch(DROP, *_columns(pairs, 2))


async def mark_retracted(connection: "Connection", pairs: Sequence[tuple[UUID, UUID]]) -> None:
    await connection.execute(MARK_RETRACTED, *_columns(pairs, 2))


async def advance(connection: "Connection", lanes: Sequence[tuple[UUID, str]]) -> None:
    await connection.execute(ADVANCE, *_columns(lanes, 2))


async def rekey(connection: "Connection", merged: Mapping[str, str]) -> None:
    """What is kept of retired patients (keys) stands under the survivors (values)."""
    await connection.execute(REKEY, list(merged), list(merged.values()))


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]
