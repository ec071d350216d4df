"""A course: all that careplan knows of one transition, and the plan that follows from it.

The plan is never edited; it is derived from the course. Whoever hears the same facts, in whatever batches, has the
same plan.
"""

from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import Field

from shared.events import Part, id_beside
from shared.events.people import Participant, Practitioner
from shared.events.plans import Activity, CarePlan, Goal, PlanStatus, TeamMember
from shared.events.transitions import Task, TaskStatus, Transition, TransitionStatus

# FHIR R4 CarePlan.activity.detail.status for each Task.status.
ACTIVITY_STATUS = {
    TaskStatus.REQUESTED: "scheduled",
    TaskStatus.ACCEPTED: "in-progress",
    TaskStatus.ON_HOLD: "on-hold",
    TaskStatus.COMPLETED: "completed",
    TaskStatus.CANCELLED: "cancelled",
}
OPEN_ENDED = "not-started"  # an activity that no task keeps a clock for
ENDED = frozenset({"completed", "cancelled"})
ROLE_OF_PARTICIPATION = {"ATND": "attending", "REF": "referring", "CON": "consulting", "ADM": "admitting"}


class PlannedActivity(Part):
    """What a template plans; `tasks` are the codes of tasks in transitions that keep its clock."""

    code: str
    title: str
    tasks: tuple[str, ...] = ()

    def takes(self, task: "KnownTask") -> bool:
        return task.code == self.code or task.code in self.tasks


class Frame(Part):
    """The chosen templates as they stood when the plan was activated: a newer template never rewrites a plan.

    One that `outlives` its transition goes on after that is closed, until people have done all it plans.
    """

    template: str
    template_version: str
    needs: tuple[str, ...] = ()
    goals: tuple[Goal, ...] = ()
    activities: tuple[PlannedActivity, ...] = ()
    team: tuple[str, ...] = ()
    outlives: bool = False


class KnownTask(Part):
    """A task of transitions without its clock: plans have no due times."""

    id: UUID
    version: int
    code: str
    title: str
    status: TaskStatus
    owner_role: str
    owner: str | None = None

    @classmethod
    def of(cls, task: Task) -> "KnownTask":
        return cls(
            id=task.id,
            version=task.version,
            code=task.code,
            title=task.title,
            status=task.status,
            owner_role=task.owner_role,
            owner=task.owner,
        )


class Additions(Part):
    """What people added to the plan or said about it; no template and no event takes it away."""

    needs: tuple[str, ...] = ()
    goals: tuple[Goal, ...] = ()
    activities: tuple[Activity, ...] = ()
    goal_status: dict[str, str] = Field(default_factory=dict)
    activity_status: dict[str, str] = Field(default_factory=dict)


class Course(Part):
    """`held_by` is the transition of a readmission that suspended the plan; `is_suspended`: the transition was closed
    since the patient was admitted again, for whatever reason. `superseded_by` is the transition whose plan took its
    place, `replaces` the plan that this one took the place of. `plan` is the version last told.
    """

    transition: Transition
    tasks: tuple[KnownTask, ...] = ()
    frame: Frame | None = None
    added: Additions = Additions()
    held_by: UUID | None = None
    is_suspended: bool = False
    superseded_by: UUID | None = None
    replaces: UUID | None = None
    plan: CarePlan | None = None

    @property
    def plan_id(self) -> UUID:
        """Follows from the transition's, so that a replay gives the same."""
        if self.transition.id.version == 5:  # noqa: PLR2004  (it says nothing of when the stay began)
            return uuid5(NAMESPACE_URL, f"care-plan:{self.transition.id}")
        return id_beside(self.transition.id, "care-plan")

    @property
    def status_due(self) -> PlanStatus | None:
        """The status that the facts ask for; None while there is nothing to plan."""
        if self.frame is None:
            return None
        status = self.transition.status
        if self.superseded_by or status is TransitionStatus.REVOKED:
            return PlanStatus.REVOKED
        if self.is_held or status in {TransitionStatus.ON_HOLD, TransitionStatus.OPEN}:
            return PlanStatus.ON_HOLD
        is_over = status is TransitionStatus.CLOSED and not (self.frame.outlives and self._has_work(self.frame))
        return PlanStatus.COMPLETED if is_over else PlanStatus.ACTIVE

    @property
    def is_held(self) -> bool:
        return self.held_by is not None or self.is_suspended

    @property
    def is_live(self) -> bool:
        """Whether a later event of this patient may still change it."""
        ended = self.transition.status in {TransitionStatus.CLOSED, TransitionStatus.REVOKED}
        return not ended or self.is_held

    def with_task(self, task: KnownTask) -> "Course":
        """The course with the task as it now stands; an older version of a known task changes nothing."""
        known = {t.id: t for t in self.tasks}
        if task.id in known and known[task.id].version >= task.version:
            return self
        return self.model_copy(update={"tasks": tuple((known | {task.id: task}).values())})

    def _has_work(self, frame: Frame) -> bool:
        """Whether an activity without a task is neither done nor given up."""
        said = self.added.activity_status
        clocked = {planned.code for planned in frame.activities if any(planned.takes(task) for task in self.tasks)}
        codes = {planned.code for planned in frame.activities} - clocked
        codes |= {activity.code for activity in self.added.activities}
        return any(said.get(code) not in ENDED for code in codes)


