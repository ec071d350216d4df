"""The routes of worklists: lists of tasks by view, what one may do to one task, and to many at once."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from pydantic import Field, model_validator

from services.transitions import acting
from services.transitions.acting import Act, Change
from services.transitions.answers import Instant, act_of, answered, place_in, unknown
from services.transitions.protocols import Library
from services.transitions.referrals.awaited import awaited
from services.transitions.referrals.rules import LoopRules
from services.transitions.store import tasklists, worklists
from services.transitions.store.following import priority_of
from services.transitions.store.tasklists import TasksWanted, View
from shared.events.transitions import Task, TaskStatus, Transition
from shared.http import Caller, Problem, Role, StrictModel, allow, audited, audited_read
from shared.postgres import Database

Reader = Annotated[Caller, allow(Role.CARE_MANAGER, Role.AUDITOR)]
CareManager = Annotated[Caller, allow(Role.CARE_MANAGER)]
Word = Annotated[str, Field(min_length=1, max_length=100)]
Text = Annotated[str, Field(min_length=1, max_length=500)]
Once = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]
Limit = Annotated[int, Query(ge=1, le=200)]
MOST_AT_ONCE = 100


class Seen(StrictModel):
    """`version` is the one the person saw: a change on top of another's change is refused."""

    version: int = Field(ge=1)


class Completion(Seen):
    outcome: Text = "done"


class Reason(Seen):
    reason: Text


class Reassignment(Seen):
    """To a person, a role or both; neither gives the task back to its role."""

    owner: Word | None = None
    role: Word | None = None


class Snooze(Reason):
    """The ladder rests until then, with its offset; the due time stays."""

    until: Instant


class Comment(Seen):
    text: Text


class Chosen(StrictModel):
    id: UUID
    version: int = Field(ge=1)


class Bulk(StrictModel):
    """One act on many tasks; with `preview` nothing is changed and each task says what would become of it."""

    action: Literal["claim", "reassign", "complete", "snooze", "waive", "acknowledge", "escalate"]
    tasks: tuple[Chosen, ...] = Field(min_length=1, max_length=MOST_AT_ONCE)
    preview: bool = False
    owner: Word | None = None
    role: Word | None = None
    outcome: Text = "done"
    reason: Text | None = None
    until: Instant | None = None

    @model_validator(mode="after")
    def _says_what_it_needs(self) -> Self:
        if self.action in {"snooze", "waive"} and self.reason is None:
            raise ValueError("this action needs a reason")
        if self.action == "snooze" and self.until is None:
            raise ValueError("this action needs until")
        return self

    @property
    def change(self) -> Change:
        changes: dict[str, Callable[[], Change]] = {
            "claim": lambda: acting.claimed,
            "reassign": lambda: acting.reassigned(self.owner, self.role),
            "complete": lambda: acting.completed(self.outcome),
            "snooze": lambda: acting.snoozed(self.until or datetime.min.replace(tzinfo=UTC)),
            "waive": lambda: acting.waived(self.reason or ""),
            "acknowledge": lambda: acting.acknowledged,
            "escalate": lambda: acting.escalated,
        }
        return changes[self.action]()


class _UndoneError(Exception):
    """Ends a preview's transaction without an effect."""


def worklist_router(database: Database, library: Library, rules: LoopRules) -> APIRouter:
    router = APIRouter(tags=["worklists"])
    _add_lists(router, database, library.owner_roles | rules.owner_roles)
    _add_comments(router, database)
    _add_acts(router, database, library)
    _add_bulk(router, database, library)
    return router


