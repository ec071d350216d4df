"""The SQL of what is kept before it is interpreted."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import orjson

from services.intake.arrival import Arrival
from services.intake.message import Outcome, Reason, Verdict
from services.intake.sealing import Seal

if TYPE_CHECKING:
    from services.intake.store import Connection

# Duplicates are looked up by index, also while the server believes that there are few.
PREPARE = "SET enable_seqscan = off"
# A connection may break after the commit and before it is told so: then the same are kept again.
KEEP = """
INSERT INTO arrival SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::bytea[])
ON CONFLICT (id) DO NOTHING
"""
# What would be refused now but was acknowledged positively before is answered from the store: its row has no refusal.
KEEP_WITH_REFUSED = """
WITH kept AS (
    INSERT INTO arrival AS a (id, received_at, host, raw, refusal)
    SELECT g.id, g.received_at, g.host, g.raw,
           CASE WHEN g.refusal IS NULL THEN NULL
                WHEN (SELECT k.message_id FROM message_key k
                      WHERE k.feed = g.feed AND k.control_id = g.control_id AND k.sha256 = g.sha256) IS NULL
                THEN g.refusal
           END
    FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::bytea[], $5::jsonb[], $6::text[], $7::text[],
                $8::bytea[])
         AS g (id, received_at, host, raw, refusal, feed, control_id, sha256)
    ON CONFLICT (id) DO UPDATE SET host = a.host
    RETURNING id, refusal
)
SELECT id FROM kept WHERE refusal IS NOT NULL
"""
# The first of a page is read however long it is.
WAITING = """
SELECT id, received_at, host, raw, refusal FROM (
    SELECT *, sum(octet_length(raw)) OVER (ORDER BY id) - octet_length(raw) AS bytes_before FROM (
        SELECT * FROM arrival
        WHERE received_at <= statement_timestamp() - $1::interval AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
    ) found
) counted WHERE bytes_before < $4 ORDER BY id
"""
OLDEST = "SELECT extract(epoch FROM clock_timestamp() - received_at)::float8 FROM arrival ORDER BY id LIMIT 1"
FREE = "SELECT id FROM arrival WHERE id = ANY ($1) ORDER BY id FOR UPDATE SKIP LOCKED"
STILL_KEPT = "SELECT id FROM arrival WHERE id = ANY ($1)"


class Kept(NamedTuple):
    """A row of what waits. `refusal`: what its sender was told, where that was no."""

    id: UUID
    received: datetime
    host: str
    raw: bytes
    refusal: Mapping[str, Any] | None


async def prepare(connection: "Connection") -> None:
    """Tells the server how to plan `keep`, for as long as the connection is kept."""
    await connection.execute(PREPARE)


async def keep(
    connection: "Connection", arrivals: Sequence[Arrival], seal: Seal, known: Collection[UUID] = ()
) -> set[UUID]:
    """In one statement that commits. Answers which of them are refused, and so are to be answered by their verdict:
    not those that were acknowledged positively when they came before, as the log says, or, of those in `known`, who
    waits to be interpreted.
    """
    columns = (
        [arrival.id for arrival in arrivals],
        [arrival.received for arrival in arrivals],
        [arrival.host for arrival in arrivals],
        [seal.close(arrival.raw, arrival.id) for arrival in arrivals],
    )
    refusals = [None if arrival.id in known else refusal_of(arrival) for arrival in arrivals]
    if not any(refusals):
        await connection.execute(KEEP, *columns)
        return set()
    rows = await connection.fetch(
        KEEP_WITH_REFUSED,
        *columns,
        refusals,
        [arrival.feed_name for arrival in arrivals],
        [arrival.control_id for arrival in arrivals],
        [arrival.digest for arrival in arrivals],
    )
    return {row["id"] for row in rows}


def refusal_of(arrival: Arrival) -> bytes | None:
    """What is kept of the answer, as JSON. None where it is positive."""
    verdict = arrival.verdict
    if verdict is None or not verdict.is_refusal:
        return None
    return orjson.dumps({"feed": arrival.feed_name, "verdict": verdict})


def refusal_from(kept: Mapping[str, Any]) -> tuple[str, Verdict]:
    """Under which feed it was refused, and how. Raises ValueError where it is a refusal of another version."""
    told = kept["verdict"]
    return kept["feed"], Verdict(**{**told, "outcome": Outcome(told["outcome"]), "reason": Reason(told["reason"])})


async def waiting(
    connection: "Connection", older_than: timedelta, after: UUID | None, most: int, most_bytes: int
) -> list[Kept]:
    """The oldest of those after that one, still sealed, in the order in which they came: about so many bytes of them
    at most. None only where there are none.
    """
    rows = await connection.fetch(WAITING, older_than, after, most, most_bytes)
    return [Kept(row["id"], row["received_at"], row["host"], row["raw"], row["refusal"]) for row in rows]


async def oldest_waiting_s(connection: "Connection") -> float:
    """How long the oldest has waited, whoever is to interpret it; 0 where none waits."""
    return await connection.fetchval(OLDEST) or 0.0


async def free_and_taken(connection: "Connection", ids: Sequence[UUID]) -> tuple[set[UUID], set[UUID]]:
    """Those still to be interpreted: locked until the end of the transaction, and those somebody else has locked."""
    free = {row["id"] for row in await connection.fetch(FREE, list(ids))}
    rest = [one for one in ids if one not in free]
    taken = {row["id"] for row in await connection.fetch(STILL_KEPT, rest)} if rest else set()
    return free, taken
