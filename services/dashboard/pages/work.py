"""The worklists, from the transitions service: each view, and one act on many tasks with a look before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request, Response

from services.dashboard.deeds import (
    MANY,
    RESTS,
    Deed,
    Said,
    body_of,
    changed_meanwhile,
    chosen,
    deed_named,
    outcome_words,
)
from services.dashboard.forms import own_form
from services.dashboard.pages.acts import SaidForm, Word, refusal
from services.dashboard.pages.page import CARE, back_to, chosen_of, console_of, must_be_listed, onward, render, shown_to
from services.dashboard.row import Row
from services.dashboard.sight import Who
from services.dashboard.store import Connection, board
from services.dashboard.worklines import VIEW, WorkLine, views_for, work_line
from shared.http import Caller, Problem, allow, token_of

PER_PAGE = 50
MOST_AT_ONCE = 100
LONGEST_NOTICE = 900
# Every look is written down by the service that is asked, so that an open page looks again no more often than this.
EVERY_S = 10
router = APIRouter(include_in_schema=False)
Carer = Annotated[Caller, allow(*CARE)]
Choice = Annotated[str, Query(max_length=100)]
Marks = Annotated[list[str], Form(max_length=MOST_AT_ONCE + 1)]


@router.get("/work")
async def work_page(
    request: Request,
    caller: Carer,
    view: Choice = "my-role",
    role: Choice = "",
    facility: Choice = "",
    after: Choice = "",
) -> Response:
    """Open tasks of one view and what referrals wait for, the most urgent first, page by page."""
    must_be_listed(view, VIEW)
    narrowed = chosen_of(role=role, facility=facility)
    found, away = await _listed(request, narrowed | chosen_of(view=view if view != "all" else "", after=after))
    async with console_of(request).database.pool.acquire() as connection:
        now = await board.clock(connection)
        lines = await _lines(connection, found["items"], now)
        who = await shown_to(connection, request, caller, "worklist", (line.patient_id for line in lines))
        roles = await board.roles(connection)
        facilities = await board.facilities(connection, sorted(caller.facilities) or None, caller.organisation)
    return await render(
        request,
        "work.html",
        caller,
        lines=[(line, who[line.patient_id]) for line in lines],
        away=away,
        roles=roles,
        facilities=facilities,
        views=views_for(caller.care_roles),
        deeds=MANY,
        rests=RESTS,
        chosen={"view": view, "role": role, "facility": facility},
        more=onward("/work", {"view": view} | narrowed, "after", found["next"]),
        now=now,
        watch=["board", "referrals"],
        pace=EVERY_S,
    )


async def _lines(connection: Connection, items: Sequence[Mapping[str, Any]], now: datetime) -> list[WorkLine]:
    stays = {UUID(item["transition"]["id"]) for item in items if item["task"]}
    scores = await board.scores(connection, stays)
    return [work_line(item, now, scores) for item in items]


async def _listed(request: Request, asked: dict[str, str]) -> tuple[dict[str, Any], str | None]:
    """The tasks; or none, and why there are none to show."""
    params = asked | {"limit": str(PER_PAGE), "referrals": "true"}
    try:
        found: dict[str, Any] = await console_of(request).peers.get("transitions", "/tasks", token_of(request), params)
    except Problem as problem:
        if problem.slug == "no-organisation":
            return {"items": [], "next": None}, "You are not signed in for an organisation."
        if problem.slug == "no-care-role":
            return {"items": [], "next": None}, "You are not signed in for a role that has tasks."
        if problem.status < 500:  # noqa: PLR2004  (what is wrong with the address is told as everywhere)
            raise
        return {"items": [], "next": None}, f"{problem.title}. Nothing is lost: it is asked again when you reload."
    return found, None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be done to which tasks, and the list they were ticked in."""

    action: str
    marks: list[str]
    said: Said
    view: str
    once: str

    @property
    def here(self) -> str:
        return f"/work?{urlencode({'view': self.view})}"


def _wanted(
    action: Word,
    said: SaidForm,
    task: Marks = [],  # noqa: B006  (read, never changed)
    view: Word = "my-role",
    once: Word = "",
) -> Wanted:
    return Wanted(action, task, said, view, once)


WantedForm = Annotated[Wanted, Depends(_wanted)]


@router.post("/work/preview", dependencies=[own_form])
async def preview_page(request: Request, caller: Carer, wanted: WantedForm) -> Response:
    """What would become of each task that was ticked. Nothing is changed yet."""
    try:
        return await _foreseeing(request, caller, wanted)
    except Problem as problem:
        return back_to(request, wanted.here, "bad", refusal(problem))


async def _foreseeing(request: Request, caller: Caller, wanted: Wanted, came: str = "") -> Response:
    """`came`: what came of an act that some of the tasks were refused. Raises Problem."""
    deed = deed_named(wanted.action)
    told = await _tell(request, deed, wanted, preview=True)
    async with console_of(request).database.pool.acquire() as connection:
        # What transitions does not know for this caller is not named here either.
        known = [UUID(item["id"]) for item in told["items"] if item["outcome"] != "unknown"]
        rows = await board.tasks_named(connection, known)
        who = await shown_to(connection, request, caller, "worklist", (row["patient_id"] for row in rows.values()))
    lines = [_foreseen(item, rows.get(UUID(item["id"])), who) for item in told["items"]]
    return await render(
        request, "work-preview.html", caller, lines=lines, told=told, deed=deed, wanted=wanted, came=came
    )


def _foreseen(item: dict[str, Any], row: Row | None, who: Mapping[str, Who]) -> dict[str, Any]:
    """One line of the preview: what it is, whose, and what would become of it."""
    return {
        "row": row,
        "who": who[row["patient_id"]] if row is not None else None,
        "refused": outcome_words(item),
        "after": item.get("task"),
    }


@router.post("/work/many", dependencies=[own_form])
async def act_on_many(request: Request, caller: Carer, wanted: WantedForm) -> Response:
    """Does it. What one task is refused keeps no other from it; those that changed meanwhile are looked at again, with
    what was said kept.
    """
    try:
        told = await _tell(request, deed_named(wanted.action), wanted, preview=False)
        refused = sorted({outcome_words(item) for item in told["items"]} - {""})
        because = f" Refused: {told['refused']} ({'; '.join(refused)})." if refused else ""
        came = f"Done: {told['done']}.{because}"[:LONGEST_NOTICE]
        if changed := changed_meanwhile(told["items"]):
            return await _foreseeing(request, caller, replace(wanted, marks=changed), came)
    except Problem as problem:
        return back_to(request, wanted.here, "bad", refusal(problem))
    kind = "good" if not refused else "warn" if told["done"] else "bad"
    return back_to(request, wanted.here, kind, came)


async def _tell(request: Request, deed: Deed, wanted: Wanted, *, preview: bool) -> dict[str, Any]:
    console = console_of(request)
    tasks = chosen(wanted.marks, MOST_AT_ONCE)
    async with console.database.pool.acquire() as connection:
        now = await board.clock(connection)
    body = {"action": deed.name, "tasks": tasks, "preview": preview} | body_of(deed, wanted.said, now)
    key = None if preview else wanted.once or None
    told: dict[str, Any] = await console.peers.post("transitions", "/tasks/bulk", token_of(request), body, key=key)
    return told
