"""The console's JSON: what a message came to, the board for scripts, and telling everything again."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from services.dashboard.cards import STAGE, place_of
from services.dashboard.keyset import read_place, read_rank
from services.dashboard.lineage import node_json, tree
from services.dashboard.pages.page import CARE, OPS, PIPELINE, console_of
from services.dashboard.sight import check_reach, sight_of
from services.dashboard.store import board, history, operations
from shared.http import Caller, Problem, Role, allow, audited
from shared.telemetry import log

Looker = Annotated[Caller, allow(*CARE, *OPS)]
Tracer = Annotated[Caller, allow(*PIPELINE)]
Admin = Annotated[Caller, allow(Role.ADMIN)]
Choice = Annotated[str | None, Query(max_length=100)]


def api_router(restart_consumer: asyncio.Event) -> APIRouter:
    router = APIRouter(tags=["console"])
    router.add_api_route("/api/effects/{causation_id}", effects, methods=["GET"])
    router.add_api_route("/api/board", board_items, methods=["GET"])

    @router.post("/operations/rebuild", tags=["operations"])
    async def rebuild(request: Request, caller: Admin) -> dict[str, str]:
        """Empties the read tables and reads every topic again from the log's beginning. What the log no longer holds
        comes back with the services' snapshots (`POST /operations/snapshots` on each of them).
        """
        async with console_of(request).database.transaction() as tx:
            await operations.empty(tx.connection)
            await audited(tx.connection, caller, "rebuild", [], request)
        restart_consumer.set()
        log.warning("read tables emptied, reading again")
        return {"status": "reading again"}

    return router


async def effects(
    request: Request, caller: Tracer, causation_id: Annotated[str, Path(max_length=100)]
) -> dict[str, Any]:
    """The tree of events that a message or an event caused, without names: 12 steps and 500 events at most."""
    async with console_of(request).database.pool.acquire() as connection:
        rows = await history.effects(connection, causation_id)
        await check_reach(connection, caller, rows)
    return {
        "causation_id": causation_id,
        "events": len(rows),
        "effects": [node_json(node) for node in tree(rows, causation_id)],
    }


async def board_items(
    request: Request,
    caller: Looker,
    stage: Annotated[str, Query(max_length=20)] = "following",
    facility: Choice = None,
    role: Choice = None,
    overdue: bool = False,  # noqa: FBT001, FBT002
    after: Choice = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """Transitions of one stage, without names: what escalated furthest, then what is due next, then who is at higher
    risk. `next` is the place to go on from.
    """
    if stage not in STAGE:
        raise Problem(422, "There is no such stage", slug="unknown-stage", field="stage", wants=list(STAGE))
    sight = sight_of(caller)
    wanted = board.Filter(
        facilities=sight.facilities, organisation=sight.organisation, facility=facility, role=role, overdue=overdue
    )
    async with console_of(request).database.pool.acquire() as connection:
        if stage == "closed":
            rows = await board.ended(connection, wanted, read_place(after), limit + 1)
        else:
            rows = await board.active(connection, wanted, stage, read_rank(after), limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    shown = ("id", "encounter_id", "patient_id", "facility", "status", "status_at", "discharged_at", "next_due_at",
             "next_task", "next_role", "open_tasks", "done_tasks", "escalation_level", "risk", "version")  # fmt: skip
    return {
        "items": [{name: row[name] for name in shown} for row in rows[:limit]],
        "next": place_of(last) if last is not None else None,
    }
