"""Old messages are dropped a day at a time. A day on which a message is still held stays whole: somebody has to decide
about it first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.intake import retention_store
from shared.postgres import Database
from shared.telemetry import log


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Days that were dropped, and those that are past their time but kept because something on them is held."""

    dropped: Sequence[str]
    kept: Sequence[str]


async def forget_old_messages(database: Database, kept_for: timedelta) -> Forgotten:
    """Drops the days that ended before; each is one transaction with its line in the audit log.

    Raises asyncpg.LockNotAvailableError when somebody reads the log for long: the next time will do.
    """
    async with database.pool.acquire() as connection:
        instant = await connection.fetchval("SELECT clock_timestamp()") - kept_for
        days = await retention_store.days_before(connection, instant)
        kept = [day for day in days if await retention_store.held_on(connection, day)]
        dropped: list[str] = []
        for day in days:
            if day not in kept:
                await retention_store.forget_keys(connection, day)
                (dropped if await _drop(database, day) else kept).append(day)
    async with database.transaction() as tx:
        await retention_store.forget_work(tx.connection, instant)
        if count := await retention_store.forget_default(tx.connection, instant):
            await retention_store.audit(tx.connection, "message_default", f"{count} messages dropped")
    if kept:
        log.warning("old messages kept, some are held", count=len(kept))
    return Forgotten(dropped, kept)


async def _drop(database: Database, day: str) -> bool:
    async with database.transaction() as tx:
        count = await retention_store.drop(tx.connection, day)
        if count is None:
            return False
        await retention_store.audit(tx.connection, day, f"{count} messages dropped")
    log.info("old messages dropped", count=count)
    return True
