"""Saying again what was said: for one patient on a reader's request, or for all that any reader lacks in a new log."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from shared.events import AnyEvent
from shared.events.operations import RepublishRequested
from shared.postgres import Transaction

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

AGAIN = """
UPDATE outbox o SET published_at = NULL, log_id = NULL, log_offset = NULL
FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[]) AS u (topic, subject, epoch, from_sequence)
WHERE o.topic = u.topic AND o.subject = u.subject AND o.epoch = u.epoch AND o.sequence >= u.from_sequence
  AND o.published_at IS NOT NULL
"""
# The lowest row that a group lacks: in the log it last read, the rows at or beyond its position; where it read another
# log still (or none), everything that is kept.
LOWEST = """
WITH old AS (SELECT log_id FROM relay),
held AS (
    SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::bigint[]) AS h (topic, partition, log_id, next_offset)
),
mine AS (SELECT DISTINCT topic FROM outbox),
lacking AS (
    SELECT min(o.id) AS id FROM held h JOIN mine USING (topic), old, outbox o
    WHERE h.log_id = old.log_id AND o.log_id = old.log_id AND o.topic = h.topic AND o.partition = h.partition
      AND o.log_offset >= h.next_offset
    UNION ALL
    SELECT min(o.id) FROM held h JOIN mine USING (topic), old, outbox o
    WHERE h.log_id IS DISTINCT FROM old.log_id AND h.log_id IS DISTINCT FROM $5
      AND o.topic = h.topic AND (o.partition = h.partition OR o.partition IS NULL)
)
SELECT min(id) FROM lacking
"""
# Topics that no service reads (a provider's own) are said again as far as they are kept: their place is their reader's.
UNPUBLISH = """
UPDATE outbox SET published_at = NULL, log_id = NULL, log_offset = NULL
WHERE published_at IS NOT NULL AND (id >= $1 OR topic <> ALL ($2::text[]))
"""
OPEN = "UPDATE relay SET log_id = $1, opened_at = clock_timestamp() WHERE log_id IS DISTINCT FROM $1"


class Position(BaseModel):
    """Where one consumer stands in one partition: the next offset it will read, of which log."""

    model_config = ConfigDict(frozen=True)

    consumer: str
    topic: str
    partition: int
    log_id: str | None
    next_offset: int


async def publish_again(tx: Transaction, events: Sequence[AnyEvent]) -> None:
    """Handler of requests: marks the asked patients' rows unpublished, if it was this service that said them."""
    asked = [e.fact for e in events if isinstance(e.fact, RepublishRequested) and e.fact.source == tx.service]
    if not asked:
        return
    await tx.connection.execute(
        AGAIN,
        [fact.topic for fact in asked],
        [fact.subject for fact in asked],
        [fact.epoch for fact in asked],
        [fact.from_sequence for fact in asked],
    )
    tx.has_published = True


async def republish(connection: "Connection", log_id: str, positions: Sequence[Position]) -> int:
    """Opens the relay on a new log, at the lowest row that any reader lacks; answers how many rows go out again.

    `positions` are those of every service, taken before any relay is opened. On the log that is open already it does
    nothing.
    """
    if await connection.fetchval("SELECT log_id FROM relay FOR UPDATE") == log_id:
        return 0
    lowest = await connection.fetchval(
        LOWEST,
        [p.topic for p in positions],
        [p.partition for p in positions],
        [p.log_id for p in positions],
        [p.next_offset for p in positions],
        log_id,
    )
    status = await connection.execute(UNPUBLISH, lowest, sorted({p.topic for p in positions}))
    await connection.execute(OPEN, log_id)
    return int(status.split()[-1])
