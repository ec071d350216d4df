"""SQL of looking at monitoring: who is watched, one patient's watching, and what was measured lately."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

WATCHED = """
SELECT m.id, m.transition_id, m.patient_id, m.facility, m.signals, m.variant, m.since, m.missing_at,
       a.open, a.worst, r.latest
FROM monitoring m
CROSS JOIN LATERAL (
    SELECT count(*) AS open, coalesce(max(severity), 0) AS worst FROM alert a LEFT JOIN task k ON k.id = a.task_id
    WHERE a.monitoring_id = m.id AND a.acknowledged_at IS NULL AND a.withdrawn_at IS NULL
      AND k.status IS DISTINCT FROM 'completed'
) a
CROSS JOIN LATERAL (
    SELECT max(at) AS latest FROM reading r WHERE r.patient_id = m.patient_id AND r.quality <> 'withdrawn'
) r
WHERE m.ended_at IS NULL AND (cardinality($1::text[]) = 0 OR m.facility = ANY ($1))
  AND ($2::timestamptz IS NULL OR (m.since, m.id) < ($2, $3))
  AND ($5::text IS NULL OR EXISTS (
    SELECT FROM transition t WHERE t.id = m.transition_id AND t.body ->> 'pcp_organisation' = $5))
ORDER BY m.since DESC, m.id DESC LIMIT $4
"""
STANDING = "SELECT id FROM monitoring WHERE transition_id = $1 AND ended_at IS NULL"
TRANSITIONS = "SELECT id, transition_id FROM monitoring WHERE id = ANY ($1)"
# Readings of the last days, the newest thousand of them: a chart has no more room.
READINGS = """
SELECT signal, at, value, quality, said, unit FROM (
    SELECT * FROM reading WHERE patient_id = $1 AND signal = ANY ($2) AND at > statement_timestamp() - $3::interval
    ORDER BY at DESC LIMIT 1000
) AS newest ORDER BY at
"""


async def watched(
    connection: "Connection",
    facilities: Collection[str],
    organisation: str | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Mapping[str, Any]]:
    """Who is watched, the last begun first, with how many alerts wait for an answer and how severe the worst is.
    `facilities` (empty: all) and `organisation` are what the caller is bound to.
    """
    at, last = before or (None, None)
    return [dict(row) for row in await connection.fetch(WATCHED, list(facilities), at, last, limit, organisation)]


async def standing(connection: "Connection", transition_id: UUID) -> UUID | None:
    """The monitoring that goes on for this transition."""
    found: UUID | None = await connection.fetchval(STANDING, transition_id)
    return found


async def transitions_of(connection: "Connection", monitorings: Collection[UUID]) -> dict[UUID, UUID]:
    rows = await connection.fetch(TRANSITIONS, list(set(monitorings)))
    return {row["id"]: row["transition_id"] for row in rows}


async def readings(
    connection: "Connection", patient: str, signals: Collection[str], within: timedelta
) -> list[Mapping[str, Any]]:
    """By time, whatever their quality."""
    return [dict(row) for row in await connection.fetch(READINGS, patient, list(signals), within)]
