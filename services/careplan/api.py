"""The routes of care plans: read them with their history, and add to them with the version that was seen."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import Field

from services.careplan import revising, store
from services.careplan.course import Course
from services.careplan.revising import Change, Revision, StalePlanError, UnknownPartError
from services.careplan.store import PlanFilter
from shared.events.plans import CarePlan, PlanStatus
from shared.http import Caller, Problem, Role, StrictModel, allow, audited, audited_read
from shared.postgres import Database

Reader = Annotated[Caller, allow(Role.CARE_MANAGER, Role.AUDITOR)]
CareManager = Annotated[Caller, allow(Role.CARE_MANAGER)]
Text = Annotated[str, Field(min_length=1, max_length=500)]
LARGEST_PAGE = 200


class Seen(StrictModel):
    """`version` is the one the person saw: a change on top of another's change is refused."""

    version: int = Field(ge=1)
    reason: Text = "changed by the care team"


class Need(Seen):
    need: Text


class NewGoal(Seen):
    text: Text


class GoalStatus(Seen):
    """FHIR R4 Goal.lifecycleStatus, as far as used."""

    status: Literal["active", "on-hold", "completed", "cancelled"]


class NewActivity(Seen):
    title: Text


class ActivityStatus(Seen):
    """FHIR R4 CarePlan.activity.detail.status, as far as people may say it."""

    status: Literal["not-started", "in-progress", "completed", "cancelled"]


def plans_router(database: Database) -> APIRouter:
    router = APIRouter(prefix="/plans", tags=["plans"])
    _add_reading(router, database)
    _add_changing(router, database)
    return router


def _add_reading(router: APIRouter, database: Database) -> None:
    @router.get("")
    async def plans(
        caller: Reader,
        request: Request,
        patient: str | None = None,
        transition: UUID | None = None,
        status: PlanStatus | None = None,
        before: str | None = None,
        limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 50,
    ) -> dict[str, Any]:
        wanted = PlanFilter(
            patient=patient,
            transition=transition,
            status=status.value if status else None,
            facilities=sorted(caller.facilities),
            organisation=caller.organisation,
            before=_cursor(before) if before else None,
            limit=limit,
        )
        async with database.pool.acquire() as connection:
            rows = await store.page(connection, wanted)
            await audited_read(connection, caller, "plans listed", [r["plan"]["patient"]["id"] for r in rows], request)
        return {"items": [row["plan"] for row in rows], "next": _next(rows, limit)}

    @router.get("/{plan_id}")
    async def plan(plan_id: UUID, caller: Reader, request: Request) -> dict[str, Any]:
        async with database.pool.acquire() as connection:
            course = await store.course_of(connection, plan_id)
            shown = _visible(course, caller)
            versions = await store.history(connection, plan_id)
            await audited_read(connection, caller, "plan opened", [shown.patient.id], request)
        return {"plan": shown, "versions": versions}


def _add_changing(router: APIRouter, database: Database) -> None:
    async def changed(plan_id: UUID, seen: Seen, change: Change, caller: Caller, request: Request) -> CarePlan:
        revision = Revision(
            plan_id=plan_id,
            version=seen.version,
            actor=caller.subject,
            reason=seen.reason,
            request_id=request.state.request_id,
        )
        async with database.transaction() as tx:
            course = await store.course_of(tx.connection, plan_id)
            _visible(course, caller)
            plan = await _revised(revising.revise(tx, revision, change)) or _visible(None, caller)
            await audited(tx.connection, caller, "plan changed", [plan.patient.id], request)
        return plan

    @router.post("/{plan_id}/needs", status_code=201)
    async def add_need(plan_id: UUID, body: Need, caller: CareManager, request: Request) -> CarePlan:
        return await changed(plan_id, body, revising.add_need(body.need), caller, request)

    @router.post("/{plan_id}/goals", status_code=201)
    async def add_goal(plan_id: UUID, body: NewGoal, caller: CareManager, request: Request) -> CarePlan:
        return await changed(plan_id, body, revising.add_goal(body.text), caller, request)

    @router.post("/{plan_id}/goals/{code}/status")
    async def set_goal(plan_id: UUID, code: str, body: GoalStatus, caller: CareManager, request: Request) -> CarePlan:
        return await changed(plan_id, body, revising.set_goal_status(code, body.status), caller, request)

    @router.post("/{plan_id}/activities", status_code=201)
    async def add_activity(plan_id: UUID, body: NewActivity, caller: CareManager, request: Request) -> CarePlan:
        return await changed(plan_id, body, revising.add_activity(body.title), caller, request)

    @router.post("/{plan_id}/activities/{code}/status")
    async def set_activity(
        plan_id: UUID, code: str, body: ActivityStatus, caller: CareManager, request: Request
    ) -> CarePlan:
        return await changed(plan_id, body, revising.set_activity_status(code, body.status), caller, request)


async def _revised(revision: "Any") -> CarePlan | None:
    try:
        plan: CarePlan | None = await revision
    except StalePlanError as stale:
        raise Problem(
            409, "The plan has changed since you saw it", slug="stale-version", version=stale.version
        ) from None
    except UnknownPartError:
        raise Problem(
            404, "No such part of the plan that can be changed here", "an activity with a task is completed there"
        ) from None
    return plan


def _visible(course: Course | None, caller: Caller) -> CarePlan:
    """Another facility's or organisation's plan is not told from one that does not exist."""
    stay = course.transition if course else None
    if course is None or course.plan is None or stay is None:
        raise _unknown()
    if not caller.sees(stay.facility.code, stay.pcp_organisation):
        raise _unknown()
    return course.plan


def _unknown() -> Problem:
    return Problem(404, "No such plan", slug="unknown-plan")


def _cursor(before: str) -> tuple[datetime, UUID]:
    at, _, plan_id = before.partition("_")
    try:
        return datetime.fromisoformat(at), UUID(plan_id)
    except ValueError:
        wants = "before is the `next` of the page before"
        raise Problem(422, "The request does not fit", wants, slug="invalid-request", field="query.before") from None


def _next(rows: list[Mapping[str, Any]], limit: int) -> str | None:
    if len(rows) < limit:
        return None
    at = rows[-1]["changed_at"].astimezone(UTC).replace(tzinfo=None).isoformat()
    return f"{at}Z_{rows[-1]['plan_id']}"  # no plus sign: it would have to be escaped in a URL
