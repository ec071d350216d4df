"""Messages as intake keeps them, and events as they were told: where a cause ends and what came of it."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.dashboard.forms import own_form
from services.dashboard.lineage import chain, tree
from services.dashboard.pages.page import CARE, OPS, PIPELINE, back_to, console_of, render
from services.dashboard.pages.transition import refusal
from services.dashboard.sight import sight_of, uuid_or_none
from services.dashboard.store import Connection, board, history
from shared.http import Caller, Problem, Role, allow, token_of

router = APIRouter(include_in_schema=False)
Looker = Annotated[Caller, allow(*OPS)]
Anyone = Annotated[Caller, allow(*CARE, *PIPELINE)]
Revealer = Annotated[Caller, allow(*OPS)]
Operator = Annotated[Caller, allow(Role.OPS)]
Choice = Annotated[str | None, Query(max_length=100)]
LONGEST_ID = 64
FILTERS = ("feed", "outcome", "trigger", "control_id", "before")


@router.get("/messages")
async def messages_page(
    request: Request,
    caller: Looker,
    feed: Choice = None,
    outcome: Choice = None,
    trigger: Choice = None,
    control_id: Choice = None,
) -> Response:
    """What arrived, the latest first, as intake tells it."""
    console = console_of(request)
    params = {name: value for name, value in request.query_params.items() if name in FILTERS and value}
    said: dict[str, Any] = {}
    away = None
    try:
        said = await console.peers.get("intake", "/messages", token_of(request), params)
    except Problem as problem:
        away = problem.title
    async with console.database.pool.acquire() as connection:
        now = await board.clock(connection)
    chosen = {"feed": feed, "outcome": outcome, "trigger": trigger, "control_id": control_id}
    return await render(
        request, "messages.html", caller, said=said, away=away, chosen=chosen, params=params, now=now, watch=["feeds"]
    )


@router.get("/messages/{message_id}")
async def message_page(request: Request, caller: Anyone, message_id: str) -> Response:
    """What is known of a message, and every effect it had. Its raw text stays hidden until someone asks for it."""
    return await _message(request, caller, message_id, None)


@router.post("/messages/{message_id}/reveal", dependencies=[own_form])
async def reveal(request: Request, caller: Revealer, message_id: str) -> Response:
    """Shows the raw message. Intake writes down who looked, before it answers."""
    peers = console_of(request).peers
    try:
        raw = await peers.get_text("intake", f"/messages/{_plain(message_id)}/raw", token_of(request))
    except Problem as problem:
        return back_to(request, f"/messages/{_plain(message_id)}", "bad", refusal(problem))
    return await _message(request, caller, message_id, raw)


@router.post("/messages/{message_id}/replay", dependencies=[own_form])
async def replay(request: Request, _caller: Operator, message_id: str) -> Response:
    here = f"/messages/{_plain(message_id)}"
    try:
        await console_of(request).peers.post("intake", f"{here}/replay", token_of(request))
    except Problem as problem:
        return back_to(request, here, "bad", refusal(problem))
    return back_to(request, here, "good", "Read again. What it came to stands below in a moment.")


async def _message(request: Request, caller: Caller, message_id: str, raw: str | None) -> Response:
    console = console_of(request)
    said: dict[str, Any] = {}
    away = None
    try:
        said = await console.peers.get("intake", f"/messages/{_plain(message_id)}", token_of(request))
    except Problem as problem:
        if problem.status == HTTPStatus.NOT_FOUND:
            raise Problem(404, "There is no such message", slug="unknown-message") from None
        away = problem.title
    async with console.database.pool.acquire() as connection:
        now = await board.clock(connection)
        effects = await history.effects(connection, message_id)
        await _check_reach(connection, caller, effects)
    return await render(
        request,
        "message.html",
        caller,
        message_id=message_id,
        said=said,
        raw=raw,
        away=away,
        nodes=tree(effects, message_id),
        may_reveal=bool(caller.roles & {*OPS, Role.ADMIN}),
        now=now,
        watch=[f"stay:{row['correlation']}" for row in effects[:1]],
    )


@router.get("/events/{event_id}")
async def event_page(request: Request, caller: Anyone, event_id: UUID) -> Response:
    """One event: what it says, the way back to its cause, and what it caused."""
    async with console_of(request).database.pool.acquire() as connection:
        now = await board.clock(connection)
        causes = await history.causes(connection, event_id)
        if not causes:
            raise Problem(404, "There is no such event here", slug="unknown-event")
        effects = await history.effects(connection, str(event_id))
        await _check_reach(connection, caller, causes)
    entries, origin = chain(causes)
    return await render(
        request,
        "event.html",
        caller,
        row=causes[0],
        entries=entries,
        origin=origin,
        nodes=tree(effects, str(event_id)),
        now=now,
        watch=[f"stay:{causes[0]['correlation']}"],
    )


async def _check_reach(connection: Connection, caller: Caller, rows: list[Any]) -> None:
    """Callers who are bound to facilities see the history of these facilities' stays alone: anything else is a 404."""
    sight = sight_of(caller)
    if sight.facilities is None:
        return
    for correlation in {row["correlation"] for row in rows}:
        encounter_id = uuid_or_none(correlation)
        facility = await board.facility_of(connection, encounter_id) if encounter_id else None
        if facility is None or not sight.covers(facility):
            raise Problem(404, "There is no such event here", slug="unknown-event")


def _plain(message_id: str) -> str:
    """The id as part of a path. Raises Problem 404 for what can be no id."""
    if not message_id.replace("-", "").isalnum() or len(message_id) > LONGEST_ID:
        raise Problem(404, "There is no such message", slug="unknown-message")
    return message_id
