"""The board of transitions and the worklist: who is where, what is due next, for whom."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from services.dashboard.cards import STAGE, STAGES, Stage, card_of, place_of, task_line
from services.dashboard.keyset import read_place, written
from services.dashboard.pages.page import CARE, OPS, console_of, render, shown_to
from services.dashboard.sight import sight_of
from services.dashboard.store import Connection, board
from services.dashboard.store.board import Filter, Record
from shared.http import Caller, Problem, allow

PER_COLUMN = 25
PER_PAGE = 100
router = APIRouter(include_in_schema=False)
Looker = Annotated[Caller, allow(*CARE, *OPS)]
Carer = Annotated[Caller, allow(*CARE)]
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
    wanted = Filter(
        facilities=sight_of(caller).facilities,
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
        facilities = await board.facilities(connection, wanted.facilities)
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


@router.get("/work")
async def work_page(
    request: Request,
    caller: Carer,
    role: Choice = "care-manager",
    mine: bool = False,  # noqa: FBT001, FBT002
    overdue: bool = False,  # noqa: FBT001, FBT002
    after: Choice = None,
) -> Response:
    """Open tasks by due time: of a role, or claimed by the caller."""
    sight = sight_of(caller)
    async with console_of(request).database.pool.acquire() as connection:
        now = await board.clock(connection)
        found = await board.work(
            connection,
            sight.facilities,
            role=None if mine else role or None,
            owner=caller.subject if mine else None,
            overdue=overdue,
            after=read_place(after),
            limit=PER_PAGE + 1,
        )
        rows = found[:PER_PAGE]
        who = await shown_to(connection, request, caller, "worklist", (row["patient_id"] for row in rows))
        roles = await board.roles(connection)
    lines = [(row, who[row["patient_id"]], task_line(row, row["time_zone"], now, free_text=True)) for row in rows]
    last = rows[-1] if len(found) > PER_PAGE else None
    more = None
    if last is not None and last["due_at"] is not None:
        kept = {"role": role or "", "mine": str(mine).lower(), "overdue": str(overdue).lower()}
        more = "/work?" + urlencode(kept | {"after": written((last["due_at"], last["id"]))})
    chosen = {"role": role, "mine": mine, "overdue": overdue}
    return await render(
        request, "work.html", caller, lines=lines, roles=roles, chosen=chosen, more=more, now=now, watch=["board"]
    )
