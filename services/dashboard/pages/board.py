"""The board of transitions: who is where, what is due next, for whom."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from services.dashboard.cards import STAGE, STAGES, Stage, card_of, place_of
from services.dashboard.keyset import read_place
from services.dashboard.pages.page import CARE, OPS, console_of, render, shown_to
from services.dashboard.sight import sight_of
from services.dashboard.store import Connection, board
from services.dashboard.store.board import Filter, Record
from shared.http import Caller, Problem, allow

PER_COLUMN = 25
PER_PAGE = 100
router = APIRouter(include_in_schema=False)
Looker = Annotated[Caller, allow(*CARE, *OPS)]
Choice = Annotated[str | None, Query(max_length=100)]


@router.get("/")
async def board_page(
    request: Request,
    caller: Looker,
    facility: Choice = None,
    role: Choice = None,
    overdue: bool = False,  # noqa: FBT001, FBT002
    historical: bool = False,  # noqa: FBT001, FBT002
    stage: Choice = None,
    after: Choice = None,
) -> Response:
    """Four columns, or one stage alone from a place on."""
    if stage is not None and stage not in STAGE:
        raise Problem(404, "There is no such stage", slug="unknown-stage")
    sight = sight_of(caller)
    wanted = Filter(
        facilities=sight.facilities,
        organisation=sight.organisation,
        facility=facility or None,
        role=role or None,
        overdue=overdue,
        historical=historical,
    )
    chosen = [STAGE[stage]] if stage else list(STAGES)
    limit = PER_PAGE if stage else PER_COLUMN
    async with console_of(request).database.pool.acquire() as connection:
        now = await board.clock(connection)
        counts = await board.counts(connection, wanted)
        rows = {each.key: await _column(connection, wanted, each, after, limit + 1) for each in chosen}
        shown = [row for column in rows.values() for row in column[:limit]]
        who = await shown_to(connection, request, caller, "board", (row["patient_id"] for row in shown))
        facilities = await board.facilities(connection, wanted.facilities, wanted.organisation)
        roles = await board.roles(connection)
    columns = [
        {
            "stage": each,
            "cards": [card_of(row, who[row["patient_id"]], now) for row in rows[each.key][:limit]],
            "total": sum(counts[status]["total"] for status in each.statuses if status in counts),
            "overdue": sum(counts[status]["overdue"] for status in each.statuses if status in counts),
            "more": _more(request, each, rows[each.key], limit),
        }
        for each in chosen
    ]
    return await render(
        request,
        "board.html",
        caller,
        columns=columns,
        only=stage,
        wanted=wanted,
        facilities=facilities,
        roles=roles,
        now=now,
        watch=["board"],
    )


async def _column(connection: Connection, wanted: Filter, stage: Stage, after: str | None, limit: int) -> list[Record]:
    place = read_place(after)
    if stage.key == "closed":
        return await board.ended(connection, wanted, place, limit)
    return await board.active(connection, wanted, stage.key, place, limit)


def _more(request: Request, stage: Stage, rows: list[Record], limit: int) -> str | None:
    """The address of what follows in this column; None at its end."""
    if len(rows) <= limit:
        return None
    kept = {name: value for name, value in request.query_params.items() if name not in {"stage", "after"}}
    return "/?" + urlencode(kept | {"stage": stage.key, "after": place_of(rows[limit - 1])})
