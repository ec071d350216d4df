"""What a provider's system was told: notices and deliveries of its own organisation, no others. All of it comes from
the notifications service, which binds the caller to the organisation that the token names.
"""

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.dashboard.forms import own_form
from services.dashboard.pages.acts import tell
from services.dashboard.pages.page import PROVIDER, console_of, render
from services.dashboard.projecting import ANY_NOTICE
from services.dashboard.store import board
from services.dashboard.worklines import instant
from shared.http import Caller, Problem, allow, token_of

PER_PAGE = 50
STATUSES = ("waiting", "queued", "delivering", "delivered", "acknowledged", "failed", "retracted")
SWITCHED = {
    "test": "A test notice was posted.",
    "enable": "Switched on: what waits goes out now.",
    "disable": "Switched off.",
}
router = APIRouter(include_in_schema=False)
Recipient = Annotated[Caller, allow(*PROVIDER)]
Choice = Annotated[str, Query(max_length=100)]
SERVICE = "notifications"


@router.get("/notices")
async def notices_page(request: Request, caller: Recipient, status: Choice = "", before: Choice = "") -> Response:
    """Newest first, without names: a notice is opened to read whom it is about."""
    asked = {"limit": str(PER_PAGE)} | {
        name: value for name, value in (("status", status), ("before", before)) if value
    }
    console, token = console_of(request), token_of(request)
    found: dict[str, Any] = await console.peers.get(SERVICE, "/deliveries", token, asked)
    endpoints = await console.peers.get(SERVICE, "/endpoints", token)
    async with console.database.pool.acquire() as connection:
        now = await board.clock(connection)
    following = found["next_before"]
    return await render(
        request,
        "notices.html",
        caller,
        rows=[item | {"queued_at": instant(item["queued_at"])} for item in found["items"]],
        endpoints=endpoints,
        statuses=STATUSES,
        chosen=status,
        more="/notices?" + urlencode({"status": status, "before": following}) if following else None,
        now=now,
        watch=[f"notices:{caller.organisation}", ANY_NOTICE],
    )


@router.get("/notices/{delivery_id}")
async def notice_page(request: Request, caller: Recipient, delivery_id: UUID) -> Response:
    """One notice as it was sent, with every attempt to deliver it. That it was read is written down."""
    console, token = console_of(request), token_of(request)
    found: dict[str, Any] = await console.peers.get(SERVICE, f"/deliveries/{delivery_id}", token)
    notice, away = await _notice(request, delivery_id)
    async with console.database.pool.acquire() as connection:
        now = await board.clock(connection)
    delivery = found["delivery"]
    times = ("queued_at", "closed_at", "acknowledged_at", "occurred_at", "due_at")
    return await render(
        request,
        "notice.html",
        caller,
        row=delivery | {name: instant(delivery[name]) for name in times},
        attempts=[attempt | {"at": instant(attempt["at"])} for attempt in found["history"]],
        parts_of_notice=told_parts(notice),
        patient=((notice.get("encounter") or {}).get("patient") or {}),
        away=away,
        now=now,
        watch=[],
    )


async def _notice(request: Request, delivery_id: UUID) -> tuple[dict[str, Any], str | None]:
    """What it says; or nothing, and why not (it may concern a facility that is not the caller's)."""
    try:
        told: dict[str, Any] = await console_of(request).peers.get(
            SERVICE, f"/notices/{delivery_id}", token_of(request)
        )
    except Problem as problem:
        return {}, problem.title
    return told, None


def told_parts(notice: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The parts of a notice with what each says, one line a fact, in the words of its fields. Pure."""
    parts = [(name, value) for name, value in notice.items() if isinstance(value, dict) and value]
    return [(_words(name), list(_lines(value))) for name, value in parts]


def _lines(value: Any, under: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict):
        inner = [_lines(one, f"{under} {_words(name)}".strip()) for name, one in value.items()]
        return [line for lines in inner for line in lines]
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        return [line for number, one in enumerate(value, 1) for line in _lines(one, f"{under} {number}")]
    shown = ", ".join(str(one) for one in value) if isinstance(value, list) else "yes" if value is True else value
    return [(under, str(shown))] if shown not in (None, "", False) else []


def _words(name: str) -> str:
    return name.replace("_", " ")


@router.post("/notices/{delivery_id}/acknowledge", dependencies=[own_form])
async def acknowledge(request: Request, _caller: Recipient, delivery_id: UUID) -> Response:
    here = f"/notices/{delivery_id}"
    done = "Acknowledged: whoever sent it sees that you have taken it on."
    return await tell(request, SERVICE, f"/deliveries/{delivery_id}/acknowledge", {}, here=here, done=done)


@router.post("/notices/{delivery_id}/redeliver", dependencies=[own_form])
async def redeliver(request: Request, _caller: Recipient, delivery_id: UUID) -> Response:
    here = f"/notices/{delivery_id}"
    return await tell(request, SERVICE, f"/deliveries/{delivery_id}/redeliver", {}, here=here, done="Queued again.")


@router.post("/notices/endpoints/{endpoint_id}/{action}", dependencies=[own_form])
async def act_on_endpoint(request: Request, _caller: Recipient, endpoint_id: UUID, action: str) -> Response:
    """Tries an endpoint, or switches it on or off."""
    done = {
        "test": "A test notice was posted.",
        "enable": "Switched on: what waits goes out now.",
        "disable": "Switched off.",
    }
    if action not in done:
        raise Problem(404, "There is no such act", slug="unknown-act")
    path = f"/endpoints/{endpoint_id}/{action}"
    return await tell(request, SERVICE, path, {}, here="/notices", done=done[action])
