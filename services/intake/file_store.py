"""The SQL of incoming files."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from services.intake.store import Connection

_SHOWN = """
id, name, source, feed, received_at, size, state, messages, announced, done, outcomes, problems, finished_at
"""
BEGIN = "INSERT INTO incoming_file (id, name, source, feed, size, state) VALUES ($1, $2, $3, $4, 0, 'arriving')"
ADD = "INSERT INTO incoming_file_part (file_id, number, sealed) VALUES ($1, $2, $3)"
ARRIVED = """
UPDATE incoming_file SET state = 'waiting', size = $2, messages = $3, announced = $4 WHERE id = $1
"""
DISCARD = "DELETE FROM incoming_file WHERE id = $1 AND state = 'arriving'"
FORGET = "DELETE FROM incoming_file WHERE state = 'arriving' AND received_at < now() - interval '1 day'"
PART = "SELECT sealed FROM incoming_file_part WHERE file_id = $1 AND number = $2"
CLAIM = """
UPDATE incoming_file SET lease_until = now() + interval '30 seconds'
WHERE id = (SELECT id FROM incoming_file WHERE state = 'waiting' AND (lease_until IS NULL OR lease_until < now())
            ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, name, source, feed, sealed, messages, done, outcomes, problems
"""
PROGRESS = """
UPDATE incoming_file SET done = $2, outcomes = $3, problems = $4, lease_until = now() + interval '30 seconds'
WHERE id = $1 AND state = 'waiting'
"""
FINISH = """
WITH read AS (
    UPDATE incoming_file SET state = 'done', sealed = NULL, messages = done, lease_until = NULL, finished_at = now()
    WHERE id = $1 AND state = 'waiting' RETURNING id
)
DELETE FROM incoming_file_part p USING read WHERE p.file_id = read.id
"""
ONE = f"SELECT {_SHOWN} FROM incoming_file WHERE id = $1"
LATEST = f"""
SELECT {_SHOWN} FROM incoming_file WHERE $2::text[] IS NULL OR feed = ANY ($2) ORDER BY id DESC LIMIT $1
"""


async def begin(connection: "Connection", file_id: UUID, name: str, source: str, feed: str | None) -> None:
    await connection.execute(BEGIN, file_id, name, source, feed)


async def add(connection: "Connection", file_id: UUID, number: int, sealed: bytes) -> None:
    await connection.execute(ADD, file_id, number, sealed)


async def arrived(connection: "Connection", file_id: UUID, size: int, messages: int, announced: int | None) -> None:
    """It is whole, and durable."""
    await connection.execute(ARRIVED, file_id, size, messages, announced)


async def discard(connection: "Connection", file_id: UUID) -> None:
    """What did not become whole."""
    await connection.execute(DISCARD, file_id)


async def forget(connection: "Connection") -> None:
    """What did not become whole within a day: its process died."""
    await connection.execute(FORGET)


async def part(connection: "Connection", file_id: UUID, number: int) -> bytes | None:
    found: bytes | None = await connection.fetchval(PART, file_id, number)
    return found


async def claim(connection: "Connection") -> Any:
    """The oldest file that nobody works on, leased for 30 seconds; None when there is none."""
    return await connection.fetchrow(CLAIM)


async def progress(
    connection: "Connection", file_id: UUID, done: int, outcomes: dict[str, int], problems: list[dict[str, Any]]
) -> None:
    """Writes down how far the file is, and extends the lease."""
    await connection.execute(PROGRESS, file_id, done, outcomes, problems)


async def finish(connection: "Connection", file_id: UUID) -> None:
    await connection.execute(FINISH, file_id)


async def one(connection: "Connection", file_id: UUID) -> dict[str, Any] | None:
    row = await connection.fetchrow(ONE, file_id)
    return dict(row) if row else None


async def latest(connection: "Connection", limit: int, feeds: Sequence[str] | None) -> list[dict[str, Any]]:
    """The newest first; of these feeds, or of all (None)."""
    return [dict(row) for row in await connection.fetch(LATEST, limit, feeds)]
