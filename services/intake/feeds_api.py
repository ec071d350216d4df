"""The routes about feeds: which are in force, what was not understood on them, the file read again."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from services.intake import log_store, unknown_store
from services.intake.feed_book import FeedBook, Reload, Reloaded
from services.intake.feeds import Feed
from services.intake.offering import feeds_of
from shared.http import Caller, Problem, Role, StrictModel, allow, audited
from shared.postgres import Database

Looker = Annotated[Caller, allow(Role.INTEGRATION, Role.OPS, Role.AUDITOR)]
Operator = Annotated[Caller, allow(Role.INTEGRATION, Role.OPS, unbound=True)]
FeedName = Annotated[str, Path(max_length=100)]


class UnderstoodCode(StrictModel):
    field: str
    code: str


def feeds_router(database: Database, book: FeedBook) -> APIRouter:
    router = APIRouter(tags=["feeds"])
    _add_looking(router, database, book)
    _add_deciding(router, database, book)
    return router


def _add_looking(router: APIRouter, database: Database, book: FeedBook) -> None:
    @router.get("/feeds")
    async def all_feeds(caller: Looker) -> dict[str, Any]:
        """Every configured feed, and others that were heard of in the last 24 hours, with their counts since then."""
        async with database.pool.acquire() as connection:
            counts = await log_store.feed_counts(connection)
            unknown = await unknown_store.totals(connection)
        own = feeds_of(book.feeds, caller)
        known = {feed.name: feed for feed in book.feeds}
        items = [
            {
                "feed": name,
                "facility": known[name].facility if name in known else None,
                "is_configured": name in known,
                "unknown_codes": unknown.get(name, 0),
                "longest_silence_s": _longest_silence(known.get(name)),
                **{key: value for key, value in counts.get(name, {}).items() if key != "feed"},
            }
            for name in sorted({*known, *counts} if own is None else own)
        ]
        return {"items": items, "file": _file(book, book.last)}

    @router.get("/feeds/{feed}/unknown-codes")
    async def unknown_codes(feed: FeedName, caller: Looker) -> dict[str, Any]:
        """What this feed sent and no map knows, by field, the most frequent first. 404 for a feed never heard of."""
        own = feeds_of(book.feeds, caller)
        if own is not None and feed not in own:
            raise Problem(404, "There is no such feed", slug="unknown-feed")
        async with database.pool.acquire() as connection:
            if feed not in {known.name for known in book.feeds} and not await log_store.has_sent(connection, feed):
                raise Problem(404, "There is no such feed", "Neither configured, nor heard of.", slug="unknown-feed")
            return {"items": await unknown_store.of_feed(connection, feed)}


def _add_deciding(router: APIRouter, database: Database, book: FeedBook) -> None:
    @router.post("/feeds/reload")
    async def reload(request: Request, response: Response, caller: Operator) -> dict[str, Any]:
        """Reads the feeds file again: 200 when it is in force now, 422 with what is wrong, by feed and key."""
        done = await book.reload()
        async with database.pool.acquire() as connection:
            await audited(connection, caller, "feeds.reload", [], request, done.outcome.value)
        if done.outcome is Reloaded.REFUSED:
            raise Problem(
                422,
                "The feeds file is broken: the feeds that were in force still are",
                "; ".join(str(problem) for problem in done.problems),
                slug="feeds-file-refused",
                problems=[problem._asdict() for problem in done.problems],
            )
        response.headers["cache-control"] = "no-store"
        return _file(book, done)

    @router.post("/feeds/{feed}/unknown-codes/forget")
    async def forget(feed: FeedName, body: UnderstoodCode, _caller: Operator) -> dict[str, bool]:
        """Drops a code's count, once it stands in a map: if it is still not understood, it comes back."""
        async with database.pool.acquire() as connection:
            return {"forgotten": await unknown_store.forget(connection, feed, body.field, body.code)}


def _longest_silence(feed: Feed | None) -> float | None:
    silence = feed.longest_silence(datetime.now(UTC)) if feed else None
    return silence.total_seconds() if silence else None


def _file(book: FeedBook, last: Reload) -> dict[str, Any]:
    return {
        "outcome": last.outcome,
        "read_at": last.at,
        "in_force_since": book.in_force_since,
        "feeds": len(book.feeds),
        "problems": [problem._asdict() for problem in last.problems],
    }
