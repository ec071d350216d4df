"""Messages that wait for a decision, and replays: first what would differ, then for good."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response

from services.dashboard.forms import own_form
from services.dashboard.pages.acts import refusal
from services.dashboard.pages.page import OPS, back_to, console_of, render
from services.dashboard.store import board
from shared.http import Caller, Problem, Role, allow, token_of

router = APIRouter(include_in_schema=False)
Looker = Annotated[Caller, allow(*OPS)]
Operator = Annotated[Caller, allow(Role.OPS)]
Word = Annotated[str, Form(max_length=100)]
RUNNING_EVERY_S = 2
CHOSEN = ("feed", "reason", "outcome", "trigger", "control_id", "since", "until")
WHY_SKIP = ("sent by mistake", "test message", "corrected by a later message", "not for us")


@router.get("/held")
async def held_page(request: Request, caller: Looker) -> Response:
    """How many are held, by reason and feed; and those of the chosen kind, the latest first."""
    params = {name: value for name in ("feed", "reason", "before") if (value := request.query_params.get(name))}
    counts, said, away = [], {}, None
    try:
        counts = (await _get(request, "/held/counts"))["items"]
        said = await _get(request, "/held", params)
    except Problem as problem:
        away = problem.title
    return await render(
        request,
        "held.html",
        caller,
        counts=counts,
        said=said,
        params=params,
        reasons=WHY_SKIP,
        away=away,
        now=await _now(request),
        watch=["feeds"],
    )


@router.post("/held/{message_id}/skip", dependencies=[own_form])
async def skip(
    request: Request,
    _caller: Operator,
    message_id: UUID,
    reason: Annotated[str, Form(max_length=300)] = "",
    version: Annotated[int | None, Form()] = None,
) -> Response:
    if not reason.strip():
        return back_to(request, "/held", "warn", "Not done: a reason is needed.")
    try:
        await _post(request, f"/messages/{message_id}/skip", {"reason": reason.strip(), "version": version})
    except Problem as problem:
        return back_to(request, "/held", "bad", refusal(problem))
    return back_to(request, "/held", "good", "Skipped. The reason is kept on record.")


@router.post("/replays", dependencies=[own_form])
async def look(
    request: Request,
    _caller: Operator,
    feed: Word = "",
    reason: Word = "",
    outcome: Word = "",
    trigger: Word = "",
    control_id: Word = "",
    since: Word = "",
    until: Word = "",
) -> Response:
    """Begins a dry run: nothing changes before somebody has seen what would."""
    told = dict(zip(CHOSEN, (feed, reason, outcome, trigger, control_id, since, until), strict=True))
    try:
        asked = await _post(request, "/replays", {name: value for name, value in told.items() if value})
    except Problem as problem:
        return back_to(request, "/messages", "bad", refusal(problem))
    return back_to(
        request, f"/replays/{asked['id']}", "good", f"Looking at {asked['total']} message{'s' * (asked['total'] != 1)}."
    )


@router.get("/replays")
async def replays_page(request: Request, caller: Looker) -> Response:
    items, away = [], None
    try:
        items = (await _get(request, "/replays"))["items"]
    except Problem as problem:
        away = problem.title
    return await render(request, "replays.html", caller, items=items, away=away, now=await _now(request), watch=[])


@router.get("/replays/{replay_id}")
async def replay_page(request: Request, caller: Looker, replay_id: UUID, after: int = 0) -> Response:
    """How far it is, what it found, message by message."""
    said = await _get(request, f"/replays/{replay_id}")
    listed = await _get(request, f"/replays/{replay_id}/differences", {"after": str(after)})
    every = RUNNING_EVERY_S if said["state"] == "running" else None
    now = await _now(request)
    return await render(request, "replay.html", caller, said=said, listed=listed, now=now, every=every, watch=[])


@router.post("/replays/{replay_id}/carry-out", dependencies=[own_form])
async def carry_out(request: Request, _caller: Operator, replay_id: UUID) -> Response:
    try:
        made = await _post(request, f"/replays/{replay_id}/carry-out", {})
    except Problem as problem:
        return back_to(request, f"/replays/{replay_id}", "bad", refusal(problem))
    return back_to(request, f"/replays/{made['id']}", "good", "Begun. Only what differs is said to anybody.")


@router.post("/replays/{replay_id}/cancel", dependencies=[own_form])
async def cancel(request: Request, _caller: Operator, replay_id: UUID) -> Response:
    try:
        await _post(request, f"/replays/{replay_id}/cancel", {})
    except Problem as problem:
        return back_to(request, f"/replays/{replay_id}", "bad", refusal(problem))
    return back_to(request, f"/replays/{replay_id}", "good", "Stopped. What it had applied stays applied.")


async def _now(request: Request) -> Any:
    async with console_of(request).database.pool.acquire() as connection:
        return await board.clock(connection)


async def _get(request: Request, path: str, params: dict[str, str] | None = None) -> Any:
    return await console_of(request).peers.get("intake", path, token_of(request), params)


async def _post(request: Request, path: str, body: dict[str, Any]) -> Any:
    return await console_of(request).peers.post("intake", path, token_of(request), body)