def derive(course: Course) -> CarePlan | None:
    """The plan that the course asks for, as its next version; None while there is nothing to plan."""
    status, frame, transition = course.status_due, course.frame, course.transition
    if status is None or frame is None:
        return None
    return CarePlan(
        id=course.plan_id,
        version=course.plan.version + 1 if course.plan else 1,
        patient=transition.patient,
        facility=transition.facility,
        transition_id=transition.id,
        encounter_id=transition.encounter_id,
        status=status,
        template=frame.template,
        template_version=frame.template_version,
        needs=tuple(dict.fromkeys(frame.needs + course.added.needs)),
        addresses=transition.diagnoses,
        goals=_goals(frame, course.added),
        activities=_activities(frame, course),
        team=_team(frame, course),
        replaces=course.replaces,
    )


def says_the_same(plan: CarePlan, earlier: CarePlan) -> bool:
    """Whether nothing but the patient's demographic data differs: that alone makes no new version."""
    mine, theirs = (p.model_copy(update={"version": 0, "patient": None}) for p in (plan, earlier))
    return mine == theirs and plan.patient.id == earlier.patient.id


def _goals(frame: Frame, added: Additions) -> tuple[Goal, ...]:
    return tuple(
        goal.model_copy(update={"status": added.goal_status.get(goal.code, goal.status)})
        for goal in frame.goals + added.goals
    )


def _activities(frame: Frame, course: Course) -> tuple[Activity, ...]:
    left = list(course.tasks)
    activities: list[Activity] = []
    for planned in frame.activities:
        taken = [task for task in left if planned.takes(task)]
        left = [task for task in left if task not in taken]
        activities += [_kept(planned.code, planned.title, task) for task in taken]
        if not taken:
            activities.append(_unkept(planned, course))
    activities += [_kept(task.code, task.title, task) for task in left]
    return (*activities, *(_own(activity, course.added) for activity in course.added.activities))


def _kept(code: str, title: str, task: KnownTask) -> Activity:
    return Activity(code=code, title=title, status=ACTIVITY_STATUS[task.status], task_id=task.id)


def _unkept(planned: PlannedActivity, course: Course) -> Activity:
    said = course.added.activity_status.get(planned.code)
    status = "cancelled" if said is None and course.status_due is PlanStatus.REVOKED else said or OPEN_ENDED
    return Activity(code=planned.code, title=planned.title, status=status)


def _own(activity: Activity, added: Additions) -> Activity:
    return activity.model_copy(update={"status": added.activity_status.get(activity.code, activity.status)})


def _team(frame: Frame, course: Course) -> tuple[TeamMember, ...]:
    transition = course.transition
    named = [_participant(p) for p in transition.participants]
    if transition.pcp or transition.pcp_organisation:
        named.append(_member("pcp", transition.pcp, transition.pcp_organisation))
    named += [TeamMember(role=task.owner_role, name=task.owner) for task in course.tasks if task.owner]
    taken = {member.role for member in named}
    roles = (*frame.team, *(task.owner_role for task in course.tasks))
    unnamed = [TeamMember(role=role) for role in roles if role not in taken]
    return tuple(dict.fromkeys((*named, *unnamed)))


def _participant(participant: Participant) -> TeamMember:
    role = ROLE_OF_PARTICIPATION.get(participant.role, participant.role)
    return _member(role, participant.practitioner, None)


def _member(role: str, practitioner: Practitioner | None, organisation: str | None) -> TeamMember:
    if practitioner is None:
        return TeamMember(role=role, organisation=organisation)
    return TeamMember(role=role, name=practitioner.name.display, npi=practitioner.npi, organisation=organisation)
