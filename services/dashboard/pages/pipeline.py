"""Where events wait: the pipeline hop by hop, and the patients whose events are parked, with a way forward."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Form, Request, Response

from services.dashboard.forms import own_form
from services.dashboard.hops import service_line
from services.dashboard.pages.acts import refusal
from services.dashboard.pages.page import OPS, back_to, console_of, render
from services.dashboard.store import board
from shared.http import Caller, Problem, Role, allow, token_of
from shared.telemetry import log

router = APIRouter(include_in_schema=False)
Looker = Annotated[Caller, allow(*OPS)]
Operator = Annotated[Caller, allow(Role.OPS)]
Word = Annotated[str, Form(max_length=200)]
ACTIONS = {"release": "Released: its events are tried again, in order.", "skip": "Skipped, and the rest released.",
           "accept-gap": "Gap accepted: what follows it is applied."}  # fmt: skip
WHY_SKIP = (
    "wrong in the source, corrected there",
    "applied by hand",
    "test data",
    "no longer of use",
)


@router.get("/pipeline")
async def pipeline_page(request: Request, caller: Looker) -> Response:
    console = console_of(request)
    answers = await console.peers.from_all("/operations/hops", token_of(request))
    services = [service_line(name, answer) for name, answer in answers.items()]
    async with console.database.pool.acquire() as connection:
        now = await board.clock(connection)
    return await render(request, "pipeline.html", caller, services=services, now=now, every=3, watch=[])


@router.get("/parked")
async def parked_page(request: Request, caller: Looker) -> Response:
    console = console_of(request)
    answers = await console.peers.from_all("/operations/parked", token_of(request))
    async with console.database.pool.acquire() as connection:
        now = await board.clock(connection)
    away = {name: answer for name, answer in answers.items() if isinstance(answer, Problem)}
    items: list[dict[str, Any]] = [
        {"service": name, **item}
        for name, answer in answers.items()
        if name not in away
        for item in answer.get("items", ())
    ]
    items.sort(key=lambda item: str(item["since"]))
    return await render(
        request, "parked.html", caller, items=items, away=away, reasons=WHY_SKIP, now=now, every=3, watch=[]
    )


@router.post("/parked/{service}/{consumer}/{subject}/{action}", dependencies=[own_form])
async def act_on_parked(
    request: Request,
    _caller: Operator,
    service: str,
    consumer: str,
    subject: str,
    action: str,
    version: Annotated[int, Form()],
    reason: Word = "",
) -> Response:
    """Release, skip with a reason, or accept a gap with a reason; the service that parked it decides."""
    peers = console_of(request).peers
    if action not in ACTIONS or service not in peers.addresses:
        raise Problem(404)
    if action != "release" and not reason.strip():
        return back_to(request, "/parked", "warn", "Not done: a reason is needed.")
    body: dict[str, Any] = {"version": version} | ({"reason": reason.strip()} if action != "release" else {})
    path = f"/operations/parked/{quote(consumer, safe='')}/{quote(subject, safe='')}/{action}"
    try:
        await peers.post(service, path, token_of(request), body)
    except Problem as problem:
        return back_to(request, "/parked", "bad", refusal(problem))
    log.info("parked key acted on", source=service, consumer=consumer, subject=subject, outcome=action)
    return back_to(request, "/parked", "good", ACTIONS[action])
