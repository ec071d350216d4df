"""What the delivery loop does in the database: claim by lease, close by token, keep the circuits."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from datetime import datetime

    from services.notifications.store import Connection, Record

# From each endpoint whose circuit lets it, the oldest due ones, up to its free places ($3, $4: taken by this process);
# an endpoint that fails gets one place until it answers. Random order, so that nobody is always last.
CLAIM = """
WITH busy AS (SELECT * FROM unnest($3::uuid[], $4::integer[]) AS b (endpoint_id, taken)),
picked AS MATERIALIZED (
    SELECT d.id FROM (
        SELECT e.id, CASE WHEN e.failures >= $6 THEN 1 ELSE e.concurrency END - coalesce(b.taken, 0) AS places
        FROM endpoint e LEFT JOIN busy b ON b.endpoint_id = e.id
        WHERE e.status = 'active' AND e.channel = 'webhook' AND e.paused_until <= now() ORDER BY random()
    ) e CROSS JOIN LATERAL (
        SELECT q.id FROM delivery q WHERE q.endpoint_id = e.id AND q.status = 'queued' AND q.due_at <= now()
        ORDER BY q.due_at, q.position LIMIT greatest(e.places, 0) FOR NO KEY UPDATE SKIP LOCKED
    ) d LIMIT $5
)
UPDATE delivery d SET status = 'delivering', lease = gen_random_uuid(), leased_by = $1, leased_until = now() + $2,
                      attempts = d.attempts + 1, version = d.version + 1
FROM picked, notice n, endpoint e
WHERE d.id = picked.id AND n.event_id = d.event_id AND e.id = d.endpoint_id
RETURNING d.id, d.lease, d.attempts, d.first_attempt, d.event_id, d.endpoint_id, d.organisation, d.patient_id,
          d.encounter_id, d.bases, d.body, d.retracts, d.queued_at, d.acknowledgement, d.asked_at, n.event_type,
          n.transition_id, n.occurred_at, n.amends, n.encounter, n.task, n.event_recorded_at, n.late, n.details,
          n.traceparent, e.url, e.failures, e.secret, e.previous_secret, e.previous_until > now() AS previous_valid
"""
RELEASE_OWN = """
UPDATE delivery SET status = 'queued', due_at = now(), lease = NULL, reached = true, version = version + 1
WHERE id IN (SELECT id FROM delivery WHERE status = 'delivering' AND leased_by = $1 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING id
"""
# Nobody knows what became of an attempt whose process died: it may have arrived.
RELEASE_EXPIRED = """
WITH gone AS (
    SELECT id FROM delivery WHERE status = 'delivering' AND leased_until < now() FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE delivery d SET status = 'queued', due_at = now(), lease = NULL, reached = true, version = version + 1
FROM gone WHERE d.id = gone.id RETURNING d.id
"""
CLOSE = """
UPDATE delivery d SET status = t.status, reason = t.reason, reached = d.reached OR t.reached,
       due_at = now() + t.wait, lease = NULL, leased_until = NULL, version = d.version + 1,
       closed_at = CASE WHEN t.status <> 'queued' THEN now() END
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::boolean[], $6::interval[])
     AS t (id, lease, status, reason, reached, wait), notice n
WHERE d.id = t.id AND d.lease = t.lease AND d.status = 'delivering' AND n.event_id = d.event_id
RETURNING d.*, n.event_type, n.transition_id, n.late, n.correlation_id, n.traceparent, now() AS now
"""
INSERT_ATTEMPTS = """
INSERT INTO attempt (delivery_id, number, outcome, status, latency_ms, body)
SELECT * FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::integer[], $5::integer[], $6::bytea[])
ON CONFLICT DO NOTHING
"""
# The originals that these delivered retractions take back, at the same endpoints.
TAKEN_BACK = """
UPDATE delivery d SET status = 'retracted', reason = 'recipient-told', version = d.version + 1
FROM delivery r, notice n
WHERE r.id = ANY ($1::uuid[]) AND d.endpoint_id = r.endpoint_id AND d.event_id = ANY (r.retracts)
  AND d.status IN ('delivered', 'acknowledged') AND n.event_id = d.event_id
RETURNING d.*, n.event_type, n.transition_id, n.late, n.correlation_id, n.traceparent, r.event_id AS told_by,
          now() AS now
"""
HEALTH = "SELECT id, failures, failing_since FROM endpoint WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
SET_HEALTH = """
UPDATE endpoint e SET failures = t.failures, failing_since = t.failing_since,
       paused_until = CASE WHEN t.pause IS NULL THEN CASE WHEN t.failures = 0 THEN '-infinity' ELSE e.paused_until END
                           ELSE greatest(e.paused_until, now() + t.pause) END,
       status = CASE WHEN t.disable IS NULL OR e.status <> 'active' THEN e.status ELSE 'disabled' END,
       disabled_reason = coalesce(e.disabled_reason, t.disable),
       version = e.version + CASE WHEN t.disable IS NULL THEN 0 ELSE 1 END
FROM unnest($1::uuid[], $2::integer[], $3::timestamptz[], $4::interval[], $5::text[])
     AS t (id, failures, failing_since, pause, disable) WHERE e.id = t.id
"""
# The server is back: what waited for a later attempt need not wait any longer.
HURRY = """
UPDATE delivery SET due_at = now() WHERE id IN (
    SELECT id FROM delivery WHERE endpoint_id = ANY ($1::uuid[]) AND status = 'queued' AND due_at > now()
    FOR NO KEY UPDATE SKIP LOCKED)
