"""A message of the log, read and applied once more: after a map, a feed or a rule was put right."""

from typing import Any
from uuid import UUID

from services.intake import log_store
from services.intake.arrival import UNKNOWN_FEED, Arrival, is_json, read_arrival
from services.intake.feeds import FeedDirectory
from services.intake.fhir.reading import read_fhir
from services.intake.json_events import read_json_event
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
    return await reception.offer(_read_again(raw, row, feeds, host, message_id))


def _read_again(raw: bytes, row: Any, feeds: FeedDirectory, host: str, message_id: UUID) -> Arrival:
    """By the way in which it came: JSON names no sender, so its feed is the one it came on."""
    received = row["received_at"]
    if not is_json(raw):
        return read_arrival(raw, feeds, host, message_id=message_id, received=received)
    feed = feeds.named(row["feed"], "")
    if feed is None:
        raise Problem(409, "Its feed is no longer configured", slug="unknown-feed")
    if row["trigger"].startswith("JSON"):
        return read_json_event(raw, row["control_id"], feed, feeds, message_id=message_id, at=received)[0]
    return read_fhir(raw, feed, feeds, message_id=message_id, received=received).arrival