def _add_lists(router: APIRouter, database: Database, owner_roles: frozenset[str]) -> None:
    @router.get("/tasks")
    async def tasks(  # noqa: PLR0917
        caller: Reader,
        request: Request,
        view: View | None = None,
        role: str | None = None,
        owner: str | None = None,
        organisation: str | None = None,
        status: TaskStatus | None = None,
        due_before: Instant | None = None,
        escalated: bool | None = None,  # noqa: FBT001
        facility: str | None = None,
        after: str | None = None,
        limit: Limit = 50,
        referrals: bool = False,  # noqa: FBT001, FBT002
    ) -> dict[str, Any]:
        """The soonest due first, and of those due at the same time the patients at higher risk; without a status, those
        whose clock runs. `view` is a ready-made list: overdue, due-today (by each facility's own date), escalated,
        unassigned, mine, my-role (of the `care_roles` of the caller's token), my-organisation, high-risk. With
        `referrals`, what they wait for stands among the tasks.
        """
        asked = (role,) if role is not None else ()
        wanted = TasksWanted(
            view=view,
            roles=_own_roles(caller, owner_roles) if view is View.MY_ROLE else asked,
            owner=caller.subject if view is View.MINE else owner,
            organisation=_own_organisation(caller) if view is View.MY_ORGANISATION else organisation,
            status=status.value if status else None,
            due_before=due_before,
            escalated=escalated,
            facility=facility,
            facilities=tuple(sorted(caller.facilities)),
            bound_to=caller.organisation,
            after=_place(after),
            limit=limit,
        )
        async with database.pool.acquire() as connection:
            found = await tasklists.tasks(connection, wanted)
            loops = await awaited(connection, wanted) if referrals else []
            seen = [t.patient.id for _, t in found] + [loop["patient_id"] for loop in loops]
            await audited_read(connection, caller, "tasks listed", seen, request)
        return _page(found, loops, limit)


def _add_comments(router: APIRouter, database: Database) -> None:
    @router.get("/transitions/{transition_id}/comments")
    async def comments(transition_id: UUID, caller: Reader, request: Request) -> dict[str, Any]:
        """What people noted beside its tasks, the first one first."""
        async with database.pool.acquire() as connection:
            place = await worklists.place_of_transition(connection, transition_id)
            if place is None or not caller.sees(place.facility, place.organisation):
                raise unknown()
            items = await tasklists.comments_of(connection, transition_id)
            await audited_read(connection, caller, "comments listed", [place.patient_id], request)
        return {"items": items}


def _page(found: Sequence[tuple[Task, Transition]], loops: Sequence[dict[str, Any]], limit: int) -> dict[str, Any]:
    """Both in one order; `next` is where the page after this one begins. What has no due time ends the list."""
    of_tasks = [((t.due_at, priority_of(of), t.id), {"task": t, "transition": of}) for t, of in found]
    of_loops = [((one["due_at"], one["rank"], one["id"]), {"task": None, "referral": one}) for one in loops]
    both = sorted((*of_tasks, *of_loops), key=lambda placed: (placed[0][0] is None, placed[0]))[:limit]
    last = both[-1][0] if len(both) == limit else None
    following = f"{last[0].isoformat()}_{last[1]}_{last[2]}" if last and last[0] else None
    return {"items": [item for _, item in both], "next": following}


def _place(text: str | None) -> tuple[datetime, int, UUID] | None:
    if text is None:
        return None
    at, _, rest = text.partition("_")
    priority, _, last = rest.partition("_")
    found = place_in("after", f"{at}_{last}") if priority.isdecimal() else place_in("after", at)
    return (found[0], int(priority[:4]), found[1]) if found else None


def _own_roles(caller: Caller, owner_roles: frozenset[str]) -> tuple[str, ...]:
    """Those that the token names; of them, what nobody's task or turn is for counts for nothing."""
    if not caller.care_roles:
        return (Role.CARE_MANAGER.value,)
    own = tuple(sorted(caller.care_roles & owner_roles))
    if not own:
        detail = f"the token's care_roles name none that tasks are for: {', '.join(sorted(owner_roles))}"
        raise Problem(422, "The request does not fit", detail, slug="no-care-role")
    return own


def _own_organisation(caller: Caller) -> str:
    if caller.organisation is None:
        raise Problem(422, "The request does not fit", "the token names no organisation", slug="no-organisation")
    return caller.organisation


