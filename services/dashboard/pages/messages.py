"""Messages as intake keeps them, and events as they were told: where a cause ends and what came of it."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response

from services.dashboard.forms import own_form
from services.dashboard.lineage import chain, tree
from services.dashboard.pages.acts import refusal
from services.dashboard.pages.page import CARE, OPS, PIPELINE, back_to, console_of, render
from services.dashboard.sight import check_reach
from services.dashboard.store import board, history
from shared.http import Caller, Problem, Role, allow, token_of

router = APIRouter(include_in_schema=False)
Looker = Annotated[Caller, allow(*OPS)]
Anyone = Annotated[Caller, allow(*CARE, *PIPELINE)]
Revealer = Annotated[Caller, allow(*OPS)]
Operator = Annotated[Caller, allow(Role.OPS)]
Number = Annotated[str, Form(max_length=200)]
LONGEST_ID = 64
LONGEST_FILTER = 200
FILTERS = ("feed", "outcome", "reason", "trigger", "control_id", "patient", "visit", "since", "until", "before")


@router.get("/messages")
async def messages_page(request: Request, caller: Looker) -> Response:
    """What arrived, the latest first, as intake tells it."""
    console = console_of(request)
    params = {
        name: value
        for name, value in request.query_params.items()
        if name in FILTERS and value and len(value) <= LONGEST_FILTER
    }
    said: dict[str, Any] = {}
    away = None
    try:
        said = await console.peers.get("intake", "/messages", token_of(request), params)
    except Problem as problem:
        away = problem.title
    async with console.database.pool.acquire() as connection:
        now = await board.clock(connection)
    chosen = {name: params.get(name) for name in FILTERS}
    return await render(
        request, "messages.html", caller, said=said, away=away, chosen=chosen, params=params, now=now, watch=["feeds"]
    )


@router.post("/messages/find", dependencies=[own_form])
async def find(
    request: Request, caller: Looker, patient_identifier: Number = "", visit_number: Number = ""
) -> Response:
    """By a person's or a visit's number: in a form and not in the address, and intake writes down who looked."""
    console = console_of(request)
    asked = {"patient_identifier": patient_identifier.strip(), "visit_number": visit_number.strip()}
    told = {name: value for name, value in asked.items() if value}
    if not told:
        return back_to(request, "/messages", "warn", "Give a patient identifier or a visit number.")
    said: dict[str, Any] = {}
    away = None
    try:
        said = await console.peers.post("intake", "/messages/search", token_of(request), told)
    except Problem as problem:
        away = problem.title
    async with console.database.pool.acquire() as connection:
        now = await board.clock(connection)
    chosen = dict.fromkeys(FILTERS)
    # Its further pages would need the number again, which stands in no address.
    shown = {"items": said.get("items", [])}
    return await render(
        request, "messages.html", caller, said=shown, away=away, chosen=chosen, params={}, now=now, watch=[]
    )


@router.get("/messages/{message_id}")
async def message_page(request: Request, caller: Anyone, message_id: str) -> Response:
    """What is known of a message, and every effect it had. Its raw text stays hidden until someone asks for it."""
    return await _message(request, caller, message_id, None)


@router.post("/messages/{message_id}/reveal", dependencies=[own_form])
async def reveal(request: Request, caller: Revealer, message_id: str) -> Response:
    """Shows the raw message. Intake writes down who looked, before it answers."""
    peers, path = console_of(request).peers, f"/messages/{_plain(message_id)}"
    try:
        raw = await peers.get_text("intake", f"{path}/raw", token_of(request))
        sides = await peers.get("intake", f"{path}/sides", token_of(request), {"revealed": "true"})
    except Problem as problem:
        return back_to(request, f"/messages/{_plain(message_id)}", "bad", refusal(problem))
    return await _message(request, caller, message_id, raw, sides)


@router.post("/messages/{message_id}/replay", dependencies=[own_form])
async def replay(request: Request, _caller: Operator, message_id: str) -> Response:
    here = f"/messages/{_plain(message_id)}"
    try:
        await console_of(request).peers.post("intake", f"{here}/replay", token_of(request))
    except Problem as problem:
        return back_to(request, here, "bad", refusal(problem))
    return back_to(request, here, "good", "Read again. What it came to stands below in a moment.")


async def _message(request: Request, caller: Caller, message_id: str, raw: str | None, sides: Any = None) -> Response:
    console = console_of(request)
    said: dict[str, Any] = {}
    away = None
    try:
        said = await console.peers.get("intake", f"/messages/{_plain(message_id)}", token_of(request))
        if sides is None:
            sides = await console.peers.get("intake", f"/messages/{_plain(message_id)}/sides", token_of(request))
    except Problem as problem:
        if problem.status == HTTPStatus.NOT_FOUND:
            raise Problem(404, "There is no such message", slug="unknown-message") from None
        away = None if problem.status == HTTPStatus.FORBIDDEN else problem.title
    async with console.database.pool.acquire() as connection:
        now = await board.clock(connection)
        effects = await history.effects(connection, message_id)
        await check_reach(connection, caller, effects)
    return await render(
        request,
        "message.html",
        caller,
        message_id=message_id,
        said=said,
        raw=raw,
        sides=sides or {},
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
        await check_reach(connection, caller, causes)
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


def _plain(message_id: str) -> str:
    """The id as part of a path. Raises Problem 404 for what can be no id."""
    if not message_id.replace("-", "").isalnum() or len(message_id) > LONGEST_ID:
        raise Problem(404, "There is no such message", slug="unknown-message")
    return message_id
