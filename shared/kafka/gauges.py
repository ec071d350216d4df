"""Gauges of what waits in a service's schema: read from the rows, so that they are true after a restart too."""

import asyncio
from typing import TYPE_CHECKING

import asyncpg

from shared import metrics
from shared.telemetry import log

if TYPE_CHECKING:
    from shared.postgres import Database

EVERY_S = 5.0

OUTBOX = """
SELECT count(*) AS rows, coalesce(extract(epoch FROM clock_timestamp() - min(recorded)), 0)::float8 AS oldest
FROM (SELECT recorded FROM outbox WHERE published_at IS NULL ORDER BY id LIMIT 100000) waiting
"""
PARKED = """
SELECT consumer, count(*) AS keys, extract(epoch FROM clock_timestamp() - min(since))::float8 AS oldest
FROM blocked_key GROUP BY consumer
"""


async def gauge(database: "Database") -> None:
    """Sets the gauges every few seconds until cancelled."""
    while True:
        try:
            await read_once(database)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("gauges.waiting", error=type(error).__name__)
        await asyncio.sleep(EVERY_S)


async def read_once(database: "Database") -> None:
    outbox = await database.pool.fetchrow(OUTBOX)
    parked = await database.pool.fetch(PARKED)
    if outbox:
        metrics.OUTBOX_ROWS.set(outbox["rows"])
        metrics.OUTBOX_OLDEST_SECONDS.set(outbox["oldest"])
    metrics.PARKED_KEYS.clear()
    metrics.PARKED_OLDEST_SECONDS.clear()
    for row in parked:
        metrics.PARKED_KEYS.labels(row["consumer"]).set(row["keys"])
        metrics.PARKED_OLDEST_SECONDS.labels(row["consumer"]).set(row["oldest"])
