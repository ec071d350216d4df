"""Two records that may be one person: what intake found, side by side, and what a person decides about it."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response

from services.dashboard.forms import own_form
from services.dashboard.pages.acts import refusal
from services.dashboard.pages.page import OPS, back_to, console_of, render
from services.dashboard.store import board
from shared.http import Caller, Problem, Role, allow, token_of

router = APIRouter(include_in_schema=False)
Looker = Annotated[Caller, allow(*OPS)]
Operator = Annotated[Caller, allow(Role.OPS)]
Word = Annotated[str, Form(max_length=300)]
State = Annotated[str, Query(pattern="^(review|later|linked|distinct)$")]
Version = Annotated[int, Form()]
OVERLAY = "overlay-suspected"
HERE = "/identity"
DECIDED = {
    "link": "Linked: they are one patient from now on, in every service. It can be undone below.",
    "distinct": "Kept apart: this pair is not asked about again.",
    "later": "Left for later.",
    "same-person": "Applied: the record now says what the message says.",
    "another-person": "Skipped: the record stays as it was.",
}


@router.get(HERE)
async def identity_page(request: Request, caller: Looker, state: State = "review") -> Response:
    """Pairs by score, joins that can be undone, and messages that seem to name somebody else. No names."""
    console, token = console_of(request), token_of(request)
    said: dict[str, Any] = {"pairs": {"items": []}, "joins": {"items": []}, "held": {"items": []}, "figures": {}}
    away = None
    try:
        said["pairs"] = await console.peers.get("intake", "/identity/pairs", token, {"state": state})
        said["joins"] = await console.peers.get("intake", "/identity/joins", token)
        said["held"] = await console.peers.get("intake", "/held", token, {"limit": "200"})
        said["figures"] = await console.peers.get("intake", "/identity/figures", token)
    except Problem as problem:
        away = problem.title
    overlays = [one for one in said["held"]["items"] if one["reason"] == OVERLAY]
    async with console.database.pool.acquire() as connection:
        now = await board.clock(connection)
    return await render(
        request, "identity.html", caller, **said, overlays=overlays, state=state, away=away, now=now, watch=[]
    )


@router.get(f"{HERE}/pairs/{{pair_id}}")
async def pair_page(request: Request, caller: Looker, pair_id: UUID) -> Response:
    """The score, field by field. Who they are stays hidden until someone asks for it."""
    return await _pair(request, caller, pair_id, [])


@router.post(f"{HERE}/pairs/{{pair_id}}/reveal", dependencies=[own_form])
async def reveal(request: Request, caller: Operator, pair_id: UUID) -> Response:
    """Shows both people. Intake writes down who looked, before it answers."""
    peers = console_of(request).peers
    try:
        shown = await peers.get("intake", f"/identity/pairs/{pair_id}/people", token_of(request))
    except Problem as problem:
        return back_to(request, f"{HERE}/pairs/{pair_id}", "bad", refusal(problem))
    return await _pair(request, caller, pair_id, shown["people"])


@router.post(f"{HERE}/pairs/{{pair_id}}/{{decision}}", dependencies=[own_form])
async def decide(
    request: Request, _caller: Operator, pair_id: UUID, decision: str, version: Version, note: Word = ""
) -> Response:
    """Link, keep apart, or leave for later."""
    if decision not in {"link", "distinct", "later"}:
        raise Problem(404)
    body = {"decision": decision, "version": version, "note": note.strip() or None}
    return await _act(request, f"/identity/pairs/{pair_id}/decide", body, DECIDED[decision])


@router.post(f"{HERE}/joins/{{join_id}}/undo", dependencies=[own_form])
async def undo(request: Request, _caller: Operator, join_id: UUID, version: Version, reason: Word = "") -> Response:
    """Un-merges; a reason is needed."""
    done = "Undone: each has their own stays again, and whoever was told of them under the other is told so."
    return await _act(request, f"/identity/joins/{join_id}/undo", {"version": version, "reason": reason.strip()}, done)


@router.post(f"{HERE}/overlays/{{message_id}}/{{decision}}", dependencies=[own_form])
async def decide_overlay(
    request: Request, _caller: Operator, message_id: UUID, decision: str, version: Version, note: Word = ""
) -> Response:
    """Says whether the message corrects the person or names another one; a note is needed."""
    if decision not in {"same-person", "another-person"}:
        raise Problem(404)
    body = {"decision": decision, "version": version, "note": note.strip()}
    return await _act(request, f"/identity/overlays/{message_id}/decide", body, DECIDED[decision])


async def _act(request: Request, path: str, body: dict[str, Any], done: str) -> Response:
    try:
        await console_of(request).peers.post("intake", path, token_of(request), body)
    except Problem as problem:
        return back_to(request, HERE, "bad", refusal(problem))
    return back_to(request, HERE, "good", done)


async def _pair(request: Request, caller: Caller, pair_id: UUID, people: list[dict[str, Any]]) -> Response:
    console = console_of(request)
    pair = await console.peers.get("intake", f"/identity/pairs/{pair_id}", token_of(request))
    async with console.database.pool.acquire() as connection:
        now = await board.clock(connection)
    return await render(request, "pair.html", caller, pair=pair, people=people, now=now, watch=[])
