"""The SQL of looking at pairs, joins and what is held for a person's decision."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

_SHOWN = """
id, one, other, state, grade, score, probability, parts, guards, weights, found_at, version, decided_at,
decided_by, note
"""
# By keyset, the highest score first.
PAIRS = f"""
SELECT {_SHOWN} FROM identity_pair
WHERE state = $1 AND ($2::float8 IS NULL OR (score, id) < ($2, $3::uuid)) ORDER BY score DESC, id DESC LIMIT $4
"""
PAIR = f"SELECT {_SHOWN} FROM identity_pair WHERE id = $1"
FACILITIES = """
SELECT patient_id, array_agg(DISTINCT facility ->> 'code') AS facilities, count(*) AS stays, max(updated_at) AS latest
FROM encounter WHERE patient_id = ANY ($1) GROUP BY patient_id
"""
COUNTS = """
SELECT 'pairs ' || state AS what, count(*) AS count FROM identity_pair GROUP BY 1
UNION ALL SELECT 'queued', count(*) FROM identity_queue
UNION ALL SELECT 'joined by ' || basis, count(*) FROM identity_join WHERE undone_at IS NULL GROUP BY 1
UNION ALL SELECT 'undone', count(*) FROM identity_join WHERE undone_at IS NOT NULL
UNION ALL SELECT 'held ' || reason, count(*) FROM message
WHERE outcome = 'held' AND reason = ANY ($1) GROUP BY 1
"""
HOPS = """
SELECT 'matching' AS name, count(*) AS count, extract(epoch FROM clock_timestamp() - min(queued_at))::float8 AS oldest
FROM identity_queue
UNION ALL
SELECT 'identity review', count(*), extract(epoch FROM clock_timestamp() - min(found_at))::float8
FROM identity_pair WHERE state = 'review'
"""
HELD_OF = """
SELECT id FROM message WHERE patient_id = $1 AND outcome = 'held' AND reason = $2 AND id <> $3 ORDER BY id
"""


async def pairs(
    connection: "Connection", state: str, after: tuple[float, UUID] | None, limit: int
) -> list[dict[str, Any]]:
    score, pair_id = after or (None, None)
    return [dict(row) for row in await connection.fetch(PAIRS, state, score, pair_id, limit)]


async def pair(connection: "Connection", pair_id: UUID) -> dict[str, Any] | None:
    row = await connection.fetchrow(PAIR, pair_id)
    return dict(row) if row else None


async def places(connection: "Connection", patients: list[str]) -> dict[str, dict[str, Any]]:
    """Per patient: the facilities of their stays, how many, and when one last changed."""
    rows = await connection.fetch(FACILITIES, patients)
    return {row["patient_id"]: {name: row[name] for name in ("facilities", "stays", "latest")} for row in rows}


async def counts(connection: "Connection", reasons: list[str]) -> dict[str, int]:
    return {row["what"]: row["count"] for row in await connection.fetch(COUNTS, reasons)}


async def hops(connection: "Connection") -> list[dict[str, Any]]:
    return [dict(row) for row in await connection.fetch(HOPS)]


async def held_of(connection: "Connection", patient_id: str, reason: str, but: UUID) -> list[UUID]:
    """Other messages of the patient that are held for the same reason, oldest first."""
    return [row["id"] for row in await connection.fetch(HELD_OF, patient_id, reason, but)]
