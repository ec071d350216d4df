"""The routes of transitions: the worklist, one transition with its history, and what people may do."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from pydantic import AwareDatetime, Field

from services.transitions import acting
from services.transitions.acting import Change
from services.transitions.answers import act_of, answered, must_be_past, place_in, unknown
from services.transitions.protocols import Library
from services.transitions.store import worklists
from services.transitions.store.worklists import TasksWanted, TransitionsWanted
from shared.events.followups import ContactAttempted, ContactMade, FollowUpFact, MedicationReconciled
from shared.events.transitions import Task, TaskStatus, Transition, TransitionStatus
from shared.http import Caller, Role, StrictModel, allow, audited, audited_read
from shared.postgres import Database

Reader = Annotated[Caller, allow(Role.CARE_MANAGER, Role.AUDITOR)]
CareManager = Annotated[Caller, allow(Role.CARE_MANAGER)]
Word = Annotated[str, Field(min_length=1, max_length=100)]
Text = Annotated[str, Field(min_length=1, max_length=500)]
Once = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]
Limit = Annotated[int, Query(ge=1, le=200)]
HISTORY_SHOWN = 500


class Seen(StrictModel):
    """`version` is the one the person saw: a change on top of another's change is refused."""

    version: int = Field(ge=1)


class Completion(Seen):
    outcome: Text = "done"


class Cancellation(Seen):
    reason: Text


class Contact(StrictModel):
    """`at` is when it was made or tried, with its offset; it may not lie in the future."""

    kind: Literal["attempted", "made"]
    channel: Word = "phone"
    with_whom: Word = "patient"
    at: AwareDatetime


class Reconciliation(StrictModel):
    by_role: Word
    at: AwareDatetime


def transitions_router(database: Database, library: Library) -> APIRouter:
    router = APIRouter(tags=["transitions"])
    _add_reading(router, database)
    _add_worklist(router, database)
    _add_task_acts(router, database, library)
    _add_records(router, database, library)
    return router


