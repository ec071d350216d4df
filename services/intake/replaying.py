"""A message that has not taken effect, offered once more: after a map, a feed or a rule was put right."""

from services.intake import log_store
from services.intake.correction import Logged
from services.intake.message import Verdict
from services.intake.receiving import Reception
from shared.http import Problem
from shared.postgres import Database


async def replay(database: Database, reception: Reception, message: Logged, actor: str) -> Verdict:
    """Raises Problem 409 when it took effect already or has changed meanwhile."""
    async with database.pool.acquire() as connection:
        if await log_store.claim(connection, message.id, message.version, actor) is None:
            raise Problem(409, "It took effect already, or has changed since: look again", slug="stale-version")
    return await reception.offer(message.arrival)