def _add_acts(router: APIRouter, database: Database, library: Library) -> None:  # noqa: C901  (one route a verb)
    async def changed(
        task_id: UUID, seen: Seen, change: Change, caller: Caller, request: Request, key: str | None, note: str | None
    ) -> Task:
        async with database.transaction() as tx:
            act = await act_of(tx, caller, request, key)
            task = await answered(acting.act_on_task(tx, library, task_id, seen.version, act, change, note))
            await audited(tx.connection, caller, "task changed", [str(task_id)], request)
        return task

    @router.post("/tasks/{task_id}/claim")
    async def claim(task_id: UUID, body: Seen, caller: CareManager, request: Request, key: Once = None) -> Task:
        return await changed(task_id, body, acting.claimed, caller, request, key, None)

    @router.post("/tasks/{task_id}/reassign")
    async def reassign(
        task_id: UUID, body: Reassignment, caller: CareManager, request: Request, key: Once = None
    ) -> Task:
        return await changed(task_id, body, acting.reassigned(body.owner, body.role), caller, request, key, None)

    @router.post("/tasks/{task_id}/complete")
    async def complete(
        task_id: UUID, body: Completion, caller: CareManager, request: Request, key: Once = None
    ) -> Task:
        return await changed(task_id, body, acting.completed(body.outcome), caller, request, key, None)

    @router.post("/tasks/{task_id}/snooze")
    async def snooze(task_id: UUID, body: Snooze, caller: CareManager, request: Request, key: Once = None) -> Task:
        return await changed(task_id, body, acting.snoozed(body.until), caller, request, key, body.reason)

    @router.post("/tasks/{task_id}/acknowledge")
    async def acknowledge(task_id: UUID, body: Seen, caller: CareManager, request: Request, key: Once = None) -> Task:
        """The escalation was seen: the ladder rests for the protocol's patience and goes on without evidence."""
        return await changed(task_id, body, acting.acknowledged, caller, request, key, None)

    @router.post("/tasks/{task_id}/escalate")
    async def escalate(task_id: UUID, body: Reason, caller: CareManager, request: Request, key: Once = None) -> Task:
        return await changed(task_id, body, acting.escalated, caller, request, key, body.reason)

    @router.post("/tasks/{task_id}/waive")
    async def waive(task_id: UUID, body: Reason, caller: CareManager, request: Request, key: Once = None) -> Task:
        return await changed(task_id, body, acting.waived(body.reason), caller, request, key, None)

    @router.post("/tasks/{task_id}/cancel")
    async def cancel(task_id: UUID, body: Reason, caller: CareManager, request: Request, key: Once = None) -> Task:
        """The same as waive, under its earlier name."""
        return await changed(task_id, body, acting.waived(body.reason), caller, request, key, None)

    @router.post("/tasks/{task_id}/comments", status_code=201)
    async def comment(task_id: UUID, body: Comment, caller: CareManager, request: Request, key: Once = None) -> Task:
        return await changed(task_id, body, acting.commented, caller, request, key, body.text)


def _add_bulk(router: APIRouter, database: Database, library: Library) -> None:
    @router.post("/tasks/bulk")
    async def bulk(body: Bulk, caller: CareManager, request: Request, key: Once = None) -> dict[str, Any]:
        """Each task by itself: what one is refused does not keep the others from it. One key makes each act once."""
        items = [await _one_of_many(database, library, chosen, body, caller, request, key) for chosen in body.tasks]
        done = sum(item["outcome"] == "done" for item in items)
        return {"preview": body.preview, "done": done, "refused": len(items) - done, "items": items}


async def _one_of_many(
    database: Database, library: Library, chosen: Chosen, body: Bulk, caller: Caller, request: Request, key: str | None
) -> dict[str, Any]:
    told: dict[str, Any] = {"id": chosen.id}
    try:
        async with database.transaction() as tx:
            act: Act = await act_of(tx, caller, request, None if body.preview else key)
            note = body.reason if body.action in {"snooze", "escalate"} else None
            acted = acting.act_on_task(tx, library, chosen.id, chosen.version, act, body.change, note)
            told |= {"outcome": "done", "task": await answered(acted)}
            if body.preview:
                raise _UndoneError  # noqa: TRY301  (leaving the block is what undoes it)
            await audited(tx.connection, caller, "task changed", [str(chosen.id)], request)
    except _UndoneError:
        pass
    except Problem as problem:
        told |= {"outcome": problem.slug, "detail": problem.detail or problem.title, **problem.extra}
    return told
