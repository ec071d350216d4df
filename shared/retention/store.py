"""The SQL of forgetting. `r` is the table's row, $1 the instant before which it ended, $2 how many go at once."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

MACHINERY: Mapping[str, str] = {"dead_letter": "r.at < $1", "skipped_event": "r.skipped_at < $1"}
# Whoever works on a row now keeps it: it comes again.
FORGET = """
DELETE FROM {table} WHERE ctid = ANY (ARRAY(
    SELECT r.ctid FROM {table} r WHERE {condition} LIMIT $2 FOR UPDATE OF r SKIP LOCKED))
"""
PATIENCE = "SET LOCAL statement_timeout = '5min'"
PATIENCE_S = 300.0
BEFORE = "SELECT clock_timestamp() - $1::interval"
AUDIT = """
INSERT INTO audit (actor, roles, action, subjects, outcome, request_id)
VALUES ($1, '{}', 'retention', ARRAY[$2], $3, '')
"""


async def instant_before(connection: "Connection", age: timedelta) -> datetime:
    found: datetime = await connection.fetchval(BEFORE, age)
    return found


async def forget(connection: "Connection", table: str, condition: str, before: datetime, most: int) -> int:
    """How many rows went. `table` and `condition` are the service's own text. In the caller's transaction."""
    await connection.execute(PATIENCE)
    done: str = await connection.execute(
        FORGET.format(table=table, condition=condition), before, most, timeout=PATIENCE_S
    )
    return int(done.rsplit(maxsplit=1)[-1])


async def note(connection: "Connection", service: str, table: str, outcome: str) -> None:
    await connection.execute(AUDIT, service, table, outcome)
