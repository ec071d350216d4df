"""A stay's risk scores, from the transitions service: as they are now, what they were computed from, and as they were
told before; and what people add to them.
"""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.dashboard.forms import own_form
from services.dashboard.pages.acts import refused, tell
from services.dashboard.pages.page import CARE, console_of, render, seen_transition, shown_to
from services.dashboard.risk import chip_of, input_lines, known_body, score_line, told_together
from services.dashboard.store import board
from services.dashboard.worklines import instant
from shared.http import Caller, Problem, Role, allow, token_of

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, allow(*CARE, Role.AUDITOR)]
Carer = Annotated[Caller, allow(*CARE)]
SERVICE = "transitions"


@router.get("/transitions/{transition_id}/risk")
async def risk_page(request: Request, caller: Reader, transition_id: UUID) -> Response:
    """Every score with its points and inputs, and the ones told before."""
    path = f"/transitions/{transition_id}/risk"
    found: dict[str, Any] = await console_of(request).peers.get(SERVICE, path, token_of(request))
    async with console_of(request).database.pool.acquire() as connection:
        row = await seen_transition(connection, caller, transition_id)
        now = await board.clock(connection)
        who = await shown_to(connection, request, caller, "risk", [row["patient_id"]])
    scores = list(found["scores"].values())
    return await render(
        request,
        "risk.html",
        caller,
        row=row,
        who=who[row["patient_id"]],
        chip=chip_of(found["steers"], scores),
        scores=[score_line(score) for score in scores],
        inputs=input_lines(found["inputs"]),
        known=found["inputs"],
        kept=[_told(group) for group in told_together(found["kept"])],
        now=now,
        watch=[f"stay:{row['encounter_id']}"],
        pace=10,
    )


def _told(group: list[Any]) -> dict[str, Any]:
    """The scores that were told together, when, and what they were computed from."""
    lines = [score_line(row | {"name": row["score"]}) for row in group]
    return {
        "key": group[0]["number"],
        "at": instant(group[0]["at"]),
        "scores": lines,
        "inputs": input_lines(group[0]["inputs"]),
    }


@router.post("/transitions/{transition_id}/risk", dependencies=[own_form])
async def say(request: Request, _caller: Carer, transition_id: UUID) -> Response:
    """Adds what no message said: the scores are computed anew."""
    here = f"/transitions/{transition_id}/risk"
    form = await request.form()
    given = {name: value for name, value in form.items() if isinstance(value, str)}
    try:
        body = known_body(given)
    except Problem as problem:
        return await refused(request, problem, here)
    return await tell(request, SERVICE, here, body, here=here, done="Added, and computed anew.", method="PUT")
