"""The routes of looking into the message log."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from services.intake import log_store
from services.intake.arrival import is_json
from services.intake.feeds import FeedDirectory
from services.intake.message import Outcome, Reason
from services.intake.offering import feeds_of
from services.intake.rereading import Stored, reread
from services.intake.sealing import Seal
from services.intake.sides import sides_of
from services.intake.trial.advising import REASONS
from shared.http import Caller, Problem, Role, StrictModel, allow, audited, audited_read
from shared.postgres import Database

HL7 = "application/hl7-v2"
Reader = Annotated[Caller, allow(Role.OPS, Role.AUDITOR)]
Limit = Annotated[int, Query(ge=1, le=200)]


class Filters(StrictModel):
    """All ids are opaque; `visit` is an encounter's id. `since` and `until` are instants of arrival."""

    feed: str | None = Field(default=None, max_length=100)
    outcome: Outcome | None = None
    reason: Reason | None = None
    control_id: str | None = Field(default=None, max_length=200)
    trigger: str | None = Field(default=None, max_length=20)
    patient: str | None = Field(default=None, max_length=64)
    visit: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    def chosen(self) -> dict[str, object]:
        return self.model_dump(include=set(Filters.model_fields), exclude_none=True)


class Page(Filters):
    """`next` of a page is the `before` of the following one."""

    before: UUID | None = None
    limit: int = Field(default=50, ge=1, le=200)


class Search(Page):
    """By what stands in the message, too. It is sent in a body: numbers of people have no place in an address."""

    patient_identifier: str | None = Field(default=None, min_length=1, max_length=200, description="A value of PID-3.")
    visit_number: str | None = Field(default=None, min_length=1, max_length=200, description="PV1-19, or the account.")


def log_router(
    database: Database, feeds: FeedDirectory, seal: Seal, caught_up: Callable[[], Awaitable[None]]
) -> APIRouter:
    """`caught_up` waits a moment for what was acknowledged and is still to be interpreted."""
    router = APIRouter(tags=["message log"], dependencies=[Depends(caught_up)])
    _add_pages(router, database, feeds)
    _add_search(router, database, feeds)
    _add_one(router, database, feeds, seal)
    return router


def _add_pages(router: APIRouter, database: Database, feeds: FeedDirectory) -> None:
    @router.get("/messages")
    async def messages(page: Annotated[Page, Query()], caller: Reader) -> dict[str, Any]:
        return await _page(database, page.chosen() | _bounds(feeds, caller), page)

    @router.get("/held")
    async def held(
        caller: Reader,
        feed: Annotated[str | None, Query(max_length=100)] = None,
        reason: Reason | None = None,
        before: UUID | None = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        wanted = {"outcome": Outcome.HELD.value, "feed": feed, "reason": reason.value if reason else None}
        return await _page(database, wanted | _bounds(feeds, caller), Page(before=before, limit=limit))

    @router.get("/held/counts")
    async def counts(caller: Reader) -> dict[str, Any]:
        """How many are held, by reason and feed, what that means, and since when the oldest."""
        async with database.pool.acquire() as connection:
            found = await log_store.held_counts(connection)
        own = feeds_of(feeds.feeds, caller)
        return {
            "items": [
                row | {"meaning": REASONS.get(row["reason"], "")} for row in found if own is None or row["feed"] in own
            ]
        }


def _bounds(feeds: FeedDirectory, caller: Caller) -> dict[str, object]:
    own = feeds_of(feeds.feeds, caller)
    return {} if own is None else {"feeds": own}


async def _page(database: Database, wanted: Mapping[str, object], page: Page) -> dict[str, Any]:
    async with database.pool.acquire() as connection:
        items = await log_store.messages(connection, wanted, page.before, page.limit)
    return {"items": items, "next": items[-1]["id"] if len(items) == page.limit else None}


def _add_search(router: APIRouter, database: Database, feeds: FeedDirectory) -> None:
    @router.post("/messages/search")
    async def search(asked: Search, caller: Reader, request: Request) -> dict[str, Any]:
        """As GET /messages, by a patient's or a visit's number as well. That somebody was looked for is audited."""
        wanted = asked.chosen() | _bounds(feeds, caller)
        async with database.transaction() as tx:
            if asked.patient_identifier:
                people = await log_store.find_person(tx.connection, asked.patient_identifier)
                wanted["patients"] = await log_store.records_of_all(tx.connection, people)
                await audited(tx.connection, caller, "message.search", people, request)
            if asked.visit_number:
                stays = await log_store.find_visit(tx.connection, asked.visit_number)
                wanted["visits"] = stays
                await audited(tx.connection, caller, "message.search", [str(stay) for stay in stays], request)
        return await _page(database, wanted, asked)


def _add_one(router: APIRouter, database: Database, feeds: FeedDirectory, seal: Seal) -> None:
    @router.get("/messages/{message_id}")
    async def message(message_id: UUID, caller: Reader) -> dict[str, Any]:
        async with database.pool.acquire() as connection:
            found: dict[str, Any] = _seen(await log_store.message(connection, message_id), feeds, caller)
        return found

    @router.get("/messages/{message_id}/raw")
    async def raw(message_id: UUID, caller: Reader, request: Request) -> Response:
        """The bytes as they came. Every look is in the audit log."""
        async with database.pool.acquire() as connection:
            row = _seen(await log_store.sealed(connection, message_id), feeds, caller)
            await audited_read(connection, caller, "message.raw", [_subject(row, message_id)], request)
        content = seal.open(row["raw"], message_id)
        return Response(content, media_type="application/json" if is_json(content) else HL7)

    @router.get("/messages/{message_id}/sides")
    async def sides(message_id: UUID, caller: Reader, request: Request, revealed: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002  (a query parameter)
        """The message as split and as read with the feeds of now, beside what it caused.

        What names a person is masked. `revealed=true` shows it, and writes down who looked.
        """
        async with database.pool.acquire() as connection:
            row = _seen(await log_store.sealed(connection, message_id), feeds, caller)
            if revealed:
                await audited_read(connection, caller, "message.sides", [_subject(row, message_id)], request)
            found = await log_store.message(connection, message_id)
        content = seal.open(row["raw"], message_id)
        stored = Stored(message_id, row["received_at"], row["feed"], row["control_id"], row["trigger"])
        read = sides_of(content, reread(content, stored, feeds))
        return {"message": found, **(read if revealed else read.masked()).as_json()}


def _seen(row: Any, feeds: FeedDirectory, caller: Caller) -> Any:
    """The message; one of a feed that is none of the caller's is not told from one that does not exist."""
    own = feeds_of(feeds.feeds, caller)
    if row is None or (own is not None and row["feed"] not in own):
        raise Problem(404, "No such message")
    return row


def _subject(row: Any, message_id: UUID) -> str:
    return row["patient_id"] or f"message {message_id}"