"""
STRANDED = """
SELECT d.id, d.patient_id FROM delivery d JOIN endpoint e ON e.id = d.endpoint_id
WHERE e.status <> 'active' AND d.status IN ('waiting', 'queued') ORDER BY d.position LIMIT $1
"""
STRAND = """
UPDATE delivery d SET status = 'failed', reason = 'endpoint-disabled', closed_at = now(), version = d.version + 1
FROM notice n, endpoint e
WHERE d.id = ANY ($1::uuid[]) AND d.status IN ('waiting', 'queued') AND n.event_id = d.event_id
  AND e.id = d.endpoint_id AND e.status <> 'active'
RETURNING d.*, n.event_type, n.transition_id, n.late, n.correlation_id, n.traceparent, now() AS now
"""
# Whatever lease it has: nobody else can close it either.
SET_ASIDE = """
UPDATE delivery d SET status = 'failed', reason = 'set-aside', lease = NULL, leased_until = NULL, closed_at = now(),
       reached = reached OR status = 'delivering', version = d.version + 1
FROM notice n
WHERE d.id = $1 AND d.status IN ('waiting', 'queued', 'delivering') AND n.event_id = d.event_id
RETURNING d.*, n.event_type, n.transition_id, n.late, n.correlation_id, n.traceparent, now() AS now
"""
COUNT_SET_ASIDE = "SELECT count(*) FROM delivery WHERE status = 'failed' AND reason = 'set-aside'"
# Due: nothing but the loop keeps it. Later: its recipient failed before, or another of the same lane is first.
HOPS = """
SELECT count(*) FILTER (WHERE due) AS due, count(*) FILTER (WHERE NOT due) AS later,
       extract(epoch FROM now() - min(least(due_at, now())) FILTER (WHERE due))::float8 AS due_oldest,
       extract(epoch FROM now() - min(queued_at) FILTER (WHERE NOT due))::float8 AS later_oldest
FROM (
    SELECT due_at, queued_at, status <> 'waiting' AND due_at <= now() AS due FROM delivery
    WHERE status IN ('waiting', 'queued', 'delivering')
) open
"""
# Those that nobody is told of otherwise: no answer for an hour, or disabled after days without one.
FAILING = """
SELECT count(*) FROM endpoint
WHERE (status = 'active' AND failing_since < now() - interval '1 hour')
   OR (status = 'disabled' AND disabled_reason IN ('failing-for-days', 'gone'))
"""


async def claim(
    connection: "Connection", *, owner: str, lease: Any, busy: Mapping[UUID, int], limit: int, circuit: int
) -> "list[Record]":
    return await connection.fetch(CLAIM, owner, lease, list(busy), list(busy.values()), limit, circuit)


async def release_own(connection: "Connection", owner: str) -> int:
    """Gives back what an earlier process of this name had claimed; its name must be its alone."""
    return len(await connection.fetch(RELEASE_OWN, owner))


async def release_expired(connection: "Connection") -> int:
    return len(await connection.fetch(RELEASE_EXPIRED))


async def close(connection: "Connection", rows: Sequence[Sequence[Any]]) -> "list[Record]":
    """Closes by (id, token); answers the rows that were still ours."""
    return await connection.fetch(CLOSE, *_columns(rows))


async def insert_attempts(connection: "Connection", rows: Sequence[Sequence[Any]]) -> None:
    await connection.execute(INSERT_ATTEMPTS, *_columns(rows))


async def take_back(connection: "Connection", delivered: Collection[UUID]) -> "list[Record]":
    return await connection.fetch(TAKEN_BACK, list(delivered))


async def lock_health(connection: "Connection", endpoints: Collection[UUID]) -> "list[Record]":
    return await connection.fetch(HEALTH, list(endpoints))


async def set_health(
    connection: "Connection", rows: "Sequence[tuple[UUID, int, datetime | None, Any, str | None]]"
) -> None:
    await connection.execute(SET_HEALTH, *_columns(rows))


async def hurry(connection: "Connection", endpoints: Collection[UUID]) -> None:
    await connection.execute(HURRY, list(endpoints))


async def stranded(connection: "Connection", limit: int) -> "list[Record]":
    return await connection.fetch(STRANDED, limit)


async def strand(connection: "Connection", deliveries: Collection[UUID]) -> "list[Record]":
    return await connection.fetch(STRAND, list(deliveries))


async def set_aside(connection: "Connection", delivery_id: UUID) -> "list[Record]":
    return await connection.fetch(SET_ASIDE, delivery_id)


async def count_set_aside(connection: "Connection") -> int:
    """How many deliveries wait for a person because their end could not be written down."""
    count: int = await connection.fetchval(COUNT_SET_ASIDE)
    return count


async def hops(connection: "Connection") -> dict[str, dict[str, Any]]:
    """Open deliveries, by what they wait for: count and age of the oldest in seconds."""
    row = await connection.fetchrow(HOPS)
    assert row is not None  # noqa: S101  (an aggregate always answers)
    return {
        "deliveries due": {"count": row["due"], "oldest_seconds": row["due_oldest"]},
        "deliveries for later": {"count": row["later"], "oldest_seconds": row["later_oldest"]},
    }


async def failing(connection: "Connection") -> int:
    """How many endpoints somebody should see to."""
    count: int = await connection.fetchval(FAILING)
    return count


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
