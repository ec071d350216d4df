"""Files of messages: one is handed in, and its page says how far it is and what had no effect."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from services.dashboard.forms import own_form
from services.dashboard.pages.acts import refusal
from services.dashboard.pages.page import PIPELINE, back_to, console_of, render
from services.dashboard.store import board
from shared.http import Caller, Problem, Role, allow, token_of

router = APIRouter(include_in_schema=False)
Looker = Annotated[Caller, allow(*PIPELINE)]
Sender = Annotated[Caller, allow(Role.INTEGRATION)]
FeedName = Annotated[str, Form(max_length=60, pattern=r"^([a-z0-9][a-z0-9-]*)?$")]
UPLOAD_BYTES = 257 * 1024 * 1024
PIECE_BYTES = 256 * 1024
READING_EVERY_S = 2


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


@router.post("/files", dependencies=[own_form])
async def hand_in(
    request: Request, _caller: Sender, file: Annotated[UploadFile, File()], feed: FeedName = ""
) -> Response:
    """Passed on to intake piece by piece: it lies on the disk meanwhile."""
    peers = console_of(request).peers
    try:
        kept = await peers.send_file(
            "intake",
            "/files",
            token_of(request),
            _content_of(file),
            file.filename or "",
            {"feed": feed} if feed else {},
        )
    except Problem as problem:
        return back_to(request, "/files", "bad", refusal(problem))
    return back_to(request, f"/files/{kept['id']}", "good", "The file is kept. It is read now, message by message.")


@router.get("/files/{file_id}")
async def file_page(request: Request, caller: Looker, file_id: UUID) -> Response:
    """How far a file is; once it is done, its report."""
    said = await _get(request, f"/files/{file_id}")
    every = None if said["state"] == "done" else READING_EVERY_S
    return await render(request, "file.html", caller, said=said, every=every, now=await _now(request), watch=[])


async def _content_of(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(PIECE_BYTES):
        yield piece


async def _get(request: Request, path: str) -> Any:
    return await console_of(request).peers.get("intake", path, token_of(request))


async def _now(request: Request) -> Any:
    async with console_of(request).database.pool.acquire() as connection:
        return await board.clock(connection)
