"""Files of messages: one is handed in, and its page says how far it is and what had no effect."""

import re
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.dashboard.forms import check_own
from services.dashboard.pages.acts import refusal
from services.dashboard.pages.page import PIPELINE, back_to, console_of, render
from services.dashboard.store import board
from shared.http import Caller, Problem, Role, allow, token_of, upload_of

router = APIRouter(include_in_schema=False)
Looker = Annotated[Caller, allow(*PIPELINE)]
Sender = Annotated[Caller, allow(Role.INTEGRATION)]
UPLOAD_BYTES = 257 * 1024 * 1024
READING_EVERY_S = 2
_FEED_NAME = re.compile(r"([a-z0-9][a-z0-9-]{0,59})?")


@router.get("/files")
async def files_page(request: Request, caller: Looker) -> Response:
    """The latest files, and the way to hand one in."""
    items, feeds, away = [], [], None
    try:
        items = (await _get(request, "/files"))["items"]
        feeds = [feed["feed"] for feed in (await _get(request, "/feeds"))["items"] if feed["is_configured"]]
    except Problem as problem:
        away = problem.title
    every = READING_EVERY_S if any(each["state"] != "done" for each in items) else None
    may_send = bool(caller.roles & {Role.INTEGRATION, Role.ADMIN})
    return await render(
        request, "files.html", caller, items=items, feeds=feeds, may_send=may_send, away=away, every=every,
        now=await _now(request), watch=[],
    )  # fmt: skip


@router.post("/files")
async def hand_in(request: Request, _caller: Sender) -> Response:
    """Passed on to intake piece by piece: nothing of it is kept here. What the form says stands before its file."""
    peers = console_of(request).peers
    try:
        async with upload_of(request) as sent:
            check_own(request, sent.fields.get("csrf", ""))
            of_feed = _of_feed(sent.fields.get("feed", "").strip())
            kept = await peers.send_file("intake", "/files", token_of(request), sent.content, sent.name, of_feed)
    except Problem as problem:
        if problem.slug == "foreign-form":
            raise
        return back_to(request, "/files", "bad", refusal(problem))
    return back_to(request, f"/files/{kept['id']}", "good", "The file is kept. It is read now, message by message.")


@router.get("/files/{file_id}")
async def file_page(request: Request, caller: Looker, file_id: UUID) -> Response:
    """How far a file is; once it is done, its report."""
    said = await _get(request, f"/files/{file_id}")
    every = None if said["state"] == "done" else READING_EVERY_S
    return await render(request, "file.html", caller, said=said, every=every, now=await _now(request), watch=[])


def _of_feed(name: str) -> dict[str, str]:
    if not _FEED_NAME.fullmatch(name):
        raise Problem(422, "That is no feed's name", slug="invalid-request")
    return {"feed": name} if name else {}


async def _get(request: Request, path: str) -> Any:
    return await console_of(request).peers.get("intake", path, token_of(request))


async def _now(request: Request) -> Any:
    async with console_of(request).database.pool.acquire() as connection:
        return await board.clock(connection)
