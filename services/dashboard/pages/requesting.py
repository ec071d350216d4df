"""Asking for a referral out of a transition: the form, beside what was asked of others for the patient already."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.dashboard.forms import own_form
from services.dashboard.loops import asked_body, loop_of
from services.dashboard.pages.acts import Word, Words, ask, refused
from services.dashboard.pages.page import CARE, back_to, console_of, render, seen_transition, shown_to
from services.dashboard.store import board
from shared.http import Caller, Problem, allow, token_of

EARLIER = 50
router = APIRouter(include_in_schema=False)
Requester = Annotated[Caller, allow(*CARE)]
SERVICE = "transitions"


@router.get("/transitions/{transition_id}/referrals")
async def request_page(request: Request, caller: Requester, transition_id: UUID) -> Response:
    """Who asks for the same a second time sees it here, before it is asked."""
    async with console_of(request).database.pool.acquire() as connection:
        row = await seen_transition(connection, caller, transition_id)
        now = await board.clock(connection)
        who = await shown_to(connection, request, caller, "referrals", [row["patient_id"]])
        organisations = await board.organisations(connection)
    asked = {"patient": row["patient_id"], "limit": str(EARLIER)}
    earlier: dict[str, Any] = await console_of(request).peers.get(SERVICE, "/referrals", token_of(request), asked)
    return await render(
        request,
        "requesting.html",
        caller,
        row=row,
        who=who[row["patient_id"]],
        organisations=organisations,
        own=caller.organisation,
        loops=[loop_of(item, now) for item in earlier["items"]],
        now=now,
        watch=["referrals"],
        pace=10,
    )


@router.post("/transitions/{transition_id}/referrals", dependencies=[own_form])
async def request_referral(  # noqa: PLR0917  (a field of the form each)
    request: Request,
    _caller: Requester,
    transition_id: UUID,
    service: Word = "",
    performer: Word = "",
    priority: Word = "routine",
    service_code: Word = "",
    requester: Word = "",
    reason: Words = "",
    repeat_reason: Words = "",
    once: Word = "",
) -> Response:
    """To the new referral; one that looks like a duplicate is held there for a person's decision."""
    here = f"/transitions/{transition_id}/referrals"
    said = {"service": service, "performer": performer, "priority": priority, "service_code": service_code,
            "requester": requester, "reason": reason, "repeat_reason": repeat_reason}  # fmt: skip
    try:
        made = await ask(request, SERVICE, here, asked_body(said), once=once)
    except Problem as problem:
        return await refused(request, problem, here)
    page = f"/referrals/{made['id']}"
    if made["held"]:
        held = "It looks like one that was asked for already, and nobody is asked yet: decide which of the two serves."
        return back_to(request, page, "warn", held)
    return back_to(request, page, "good", "Asked. Its clock runs.")
