"""Idempotency keys: one key, one body, one answer. The key is bound before the event can take effect."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import asyncpg

    from services.intake.store import Connection

KEPT = timedelta(days=14)
BIND = "INSERT INTO idempotency_key (feed, key, sha256) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
BOUND = "SELECT sha256, status, answer FROM idempotency_key WHERE feed = $1 AND key = $2"
ANSWERED = "UPDATE idempotency_key SET status = $3, answer = $4 WHERE feed = $1 AND key = $2 AND status IS NULL"
FORGET = "DELETE FROM idempotency_key WHERE made_at < now() - $1::interval"


class Given(NamedTuple):
    """The answer that was given to a key."""

    status: int
    answer: Any


class OtherBodyError(Exception):
    """The key was used for another body."""


async def bind(connection: "Connection", feed: str, key: str, sha256: bytes) -> Given | None:
    """Binds the key to the body. Answers what was answered to it before; None when it is new, or when it is not known
    what came of it: the event may then be offered again, since the message log tells it apart from its repeats.
    """
    await connection.execute(BIND, feed, key, sha256)
    row = await connection.fetchrow(BOUND, feed, key)
    if row is None or row["sha256"] != sha256:
        raise OtherBodyError
    return Given(row["status"], row["answer"]) if row["status"] is not None else None


async def keep_answer(connection: "Connection", feed: str, key: str, status: int, answer: Any) -> None:
    await connection.execute(ANSWERED, feed, key, status, answer)


async def forget(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    await pool.execute(FORGET, KEPT)
