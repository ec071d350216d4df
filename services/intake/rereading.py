"""A stored message as it reads now, by the way in which it came."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.intake.arrival import UNKNOWN_FEED, Arrival, is_json, read_arrival
from services.intake.feeds import FeedDirectory
from services.intake.fhir.reading import read_fhir
from services.intake.json_events import read_json_event
from shared.http import Problem

LOOPBACK = "127.0.0.1"
ELSEWHERE = ""


class Stored(NamedTuple):
    """What of the log's row the reading needs."""

    id: UUID
    received_at: datetime
    feed: str
    control_id: str
    trigger: str


def reread(raw: bytes, stored: Stored, feeds: FeedDirectory) -> Arrival:
    """Reads it with the feeds of now; changes nothing and counts nothing.

    JSON names no sender, so its feed is the one it came on: raises Problem 409 when that is no longer configured. An
    unknown sender from elsewhere does not become a default feed by being looked at from here.
    """
    if not is_json(raw):
        host = ELSEWHERE if stored.feed == UNKNOWN_FEED else LOOPBACK
        return read_arrival(raw, feeds, host, message_id=stored.id, received=stored.received_at)
    feed = feeds.named(stored.feed, "")
    if feed is None:
        raise Problem(409, "Its feed is no longer configured", slug="unknown-feed")
    if stored.trigger.startswith("JSON"):
        return read_json_event(raw, stored.control_id, feed, feeds, message_id=stored.id, at=stored.received_at)[0]
    return read_fhir(raw, feed, feeds, message_id=stored.id, received=stored.received_at).arrival
