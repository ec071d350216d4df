"""`/files`: upload a file of messages; see how far it is, and its report."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.intake import file_store
from services.intake.batches import MessageTooLongError
from services.intake.feeds import FeedDirectory
from services.intake.incoming_files import LONGEST_MESSAGE, EmptyFileError, IncomingFiles, Kept, NoMessageError
from services.intake.offering import feed_for, feeds_of
from shared.http import Caller, Problem, Role, allow, is_form, upload_of
from shared.postgres import Database

Sender = Annotated[Caller, allow(Role.INTEGRATION)]
Looker = Annotated[Caller, allow(Role.INTEGRATION, Role.OPS, Role.AUDITOR)]


def files_router(database: Database, feeds: FeedDirectory, files: IncomingFiles) -> APIRouter:
    router = APIRouter(tags=["files"])

    @router.post("/files", status_code=202)
    async def upload(
        request: Request,
        response: Response,
        caller: Sender,
        feed: Annotated[str | None, Query(max_length=100)] = None,
    ) -> dict[str, Any]:
        """202 once the file is durable; its messages follow. With `feed`, all must be of it: JSON needs this, as it
        names no sender, and so does a caller who is bound to facilities.
        """
        if feed is not None:
            feed_for(feeds, feed, caller)
        elif caller.is_bound:
            raise Problem(403, "Name the feed of your facility", slug="feed-not-named")
        async with _sent(request) as (name, content):
            kept = await _kept(files, name, content, feed)
        response.headers["location"] = f"/files/{kept.id}"
        return {"id": kept.id, "size": kept.size}

    @router.get("/files")
    async def latest(caller: Looker, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> dict[str, Any]:
        async with database.pool.acquire() as connection:
            return {"items": await file_store.latest(connection, limit, feeds_of(feeds.feeds, caller))}

    @router.get("/files/{file_id}")
    async def one(file_id: UUID, caller: Looker) -> dict[str, Any]:
        """How far it is; `state` is `done` once every message is in the log. `problems` are those without effect."""
        async with database.pool.acquire() as connection:
            found = await file_store.one(connection, file_id)
        own = feeds_of(feeds.feeds, caller)
        if found is None or (own is not None and found["feed"] not in own):
            raise Problem(404, "There is no such file", slug="unknown-file")
        return found

    return router


async def _kept(files: IncomingFiles, name: str, content: AsyncIterator[bytes], feed: str | None) -> Kept:
    """Raises Problem where nothing can be kept of it."""
    try:
        return await files.keep(name, "upload", content, feed)
    except EmptyFileError:
        raise Problem(422, "The file is empty", slug="empty-body") from None
    except NoMessageError:
        wants = "None begins with MSH, and it is no JSON."
        raise Problem(422, "There is no message in this file", wants, slug="no-message") from None
    except MessageTooLongError:
        title = "A message in it is too long"
        raise Problem(413, title, slug="message-too-long", limit_bytes=LONGEST_MESSAGE) from None


@asynccontextmanager
async def _sent(request: Request) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
    """The file's name and its content as it comes, of a form or of a bare body: nothing of it is held."""
    if not is_form(request):
        yield "", request.stream()
        return
    async with upload_of(request) as sent:
        yield sent.name, sent.content
