"""The event log is kept for some days; older events are dropped a little at a time, so that nothing waits for it."""

import asyncio

import asyncpg

from services.dashboard.store import history
from shared.postgres import Database
from shared.telemetry import log

AT_ONCE = 2000
BETWEEN_S = 60.0


async def forget_old_events(database: Database, days: int) -> None:
    """Runs until cancelled. While the database is away it waits."""
    while True:
        try:
            async with database.pool.acquire() as connection:
                dropped = await history.forget(connection, days, AT_ONCE)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("old events wait to be dropped", exc_info=error)
            dropped = 0
        if dropped:
            log.info("old events dropped", events=dropped)
        await asyncio.sleep(0 if dropped == AT_ONCE else BETWEEN_S)
