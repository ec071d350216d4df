"""How many pairs of patients wait for a person, as a metric: what an operations team watches over weeks."""

import asyncio

import asyncpg

from services.intake.identity import review_store
from services.intake.message import Reason
from shared.metrics import IDENTITY_REVIEWS
from shared.postgres import Database
from shared.telemetry import log

SHOW_EVERY_S = 60.0


async def show_reviews(database: Database) -> None:
    """Every minute, until cancelled."""
    while True:
        try:
            await show_reviews_once(database)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("reviews not counted", error=error, retry_in=SHOW_EVERY_S)
        await asyncio.sleep(SHOW_EVERY_S)


async def show_reviews_once(database: Database) -> None:
    async with database.pool.acquire() as connection:
        counts = await review_store.counts(connection, [Reason.OVERLAY_SUSPECTED.value])
    IDENTITY_REVIEWS.clear()
    for standing, count in counts.items():
        IDENTITY_REVIEWS.labels(standing).set(count)
