"""`POST /trials/{feed}`: a file of messages in, its conformance report out. Nothing is stored, nobody is told."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse

from services.intake import er7
from services.intake.batches import split
from services.intake.feed_file import BrokenFeedsError, FileProblem, parse_feeds
from services.intake.feeds import Feed, FeedDirectory
from services.intake.offering import must_be_of
from services.intake.reading import sender_of
from services.intake.trial.report import Report, report_of
from services.intake.trial.trying import Trial
from shared.events.people import Facility
from shared.http import Caller, Problem, Role, allow, is_form, upload_of

Tryer = Annotated[Caller, allow(Role.INTEGRATION)]
FeedName = Annotated[str, Path(max_length=60, pattern=r"^[a-z0-9][a-z0-9-]*$")]
LINES = "application/x-ndjson"
FILE_BYTES = 32 * 1024 * 1024
MOST_MESSAGES = 50_000
SLICE = 20
"""Messages read between two looks at what else is to be done: the feeds that run must not wait for a trial."""


def trials_router(feeds: FeedDirectory) -> APIRouter:
    router = APIRouter(tags=["trials"])
    one_at_a_time = asyncio.Semaphore(1)

    @router.post("/trials/{feed}", response_model=None)
    async def check(feed: FeedName, request: Request, caller: Tryer) -> Response | Report:
        """The body is the file, or a form with `file` and `configuration`: a feed as it would stand in the feeds file,
        instead of the one in force. With `Accept: application/x-ndjson` progress is told while it runs.
        """
        content, configuration = await _sent(request)
        messages = (await asyncio.to_thread(split, content)).messages
        if not messages:
            raise Problem(422, "There is no message in this file", "None begins with MSH.", slug="no-message")
        if len(messages) > MOST_MESSAGES:
            raise Problem(413, "Too many messages for a trial", slug="too-many-messages", limit=MOST_MESSAGES)
        trial = _on_trial(feed, configuration, feeds, messages[0], caller)
        if LINES in request.headers.get("accept", ""):
            return StreamingResponse(_told(trial, messages, one_at_a_time), media_type=LINES)
        async with one_at_a_time:
            async for _ in _steps(trial, messages):
                pass
        return report_of(trial)

    return router


async def _sent(request: Request) -> tuple[bytes, str | None]:
    if not is_form(request):
        return await request.body(), None
    async with upload_of(request) as sent:
        content = b"".join([piece async for piece in sent.content])
        return content, sent.fields.get("configuration", "").strip() or None


def _on_trial(name: str, configuration: str | None, feeds: FeedDirectory, first: bytes, caller: Caller) -> Trial:
    """Of the feed as it was sent along, else as it is in force, else of a new one for the file's first sender.

    Raises Problem: what is in force for other facilities is not shown by what it makes of a file.
    """
    if configuration is not None:
        try:
            sent = parse_feeds(configuration).feeds
        except BrokenFeedsError as error:
            raise _refused(error.problems) from None
        found = next((feed for feed in sent if feed.name == name), None)
        if found is None:
            raise _refused((FileProblem(name, "name", "there is no feed of this name in it"),))
        return Trial(found)
    known = next((feed for feed in feeds.feeds if feed.name == name), None)
    if known:
        must_be_of(known, caller)
        return Trial(known)
    facility = Facility(code=_facility_of(first) or name, time_zone="UTC")
    return Trial(Feed(name=name, facility=facility), is_new=True)


def _refused(problems: tuple[FileProblem, ...]) -> Problem:
    return Problem(
        422,
        "The configuration does not fit",
        "; ".join(str(problem) for problem in problems),
        slug="feeds-file-refused",
        problems=[problem._asdict() for problem in problems],
    )


def _facility_of(raw: bytes) -> str:
    try:
        return sender_of(er7.read(raw))[1]
    except er7.NoHeaderError:
        return ""


async def _steps(trial: Trial, messages: tuple[bytes, ...]) -> AsyncIterator[int]:
    """Reads all messages; yields how many are done."""
    for start in range(0, len(messages), SLICE):
        for raw in messages[start : start + SLICE]:
            trial.take(raw)
        await asyncio.sleep(0)
        yield trial.messages


async def _told(trial: Trial, messages: tuple[bytes, ...], turn: asyncio.Semaphore) -> AsyncIterator[bytes]:
    of, said = len(messages), 0
    yield _line({"done": 0, "of": of})
    async with turn:
        async for done in _steps(trial, messages):
            if done == of or done - said >= of / 50:
                said = done
                yield _line({"done": done, "of": of})
        yield _line({"report": report_of(trial).model_dump(mode="json")})


def _line(said: Any) -> bytes:
    return orjson.dumps(said) + b"\n"
