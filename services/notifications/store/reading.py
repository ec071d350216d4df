"""Deliveries, attempts, notices and suppressions as people read and act on them."""

from collections.abc import Collection
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from services.notifications.store import Connection, Record

SHOWN = """d.id, d.position, d.version, d.event_id, n.event_type, d.endpoint_id, d.organisation, d.channel,
d.patient_id, d.encounter_id, n.transition_id, d.bases, d.body, d.retracts, n.amends, d.retracted_by, d.status,
d.reason, d.reached, d.attempts, CASE WHEN d.status IN ('queued', 'delivering') THEN d.due_at END AS due_at,
n.occurred_at, n.late, d.queued_at, d.closed_at, d.acknowledged_by, d.acknowledged_at, d.acknowledgement,
d.asked_at, n.correlation_id, n.traceparent"""
LISTED = f"""
SELECT {SHOWN} FROM delivery d JOIN notice n USING (event_id)
WHERE ($1::text IS NULL OR d.organisation = $1) AND ($2::text IS NULL OR d.status = $2)
  AND ($3::uuid IS NULL OR d.endpoint_id = $3) AND ($4::uuid IS NULL OR d.encounter_id = $4)
  AND ($5::text IS NULL OR d.patient_id = $5) AND ($6::uuid IS NULL OR d.event_id = $6)
  AND ($7::bigint IS NULL OR d.position < $7)
  AND (cardinality($9::text[]) = 0 OR n.encounter #>> '{{facility,code}}' = ANY ($9))
ORDER BY d.position DESC LIMIT $8
"""
ONE = f"""
SELECT {SHOWN}, n.encounter #>> '{{facility,code}}' AS facility
FROM delivery d JOIN notice n USING (event_id) WHERE d.id = $1
"""
HELD = "SELECT patient_id FROM delivery WHERE id = $1"
ATTEMPTS = "SELECT number, outcome, status, latency_ms, body, at FROM attempt WHERE delivery_id = $1 ORDER BY number"
NOTICE = """
SELECT d.id, d.event_id, n.event_type, d.organisation, n.occurred_at, d.patient_id, d.encounter_id, n.transition_id,
       d.retracts, n.amends, d.bases, d.body, n.encounter, n.task,
       n.event_recorded_at, n.late, n.details, d.acknowledgement, d.asked_at,
       n.encounter #>> '{facility,code}' AS facility
FROM delivery d JOIN notice n USING (event_id) WHERE d.id = $1
"""
SUPPRESSED = """
SELECT id, position, event_id, event_type, patient_id, encounter_id, organisation, endpoint_id, reason, bases, at
FROM suppression
WHERE ($1::text IS NULL OR reason = $1) AND ($2::text IS NULL OR organisation = $2)
  AND ($3::uuid IS NULL OR encounter_id = $3) AND ($4::uuid IS NULL OR event_id = $4)
  AND ($5::bigint IS NULL OR position < $5)
  AND (cardinality($7::text[]) = 0 OR EXISTS (
    SELECT FROM notice n WHERE n.event_id = suppression.event_id AND n.encounter #>> '{facility,code}' = ANY ($7)))
ORDER BY position DESC LIMIT $6
"""
# Whoever acknowledges has received it, whatever we know of the attempt: the lease is ended with it.
ACKNOWLEDGE = f"""
WITH d AS (
    UPDATE delivery SET status = 'acknowledged', acknowledged_by = $2, acknowledged_at = now(), reached = true,
           lease = NULL, leased_until = NULL, closed_at = coalesce(closed_at, now()), version = version + 1
    WHERE id = $1 AND status IN ('delivering', 'queued', 'delivered', 'failed') RETURNING *
)
SELECT {SHOWN}, d.acknowledged_at AS now FROM d JOIN notice n USING (event_id)
"""
# A new round of the schedule; behind the open ones of its lane, if there are any.
REDELIVER = f"""
WITH d AS (
    UPDATE delivery r SET first_attempt = attempts + 1, due_at = now(), reason = NULL, closed_at = NULL,
           version = version + 1,
           status = CASE WHEN EXISTS (
               SELECT 1 FROM delivery o WHERE o.endpoint_id = r.endpoint_id AND o.patient_id = r.patient_id
               AND o.status IN ('waiting', 'queued', 'delivering')) THEN 'waiting' ELSE 'queued' END
    WHERE id = $1 AND status IN ('delivered', 'acknowledged', 'failed') AND retracted_by IS NULL AND channel = 'webhook'
    RETURNING *
)
SELECT {SHOWN}, now() AS now FROM d JOIN notice n USING (event_id)
"""
TOLD_AGAIN = f"""
SELECT {SHOWN}, coalesce(d.closed_at, d.queued_at) AS at FROM delivery d JOIN notice n USING (event_id)
WHERE d.position > $1 AND (d.status IN ('waiting', 'queued', 'delivering', 'failed')
                           OR d.queued_at > now() - interval '14 days')
ORDER BY d.position LIMIT $2
"""


async def listed(
    connection: "Connection",
    *,
    organisation: str | None,
    status: str | None,
    endpoint: UUID | None,
    encounter: UUID | None,
    patient: str | None,
    event: UUID | None,
    before: int | None,
    limit: int,
    facilities: Collection[str] = (),
) -> "list[Record]":
    """Newest first; `before` is the position of the last row of the page before, `facilities` (empty: all) those that
    the caller is bound to.
    """
    chosen = (organisation, status, endpoint, encounter, patient, event, before)
    return await connection.fetch(LISTED, *chosen, limit, list(facilities))


async def one(connection: "Connection", delivery_id: UUID) -> "Record | None":
    return await connection.fetchrow(ONE, delivery_id)


async def patient_of(connection: "Connection", delivery_id: UUID) -> str | None:
    found: str | None = await connection.fetchval(HELD, delivery_id)
    return found


async def attempts(connection: "Connection", delivery_id: UUID) -> "list[Record]":
    return await connection.fetch(ATTEMPTS, delivery_id)


async def notice(connection: "Connection", delivery_id: UUID) -> "Record | None":
    """Everything that was to be told, whatever the endpoint's kind of body."""
    return await connection.fetchrow(NOTICE, delivery_id)


async def suppressed(
    connection: "Connection",
    *,
    reason: str | None,
    organisation: str | None,
    encounter: UUID | None,
    event: UUID | None,
    before: int | None,
    limit: int,
    facilities: Collection[str] = (),
) -> "list[Record]":
    """Newest first; what never became a notice is of no facility, and is shown to those who are bound to none."""
    chosen = (reason, organisation, encounter, event, before)
    return await connection.fetch(SUPPRESSED, *chosen, limit, list(facilities))


async def acknowledge(connection: "Connection", delivery_id: UUID, by: str) -> "Record | None":
    """None when it is acknowledged already, or was never sent."""
    return await connection.fetchrow(ACKNOWLEDGE, delivery_id, by)


async def redeliver(connection: "Connection", delivery_id: UUID) -> "Record | None":
    """None when it is open already, was taken back, or stands on a topic, from which it can be read again."""
    return await connection.fetchrow(REDELIVER, delivery_id)


async def told_again(connection: "Connection", after: int, limit: int) -> "list[Record]":
    return await connection.fetch(TOLD_AGAIN, after, limit)
