"""A message of the log, read and applied once more: after a map, a feed or a rule was put right."""

from uuid import UUID

from services.intake import log_store
from services.intake.arrival import UNKNOWN_FEED, read_arrival
from services.intake.feeds import FeedDirectory
from services.intake.message import Verdict
from services.intake.receiving import Reception
from services.intake.sealing import Seal
from shared.http import Problem
from shared.postgres import Database

LOOPBACK = "127.0.0.1"
ELSEWHERE = ""


async def replay(
    database: Database,
    feeds: FeedDirectory,
    reception: Reception,
    seal: Seal,
    message_id: UUID,
    version: int | None,
    actor: str,
) -> Verdict:
    """Raises Problem 404 when there is no such message, 409 when it took effect already or has changed meanwhile."""
    async with database.pool.acquire() as connection:
        row = await log_store.sealed(connection, message_id)
        if row is None:
            raise Problem(404, "No such message")
        if await log_store.claim(connection, message_id, version, actor) is None:
            raise Problem(409, "It took effect already, or has changed since: look again", slug="stale-version")
    # An unknown sender from elsewhere does not become a default feed by being looked at from here.
    host = ELSEWHERE if row["feed"] == UNKNOWN_FEED else LOOPBACK
    raw = seal.open(row["raw"], message_id)
    arrival = read_arrival(raw, feeds, host, message_id=message_id, received=row["received_at"])
    return await reception.offer(arrival)
