"""All SQL of risk scores."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

STAY = "SELECT patient_id, facility, admitted_at, discharged_at, body::text AS body FROM transition WHERE id = $1"
# The visit that led to the stay ended where the stay began: it is none of those before.
BEFORE = """
SELECT count(*) FILTER (WHERE body ->> 'encounter_class' = 'EMER'
                          AND admitted_at >= $3::timestamptz - interval '6 months'
                          AND coalesce(discharged_at, admitted_at) < $3::timestamptz - interval '12 hours') AS visits,
       count(*) FILTER (WHERE body ->> 'encounter_class' = 'IMP'
                          AND admitted_at >= $3::timestamptz - interval '12 months')
           AS admissions
FROM transition WHERE patient_id = $1 AND id <> $2 AND standing <> 'void' AND admitted_at < $3
"""
SAID = "SELECT name, value FROM risk_input WHERE transition_id = $1"
SAY = """
INSERT INTO risk_input (transition_id, name, value, by, at) VALUES ($1, $2, $3, $4, clock_timestamp())
ON CONFLICT (transition_id, name) DO UPDATE SET value = excluded.value, by = excluded.by, at = excluded.at
"""


async def stay(connection: "Connection", transition_id: UUID) -> Any | None:
    return await connection.fetchrow(STAY, transition_id)


async def before(connection: "Connection", patient: str, transition_id: UUID, admitted_at: Any) -> tuple[int, int]:
    """Emergency visits of the six months, and admissions of the twelve months, before the stay."""
    row = await connection.fetchrow(BEFORE, patient, transition_id, admitted_at)
    return (row["visits"], row["admissions"]) if row else (0, 0)


async def said(connection: "Connection", transition_id: UUID) -> dict[str, Any]:
    """What people said of the stay: the last word on each input."""
    return {row["name"]: row["value"] for row in await connection.fetch(SAID, transition_id)}


async def say(connection: "Connection", transition_id: UUID, told: dict[str, Any], by: str) -> None:
    await connection.executemany(SAY, [(transition_id, name, value, by) for name, value in told.items()])
