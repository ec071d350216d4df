"""The board of transitions: who is where, what is due next, for whom."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from services.dashboard.cards import STAGE, STAGES, Stage, card_of, place_of
from services.dashboard.keyset import read_place, read_rank
from services.dashboard.pages.page import CARE, OPS, console_of, render, shown_to
from services.dashboard.sight import Who, sight_of
from services.dashboard.store import Connection, board
from services.dashboard.store.board import Filter, Record
from shared.http import Caller, Problem, allow

PER_COLUMN = 25
PER_PAGE = 100
router = APIRouter(include_in_schema=False)
Looker = Annotated[Caller, allow(*CARE, *OPS)]
Choice = Annotated[str | None, Query(max_length=100)]


def _wanted(
    caller: Looker,
    facility: Choice = None,
    role: Choice = None,
    overdue: bool = False,  # noqa: FBT001, FBT002
    historical: bool = False,  # noqa: FBT001, FBT002
    high_risk: bool = False,  # noqa: FBT001, FBT002
) -> Filter:
    sight = sight_of(caller)
    return Filter(
        facilities=sight.facilities,
        organisation=sight.organisation,
        facility=facility or None,
        role=role or None,
        overdue=overdue,
        historical=historical,
        high_risk=high_risk,
    )


WantedQuery = Annotated[Filter, Depends(_wanted)]


@router.get("/")
async def board_page(
    request: Request, caller: Looker, wanted: WantedQuery, stage: Choice = None, after: Choice = None
) -> Response:
    """Four columns, or one stage alone from a place on."""
    if stage is not None and stage not in STAGE:
        raise Problem(404, "There is no such stage", slug="unknown-stage")
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
    return await render(
        request,
        "board.html",
        caller,
        columns=[_shown(request, each, rows[each.key], limit, counts, who, now) for each in chosen],
        only=stage,
        wanted=wanted,
        facilities=facilities,
        roles=roles,
        now=now,
        watch=["board"],
    )


def _shown(
    request: Request,
    stage: Stage,
    rows: list[Record],
    limit: int,
    counts: Mapping[str, Record],
    who: Mapping[str, Who],
    now: datetime,
) -> dict[str, Any]:
    """One column: its cards, how many there are in all, and where it goes on."""
    counted = [counts[status] for status in stage.statuses if status in counts]
    return {
        "stage": stage,
        "cards": [card_of(row, who[row["patient_id"]], now) for row in rows[:limit]],
        "total": sum(count["total"] for count in counted),
        "overdue": sum(count["overdue"] for count in counted),
        "more": _more(request, stage, rows, limit),
    }


async def _column(connection: Connection, wanted: Filter, stage: Stage, after: str | None, limit: int) -> list[Record]:
    if stage.key == "closed":
        return await board.ended(connection, wanted, read_place(after), limit)
    return await board.active(connection, wanted, stage.key, read_rank(after), limit)


def _more(request: Request, stage: Stage, rows: list[Record], limit: int) -> str | None:
    """The address of what follows in this column; None at its end."""
    if len(rows) <= limit:
        return None
    kept = {name: value for name, value in request.query_params.items() if name not in {"stage", "after"}}
    return "/?" + urlencode(kept | {"stage": stage.key, "after": place_of(rows[limit - 1])})