def _add_reading(router: APIRouter, database: Database) -> None:
    @router.get("/transitions")
    async def transitions(
        caller: Reader,
        request: Request,
        status: TransitionStatus | None = None,
        facility: str | None = None,
        patient: str | None = None,
        review: bool = False,  # noqa: FBT001, FBT002
        before: str | None = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """Last changed first; `review` lists old news that nobody was told of and nobody has looked at."""
        wanted = TransitionsWanted(
            status=status.value if status else None,
            facility=facility,
            facilities=tuple(sorted(caller.facilities)),
            patient=patient,
            to_review=review,
            before=place_in("before", before),
            limit=limit,
        )
        async with database.pool.acquire() as connection:
            items = await worklists.transitions(connection, wanted)
            shown = [item["transition"].patient.id for item in items]
            await audited_read(connection, caller, "transitions listed", shown, request)
        last = items[-1] if len(items) == limit else None
        return {"items": items, "next": f"{last['changed_at'].isoformat()}_{last['transition'].id}" if last else None}

    @router.get("/transitions/{transition_id}")
    async def transition(transition_id: UUID, caller: Reader, request: Request) -> dict[str, Any]:
        async with database.pool.acquire() as connection:
            found = await worklists.transition(connection, transition_id)
            if found is None or not caller.sees(found["transition"].facility.code):
                raise unknown()
            tasks = await worklists.tasks_of(connection, transition_id)
            history = await worklists.history_of(connection, transition_id, HISTORY_SHOWN)
            shown = [found["transition"].patient.id]
            await audited_read(connection, caller, "transition opened", shown, request)
        return {**found, "tasks": tasks, "history": history}


def _add_worklist(router: APIRouter, database: Database) -> None:
    @router.get("/tasks")
    async def tasks(  # noqa: PLR0917
        caller: Reader,
        request: Request,
        role: str | None = None,
        owner: str | None = None,
        status: TaskStatus | None = None,
        due_before: AwareDatetime | None = None,
        escalated: bool | None = None,  # noqa: FBT001
        facility: str | None = None,
        after: str | None = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """The soonest due first; without a status, those whose clock runs."""
        wanted = TasksWanted(
            role=role,
            owner=owner,
            status=status.value if status else None,
            due_before=due_before,
            escalated=escalated,
            facility=facility,
            facilities=tuple(sorted(caller.facilities)),
            after=place_in("after", after),
            limit=limit,
        )
        async with database.pool.acquire() as connection:
            found = await worklists.tasks(connection, wanted)
            await audited_read(connection, caller, "tasks listed", [t.patient.id for _, t in found], request)
        last = found[-1][0] if len(found) == limit else None
        following = f"{last.due_at.isoformat()}_{last.id}" if last and last.due_at else None
        return {"items": [{"task": task, "transition": of} for task, of in found], "next": following}


def _add_task_acts(router: APIRouter, database: Database, library: Library) -> None:
    async def changed(
        task_id: UUID, seen: Seen, change: Change, caller: Caller, request: Request, key: str | None
    ) -> Task:
        async with database.transaction() as tx:
            act = await act_of(tx, caller, request, key)
            task = await answered(acting.act_on_task(tx, library, task_id, seen.version, act, change))
            await audited(tx.connection, caller, "task changed", [str(task_id)], request)
        return task

    @router.post("/tasks/{task_id}/claim")
    async def claim(task_id: UUID, body: Seen, caller: CareManager, request: Request, key: Once = None) -> Task:
        return await changed(task_id, body, acting.claimed, caller, request, key)

    @router.post("/tasks/{task_id}/complete")
    async def complete(
        task_id: UUID, body: Completion, caller: CareManager, request: Request, key: Once = None
    ) -> Task:
        return await changed(task_id, body, acting.completed(body.outcome), caller, request, key)

    @router.post("/tasks/{task_id}/cancel")
    async def cancel(
        task_id: UUID, body: Cancellation, caller: CareManager, request: Request, key: Once = None
    ) -> Task:
        return await changed(task_id, body, acting.waived(body.reason), caller, request, key)


def _add_records(router: APIRouter, database: Database, library: Library) -> None:
    async def recorded(
        transition_id: UUID, caller: Caller, request: Request, key: str | None, fact: type[FollowUpFact], **said: Any
    ) -> Transition:
        async with database.transaction() as tx:
            act = await act_of(tx, caller, request, key)
            must_be_past(said["at"], act.at)
            transition = await answered(acting.record(tx, library, transition_id, act, fact, **said))
            await audited(tx.connection, caller, "deed recorded", [transition.patient.id], request)
        return transition

    @router.post("/transitions/{transition_id}/contacts", status_code=201)
    async def contact(
        transition_id: UUID, body: Contact, caller: CareManager, request: Request, key: Once = None
    ) -> Transition:
        fact: type[FollowUpFact] = ContactMade if body.kind == "made" else ContactAttempted
        said = {"channel": body.channel, "with_whom": body.with_whom, "at": body.at}
        return await recorded(transition_id, caller, request, key, fact, **said)

    @router.post("/transitions/{transition_id}/medication-reconciliation", status_code=201)
    async def medication_reconciliation(
        transition_id: UUID, body: Reconciliation, caller: CareManager, request: Request, key: Once = None
    ) -> Transition:
        said = {"by_role": body.by_role, "at": body.at}
        return await recorded(transition_id, caller, request, key, MedicationReconciled, **said)

    @router.post("/transitions/{transition_id}/review")
    async def review(transition_id: UUID, body: Seen, caller: CareManager, request: Request) -> Transition:
        async with database.transaction() as tx:
            act = await act_of(tx, caller, request, None)
            transition = await answered(acting.review(tx, library, transition_id, body.version, act))
            await audited(tx.connection, caller, "transition reviewed", [transition.patient.id], request)
        return transition
