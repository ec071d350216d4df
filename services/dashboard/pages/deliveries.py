"""Who was told what: the deliveries, one delivery with its attempts, and the way back to the message behind it."""

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.dashboard.forms import own_form
from services.dashboard.keyset import read_place, written
from services.dashboard.lineage import chain
from services.dashboard.pages.acts import refusal
from services.dashboard.pages.page import OPS, back_to, console_of, render
from services.dashboard.store import Connection, board, history, operations
from shared.http import Caller, Problem, Role, allow, token_of

PER_PAGE = 100
router = APIRouter(include_in_schema=False)
Looker = Annotated[Caller, allow(*OPS)]
Operator = Annotated[Caller, allow(Role.OPS)]
Choice = Annotated[str | None, Query(max_length=100)]


@router.get("/deliveries")
async def deliveries_page(
    request: Request, caller: Looker, status: Choice = None, organisation: Choice = None, before: Choice = None
) -> Response:
    async with console_of(request).database.pool.acquire() as connection:
        now = await board.clock(connection)
        chosen = (status or None, caller.organisation or organisation or None)
        bound = sorted(caller.facilities) or None
        found = await operations.deliveries(connection, *chosen, read_place(before), PER_PAGE + 1, bound)
        counts = await operations.delivery_counts(connection)
        organisations = [caller.organisation] if caller.organisation else await operations.organisations(connection)
    rows = found[:PER_PAGE]
    more = None
    if len(found) > PER_PAGE:
        place = written((rows[-1]["at"], rows[-1]["id"]))
        kept = {"status": status or "", "organisation": organisation or "", "before": place}
        more = "/deliveries?" + urlencode(kept)
    return await render(
        request,
        "deliveries.html",
        caller,
        rows=rows,
        counts=counts,
        organisations=organisations,
        chosen={"status": status, "organisation": organisation},
        more=more,
        now=now,
        watch=["deliveries"],
    )


@router.get("/deliveries/{delivery_id}")
async def delivery_page(request: Request, caller: Looker, delivery_id: UUID) -> Response:
    """The delivery with its attempts as the notifications service tells them, and where it came from."""
    console = console_of(request)
    async with console.database.pool.acquire() as connection:
        now = await board.clock(connection)
        row = await operations.delivery(connection, delivery_id)
        if row is None or not await _is_of(connection, caller, row):
            raise Problem(404, "There is no such delivery", slug="unknown-delivery")
        causes = await history.causes(connection, row["event_id"])
        transition_id = None
        if row["encounter_id"] is not None:
            transition_id = await board.transition_of_encounter(connection, row["encounter_id"])
    attempts, away = await _attempts(request, delivery_id)
    entries, origin = chain(causes)
    return await render(
        request,
        "delivery.html",
        caller,
        row=row,
        attempts=attempts,
        away=away,
        entries=entries,
        origin=origin,
        transition_id=transition_id,
        now=now,
        watch=["deliveries"],
    )


async def _is_of(connection: Connection, caller: Caller, row: Any) -> bool:
    """Whether the notice went to the caller's organisation, about a stay at one of the caller's facilities."""
    if not caller.is_bound:
        return True
    stay = row["encounter_id"]
    place = await board.place_of(connection, stay) if stay else None
    return caller.sees(place["facility"] if place else "", row["organisation"])


async def _attempts(request: Request, delivery_id: UUID) -> tuple[list[dict[str, Any]], str | None]:
    """Every attempt; or none, and why they can't be told."""
    try:
        said = await console_of(request).peers.get("notifications", f"/deliveries/{delivery_id}", token_of(request))
    except Problem as problem:
        return [], problem.title
    return list(said["history"]), None


@router.post("/deliveries/{delivery_id}/redeliver", dependencies=[own_form])
async def redeliver(request: Request, _caller: Operator, delivery_id: UUID) -> Response:
    here = f"/deliveries/{delivery_id}"
    try:
        await console_of(request).peers.post("notifications", f"{here}/redeliver", token_of(request))
    except Problem as problem:
        return back_to(request, here, "bad", refusal(problem))
    return back_to(request, here, "good", "Queued again.")
