"""Connect a feed: a file of a hospital's messages is tried, and the page says what is missing until nothing is."""

import re
from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from services.dashboard.forms import check_own
from services.dashboard.pages.acts import refusal
from services.dashboard.pages.page import console_of, render
from shared.http import Caller, Problem, Role, allow, token_of, upload_of

router = APIRouter(include_in_schema=False)
Connector = Annotated[Caller, allow(Role.INTEGRATION)]
_FEED_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
LONGEST_CONFIGURATION = 200_000
LINES = "application/x-ndjson"
UPLOAD_BYTES = 33 * 1024 * 1024


@router.get("/connect")
async def connect_page(request: Request, caller: Connector) -> Response:
    return await _page(request, caller, await _feeds(request))


@router.post("/connect")
async def try_feed(request: Request, caller: Connector) -> Response:
    """The report as a page; for the page's own script, progress line by line and then the report as a fragment."""
    async with upload_of(request) as sent:
        check_own(request, sent.fields.get("csrf", ""))
        content = b"".join([piece async for piece in sent.content])
    feed, configuration = sent.fields.get("feed", "").strip(), sent.fields.get("configuration", "")
    if not _FEED_NAME.fullmatch(feed) or len(configuration) > LONGEST_CONFIGURATION:
        allowed = (
            "A name is of small letters, digits and dashes, at most 60; a configuration of at most 200,000 characters."
        )
        raise Problem(422, "The feed can't be tried", allowed, slug="invalid-request")
    steps = console_of(request).peers.upload("intake", f"/trials/{feed}", token_of(request), content, configuration)
    if LINES in request.headers.get("accept", ""):
        return StreamingResponse(_told(request, steps), media_type=LINES)
    feeds = await _feeds(request)
    try:
        report = [step async for step in steps][-1]["report"]
    except Problem as problem:
        return await _page(request, caller, feeds, problem.status, mistake=refusal(problem), name=feed,
                           configuration=configuration)  # fmt: skip
    return await _page(request, caller, feeds, report=report, name=feed, configuration=report["configuration"])


async def _told(request: Request, steps: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    template = console_of(request).templates.get_template("trial.html")
    try:
        async for step in steps:
            report = step.get("report")
            said = {"html": template.render(report=report), **_configured(report)} if report else step
            yield orjson.dumps(said) + b"\n"
    except Problem as problem:
        yield orjson.dumps({"mistake": refusal(problem)}) + b"\n"


def _configured(report: Any) -> dict[str, str]:
    return {"configuration": report["configuration"]}


async def _feeds(request: Request) -> dict[str, Any]:
    """The feeds in force and what became of the file; what can't be told is left out."""
    try:
        said: dict[str, Any] = await console_of(request).peers.get("intake", "/feeds", token_of(request))
    except Problem as problem:
        return {"items": [], "file": None, "away": problem.title}
    return said | {"away": None}


async def _page(request: Request, caller: Caller, feeds: dict[str, Any], status: int = 200, **shown: Any) -> Response:
    defaults = {"report": None, "mistake": None, "name": "", "configuration": ""}
    return await render(request, "connect.html", caller, status, feeds=feeds, watch=[], **{**defaults, **shown})
