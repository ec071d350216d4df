"""The SQL of incoming files."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from services.intake.store import Connection

_SHOWN = """
id, name, source, feed, received_at, size, state, messages, announced, done, outcomes, problems, finished_at
"""
KEEP = "INSERT INTO incoming_file (id, name, source, feed, size, sealed) VALUES ($1, $2, $3, $4, $5, $6)"
CLAIM = """
UPDATE incoming_file SET lease_until = now() + interval '30 seconds'
WHERE id = (SELECT id FROM incoming_file WHERE state = 'waiting' AND (lease_until IS NULL OR lease_until < now())
            ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, name, source, feed, sealed, done, outcomes, problems
"""
PROGRESS = """
UPDATE incoming_file SET messages = $2, announced = $3, done = $4, outcomes = $5, problems = $6,
                         lease_until = now() + interval '30 seconds'
WHERE id = $1 AND state = 'waiting'
"""
FINISH = """
UPDATE incoming_file SET state = 'done', sealed = NULL, lease_until = NULL, finished_at = now()
WHERE id = $1 AND state = 'waiting'
"""
ONE = f"SELECT {_SHOWN} FROM incoming_file WHERE id = $1"
LATEST = f"""
SELECT {_SHOWN} FROM incoming_file WHERE $2::text[] IS NULL OR feed = ANY ($2) ORDER BY id DESC LIMIT $1
"""


async def keep(
    connection: "Connection", file_id: UUID, name: str, source: str, feed: str | None, size: int, sealed: bytes
) -> None:
    await connection.execute(KEEP, file_id, name, source, feed, size, sealed)


async def claim(connection: "Connection") -> Any:
    """The oldest file that nobody works on, leased for 30 seconds; None when there is none."""
    return await connection.fetchrow(CLAIM)


async def progress(
    connection: "Connection",
    file_id: UUID,
    messages: int,
    announced: int | None,
    done: int,
    outcomes: dict[str, int],
    problems: list[dict[str, Any]],
) -> None:
    """Writes down how far the file is, and extends the lease."""
    await connection.execute(PROGRESS, file_id, messages, announced, done, outcomes, problems)


async def finish(connection: "Connection", file_id: UUID) -> None:
    await connection.execute(FINISH, file_id)


async def one(connection: "Connection", file_id: UUID) -> dict[str, Any] | None:
    row = await connection.fetchrow(ONE, file_id)
    return dict(row) if row else None


async def latest(connection: "Connection", limit: int, feeds: Sequence[str] | None) -> list[dict[str, Any]]:
    """The newest first; of these feeds, or of all (None)."""
    return [dict(row) for row in await connection.fetch(LATEST, limit, feeds)]
