"""The SQL of what is kept before it is interpreted."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from services.intake.arrival import Arrival
from services.intake.sealing import Seal

if TYPE_CHECKING:
    from services.intake.store import Connection

KEEP = "INSERT INTO arrival SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::bytea[])"
WAITING = """
SELECT id, received_at, host, raw FROM arrival
WHERE received_at <= clock_timestamp() - $1::interval AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
"""
STILL_KEPT = "SELECT id FROM arrival WHERE id = ANY ($1) ORDER BY id FOR UPDATE"


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


async def waiting(connection: "Connection", older_than: timedelta, after: UUID | None, most: int) -> list[Kept]:
    """The oldest of those after that one, still sealed, in the order in which they came."""
    rows = await connection.fetch(WAITING, older_than, after, most)
    return [Kept(row["id"], row["received_at"], row["host"], row["raw"]) for row in rows]


async def still_kept(connection: "Connection", ids: Sequence[UUID]) -> set[UUID]:
    """Those of them that nobody has interpreted; locked until the end of the transaction."""
    return {row["id"] for row in await connection.fetch(STILL_KEPT, list(ids))}
