"""An arrival by HTTP: offered like those of MLLP, awaited until it is durable."""

import asyncio
from collections.abc import Iterable

from services.intake.arrival import Arrival
from services.intake.feeds import Feed, FeedDirectory
from services.intake.message import Verdict
from services.intake.receiving import Reception
from shared.http import Caller, Problem


async def settle(reception: Reception, arrival: Arrival) -> Verdict:
    """The verdict, once it is committed. Raises Problem 503 when it could not be stored: the sender keeps it."""
    try:
        return await reception.offer(arrival)
    except asyncio.CancelledError:
        if not arrival.done.cancelled():
            raise
        raise Problem(
            503, "It could not be stored: send it again", slug="not-stored", headers={"Retry-After": "2"}
        ) from None


def feed_for(feeds: FeedDirectory, name: str, caller: Caller) -> Feed:
    """The configured feed of that name. Raises Problem 404, or 403 when the caller is bound to other facilities."""
    feed = next((feed for feed in feeds.feeds if feed.name == name), None)
    if feed is None:
        raise Problem(404, "There is no such feed", slug="unknown-feed")
    must_be_of(feed, caller)
    return feed


def must_be_of(feed: Feed, caller: Caller) -> None:
    """Raises Problem 403 when the caller is bound to other facilities than the feed's."""
    if not caller.reaches(*feed.places):
        raise Problem(403, "This feed is not of your facilities", slug="foreign-feed")


def feeds_of(feeds: Iterable[Feed], caller: Caller) -> list[str] | None:
    """Names of the feeds whose messages the caller may look at; None: all, those of unknown senders too."""
    return [feed.name for feed in feeds if caller.reaches(*feed.places)] if caller.is_bound else None
