"""The SQL of what is kept before it is interpreted."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from services.intake.arrival import Arrival
from services.intake.sealing import Seal

if TYPE_CHECKING:
    from services.intake.store import Connection

# A connection may break after the commit and before it is told so: then the same are kept again.
KEEP = """
INSERT INTO arrival SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::bytea[])
ON CONFLICT (id) DO NOTHING
"""
# The first of a page is read however long it is.
WAITING = """
SELECT id, received_at, host, raw FROM (
    SELECT *, sum(octet_length(raw)) OVER (ORDER BY id) - octet_length(raw) AS bytes_before FROM (
        SELECT * FROM arrival
        WHERE received_at <= clock_timestamp() - $1::interval AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
    ) found
) counted WHERE bytes_before < $4 ORDER BY id
"""
OLDEST = "SELECT extract(epoch FROM clock_timestamp() - received_at)::float8 FROM arrival ORDER BY id LIMIT 1"
FREE = "SELECT id FROM arrival WHERE id = ANY ($1) ORDER BY id FOR UPDATE SKIP LOCKED"
STILL_KEPT = "SELECT id FROM arrival WHERE id = ANY ($1)"


class Kept(NamedTuple):
    """A row of what waits."""

    id: UUID
    received: datetime
    host: str
    raw: bytes


async def keep(connection: "Connection", arrivals: Sequence[Arrival], seal: Seal) -> None:
    """In one statement that commits."""
    await connection.execute(
        KEEP,
        [arrival.id for arrival in arrivals],
        [arrival.received for arrival in arrivals],
        [arrival.host for arrival in arrivals],
        [seal.close(arrival.raw, arrival.id) for arrival in arrivals],
    )


async def waiting(
    connection: "Connection", older_than: timedelta, after: UUID | None, most: int, most_bytes: int
) -> list[Kept]:
    """The oldest of those after that one, still sealed, in the order in which they came: about so many bytes of them
    at most. None only where there are none.
    """
    rows = await connection.fetch(WAITING, older_than, after, most, most_bytes)
    return [Kept(row["id"], row["received_at"], row["host"], row["raw"]) for row in rows]


async def oldest_waiting_s(connection: "Connection") -> float:
    """How long the oldest has waited, whoever is to interpret it; 0 where none waits."""
    return await connection.fetchval(OLDEST) or 0.0


async def free_and_taken(connection: "Connection", ids: Sequence[UUID]) -> tuple[set[UUID], set[UUID]]:
    """Those still to be interpreted: locked until the end of the transaction, and those somebody else has locked."""
    free = {row["id"] for row in await connection.fetch(FREE, list(ids))}
    rest = [one for one in ids if one not in free]
    taken = {row["id"] for row in await connection.fetch(STILL_KEPT, rest)} if rest else set()
    return free, taken
