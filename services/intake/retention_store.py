"""The SQL of forgetting old messages: by day partitions, never those in which something is still held."""

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.intake.store import Connection

DAYS_BEFORE = "SELECT message_days_before($1) AS day"
HELD = "SELECT count(*) FROM {day} WHERE outcome = 'held'"
COUNT = "SELECT count(*) FROM {day}"
# A duplicate of a message that is gone would be stored once more; its facts are still known, so it has no effect.
FORGET_KEYS = """
WITH old AS (SELECT id, feed, control_id, sha256 FROM {day} WHERE id > $1 ORDER BY id LIMIT {most}), gone AS (
    DELETE FROM message_key k USING old
    WHERE (k.feed, k.control_id, k.sha256) = (old.feed, old.control_id, old.sha256) AND k.message_id = old.id
)
SELECT max(id::text)::uuid FROM old
"""
DROP = "DROP TABLE {day}"
# Whoever reads the log now goes first: it is tried again in an hour.
PATIENCE = "SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '10min'"
LOCK = "LOCK TABLE {day} IN ACCESS EXCLUSIVE MODE"
# What was done with messages is not kept longer than they are.
FORGET_FILES = "DELETE FROM incoming_file WHERE state = 'done' AND finished_at < $1"
FORGET_REPLAYS = """
DELETE FROM replay r WHERE finished_at < $1 AND NOT EXISTS (
    SELECT 1 FROM replay carried WHERE carried.carries_out = r.id
    AND (carried.finished_at IS NULL OR carried.finished_at >= $1))
"""
FORGET_DEFAULT = "DELETE FROM message_default WHERE id < first_id($1) AND outcome <> 'held'"
AUDIT = """
INSERT INTO audit (actor, roles, action, subjects, outcome, request_id)
VALUES ('intake', '{}', 'message.retention', ARRAY[$1], $2, '')
"""
NOTHING_BEFORE = "00000000-0000-0000-0000-000000000000"
KEYS_AT_ONCE = 10_000


async def days_before(connection: "Connection", instant: datetime) -> list[str]:
    """Names of the partitions whose days ended before it, the oldest first."""
    return [row["day"] for row in await connection.fetch(DAYS_BEFORE, instant)]


async def held_on(connection: "Connection", day: str) -> int:
    """`day` is a name that `days_before` gave: nobody else's text becomes part of a statement."""
    count: int = await connection.fetchval(HELD.format(day=day))
    return count


async def forget_keys(connection: "Connection", day: str) -> None:
    """A portion at a time, each in its own transaction: a day may have a million."""
    after = NOTHING_BEFORE
    while after:
        after = await connection.fetchval(FORGET_KEYS.format(day=day, most=KEYS_AT_ONCE), after)


async def drop(connection: "Connection", day: str) -> int | None:
    """The number of messages that are gone; None when one of them is held after all. In the caller's transaction."""
    await connection.execute(PATIENCE)
    # Before the lock: whoever reads the whole log waits behind it.
    count: int = await connection.fetchval(COUNT.format(day=day), timeout=600)
    await connection.execute(LOCK.format(day=day))
    if await held_on(connection, day):
        return None
    await connection.execute(DROP.format(day=day))
    return count


async def forget_default(connection: "Connection", instant: datetime) -> int:
    """Messages of the partition of last resort, which no day holds."""
    return int((await connection.execute(FORGET_DEFAULT, instant, timeout=600)).split()[-1])


async def forget_work(connection: "Connection", instant: datetime) -> None:
    """Files that were read and replays that ended before it, with what they found."""
    await connection.execute(FORGET_FILES, instant)
    await connection.execute(FORGET_REPLAYS, instant)


async def audit(connection: "Connection", day: str, outcome: str) -> None:
    await connection.execute(AUDIT, day, outcome)
