"""What people change in a plan: one transaction each, guarded by the version they saw."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from services.careplan import store
from services.careplan.course import Additions, Course
from services.careplan.plan import next_version
from services.careplan.store import KeptVersion
from shared.events import Draft, uuid7
from shared.events.plans import Activity, CarePlan, Goal
from shared.postgres import Transaction

Change = Callable[[Additions, CarePlan], Additions]


class StalePlanError(Exception):
    """Somebody else changed the plan in between; `version` is the current one."""

    def __init__(self, version: int) -> None:
        super().__init__("stale plan version")
        self.version = version


class UnknownPartError(Exception):
    """The plan has no such goal, or no such activity without a task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A person's change: of which plan, as they saw it, by whom, why, and the request that asked for it."""

    plan_id: UUID
    version: int
    actor: str
    reason: str
    request_id: str


async def revise(tx: Transaction, revision: Revision, change: Change) -> CarePlan | None:
    """The plan after the change, None when there is no such plan. Raises StalePlanError or UnknownPartError."""
    patient = await store.patient_of(tx.connection, revision.plan_id)
    if patient is None:
        return None
    await tx.lock([patient])
    course = await store.course_of(tx.connection, revision.plan_id)
    if course is None or course.plan is None:
        return None
    if course.plan.version != revision.version:
        raise StalePlanError(course.plan.version)
    changed = course.model_copy(update={"added": change(course.added, course.plan)})
    return await _tell(tx, changed, revision) or course.plan


async def _tell(tx: Transaction, course: Course, revision: Revision) -> CarePlan | None:
    course, fact = next_version(course, revision.reason)
    if fact is None:
        return None
    draft = Draft(
        fact=fact,
        subject=fact.plan.patient.id,
        time=await tx.now(),
        correlation_id=str(fact.plan.transition_id),
        causation_id=revision.request_id,
        version=fact.plan.version,
    )
    kept = KeptVersion(plan=fact.plan, reason=revision.reason, actor=revision.actor, event_id=draft.id)
    await store.save(tx.connection, [course])
    await store.keep(tx.connection, [kept])
    await tx.publish([draft])
    return fact.plan


def add_need(text: str) -> Change:
    return lambda added, _plan: added.model_copy(update={"needs": (*added.needs, text)})


def add_goal(text: str) -> Change:
    goal = Goal(code=f"own-{uuid7()}", text=text)
    return lambda added, _plan: added.model_copy(update={"goals": (*added.goals, goal)})


def add_activity(title: str) -> Change:
    activity = Activity(code=f"own-{uuid7()}", title=title, status="not-started")
    return lambda added, _plan: added.model_copy(update={"activities": (*added.activities, activity)})


def set_goal_status(code: str, status: str) -> Change:
    def change(added: Additions, plan: CarePlan) -> Additions:
        if code not in {goal.code for goal in plan.goals}:
            raise UnknownPartError
        return added.model_copy(update={"goal_status": added.goal_status | {code: status}})

    return change


def set_activity_status(code: str, status: str) -> Change:
    """Only of an activity without a task: what has a clock is completed in transitions, with its evidence."""

    def change(added: Additions, plan: CarePlan) -> Additions:
        if code not in {activity.code for activity in plan.activities if activity.task_id is None}:
            raise UnknownPartError
        return added.model_copy(update={"activity_status": added.activity_status | {code: status}})

    return change
