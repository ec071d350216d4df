"""One transition: its tasks and their clocks, the plan, who was told, and what caused what; and what one may do."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response

from services.dashboard.cards import STATUS_WORDS, card_of, task_line
from services.dashboard.deeds import RESTS, body_of, deed_named
from services.dashboard.forms import own_form
from services.dashboard.keyset import read_place, written
from services.dashboard.lineage import timeline
from services.dashboard.pages.acts import Changes, SaidForm, Word, refused, tell
from services.dashboard.pages.page import CARE, OPS, console_of, render, seen_transition, shown_to
from services.dashboard.records import LONGEST_WORDS, RECORDS, record_body
from services.dashboard.store import Connection, board, history
from services.dashboard.unsent import Change, task_changes
from services.dashboard.worklines import instant
from shared.events.transitions import RiskScored
from shared.http import Caller, Problem, Role, allow, token_of

PER_PAGE = 150
router = APIRouter(include_in_schema=False)
Looker = Annotated[Caller, allow(*CARE, *OPS)]
Carer = Annotated[Caller, allow(*CARE)]


@router.get("/transitions/{transition_id}")
async def transition_page(
    request: Request,
    caller: Looker,
    transition_id: UUID,
    before: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    async with console_of(request).database.pool.acquire() as connection:
        row = await seen_transition(connection, caller, transition_id)
        now = await board.clock(connection)
        who = (await shown_to(connection, request, caller, "transition", [row["patient_id"]]))[row["patient_id"]]
        found = await _parts(connection, row, before)
        roles = await board.roles(connection)
    comments = await _comments(request, caller, transition_id)
    events = found["events"][:PER_PAGE]
    more = None
    if len(found["events"]) > PER_PAGE:
        more = f"/transitions/{transition_id}?before={written((events[-1]['recorded'], events[-1]['event_id']))}"
    return await render(
        request,
        "transition.html",
        caller,
        row=row,
        who=who,
        card=card_of(row, who, now),
        stage=STATUS_WORDS[row["status"]],
        tasks=[task_line(task, row["time_zone"], now, free_text=not who.masked) for task in found["tasks"]],
        comments=comments,
        roles=roles,
        rests=RESTS,
        plans=found["plans"],
        deliveries=found["deliveries"],
        entries=timeline(events),
        risk_told=RiskScored.TYPE,
        may_see_inputs=bool(caller.roles & {*CARE, Role.AUDITOR, Role.ADMIN}),
        more=more,
        now=now,
        watch=[f"stay:{row['encounter_id']}"],
    )


async def _comments(request: Request, caller: Caller, transition_id: UUID) -> dict[str, list[dict[str, Any]]]:
    """What people noted, by task: for those who care for the patient, since it may name somebody."""
    if not caller.roles & {Role.CARE_MANAGER, Role.ADMIN}:
        return {}
    try:
        path = f"/transitions/{transition_id}/comments"
        said = await console_of(request).peers.get("transitions", path, token_of(request))
    except Problem:
        # The page stands without them; what they are about is not lost.
        return {}
    by_task: dict[str, list[dict[str, Any]]] = {}
    for item in said["items"]:
        by_task.setdefault(str(item["task_id"]), []).append(item | {"at": instant(item["at"])})
    return by_task


@router.get("/encounters/{encounter_id}")
async def encounter_page(request: Request, _caller: Looker, encounter_id: UUID) -> Response:
    """To the transition of a stay: other services know the stay alone."""
    async with console_of(request).database.pool.acquire() as connection:
        transition_id = await board.transition_of_encounter(connection, encounter_id)
    if transition_id is None:
        raise Problem(404, "No transition of this stay is known here", slug="unknown-stay")
    return Response(status_code=303, headers={"location": f"/transitions/{transition_id}"})


async def _parts(connection: Connection, row: Any, before: str | None) -> dict[str, Any]:
    correlations = [str(row["encounter_id"]), str(row["id"])]
    return {
        "tasks": await board.tasks_of(connection, row["id"]),
        "plans": await board.plans_of(connection, row["id"]),
        "deliveries": await board.deliveries_of(connection, row["encounter_id"], row["id"]),
        "events": await history.events_of(connection, correlations, read_place(before), PER_PAGE + 1),
    }


@router.post("/transitions/{transition_id}/tasks/{task_id}/{action}", dependencies=[own_form])
async def act_on_task(
    request: Request,
    caller: Carer,
    transition_id: UUID,
    task_id: UUID,
    action: str,
    version: Annotated[int, Form()],
    said: SaidForm,
    once: Word = "",
) -> Response:
    """Any deed on a task, through the transitions service and with the caller's own token."""
    deed = deed_named(action)

    async def changes(since: datetime) -> list[Change]:
        return await _task_changes(request, transition_id, task_id, since)

    try:
        body = {"version": version} | body_of(deed, said, datetime.now(UTC))
    except Problem as problem:
        return await refused(request, problem, f"/transitions/{transition_id}")
    path = f"/tasks/{task_id}/{deed.route}"
    return await _told(request, caller, transition_id, path, body, deed.done, once, changes)


async def _task_changes(request: Request, transition_id: UUID, task_id: UUID, since: datetime) -> list[Change]:
    """How the task differs from what was known of it then."""
    peers, token, path = console_of(request).peers, token_of(request), f"/transitions/{transition_id}"
    now = await peers.get("transitions", path, token)
    then = await peers.get("transitions", path, token, {"known_at": since.isoformat()})
    stood, stands = (
        next((task for task in found["tasks"] if task["id"] == str(task_id)), None) for found in (then, now)
    )
    return task_changes(stood, stands, now["transition"]["facility"]["time_zone"]) if stands else []


@router.post("/transitions/{transition_id}/review", dependencies=[own_form])
async def review(
    request: Request, caller: Carer, transition_id: UUID, version: Annotated[int, Form()], once: Word = ""
) -> Response:
    """Closes a transition that was old news when it was first seen: nobody was told, somebody has looked now."""
    path = f"/transitions/{transition_id}/review"
    return await _told(request, caller, transition_id, path, {"version": version}, "Reviewed.", once)


@router.post("/transitions/{transition_id}/record/{kind}", dependencies=[own_form])
async def record(request: Request, caller: Carer, transition_id: UUID, kind: str, once: Word = "") -> Response:
    """Keeps what was done for the patient as of now: it may show tasks done."""
    form = await request.form()
    given = {name: value.strip()[:LONGEST_WORDS] for name, value in form.items() if isinstance(value, str)}
    try:
        body = record_body(kind, given) | {"at": datetime.now(UTC).isoformat()}
    except Problem as problem:
        return await refused(request, problem, f"/transitions/{transition_id}")
    return await _told(
        request, caller, transition_id, f"/transitions/{transition_id}/{kind}", body, RECORDS[kind].done, once
    )


async def _told(
    request: Request,
    caller: Caller,
    transition_id: UUID,
    path: str,
    body: dict[str, Any],
    done: str,
    once: str,
    changes: Changes | None = None,
) -> Response:
    async with console_of(request).database.pool.acquire() as connection:
        await seen_transition(connection, caller, transition_id)
    here = f"/transitions/{transition_id}"
    done = f"{done} The page follows within a second."
    return await tell(request, "transitions", path, body, here=here, done=done, once=once, changes=changes)
