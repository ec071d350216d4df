"""The rules of care plans, pure: (courses of one or more patients, events) -> (courses, new versions of plans)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from services.careplan.catalogue import Catalogue, died
from services.careplan.course import Course, Frame, KnownTask, derive, says_the_same
from shared.events import AnyEvent, Draft
from shared.events.plans import (
    Activity,
    CarePlan,
    PlanActivated,
    PlanCompleted,
    PlanFact,
    PlanRevised,
    PlanRevoked,
    PlanStatus,
)
from shared.events.transitions import (
    ReadmissionDetected,
    ReadmissionWithdrawn,
    TaskFact,
    Transition,
    TransitionClosed,
    TransitionFact,
    TransitionSnapshot,
    TransitionStatus,
)

ADMITTED_AGAIN = "admitted-again"
"""Why transitions closes a transition whose patient came back: the plan is suspended, not completed."""
Courses = Mapping[UUID, Course]
Survivors = Mapping[str, str]
Change = tuple[Course, str]


@dataclass(frozen=True, slots=True)
class Version:
    """A new version of a plan, why there is one, and the event that says so."""

    plan: CarePlan
    reason: str
    fact: PlanFact
    draft: Draft


@dataclass(slots=True)
class Followed:
    """What came of a batch: the courses as they now stand, which of them changed, and the versions to tell."""

    courses: dict[UUID, Course]
    changed: set[UUID] = field(default_factory=set)
    versions: list[Version] = field(default_factory=list)


def follow(
    courses: Courses, events: Sequence[AnyEvent], catalogue: Catalogue, survivors: Survivors | None = None
) -> Followed:
    """Applies events in order. Changes of one course are told together, but never two statuses as one.

    `survivors` says under which id a merged patient lives on.
    """
    followed = Followed(dict(courses))
    untold: dict[UUID, tuple[AnyEvent, str]] = {}
    for event in events:
        for after, reason in _hear(followed.courses, event, catalogue, survivors or {}):
            key = after.transition.id
            before = followed.courses.get(key)
            turned = before is None or before.status_due is not after.status_due
            told = after
            if before and turned and key in untold and _status_is_untold(before):
                told = after.model_copy(update={"plan": _tell(followed, before, *untold.pop(key)).plan})
            followed.courses[key] = told
            followed.changed.add(key)
            if turned or key not in untold:
                untold[key] = (event, reason)
    for key, (event, reason) in untold.items():
        _tell(followed, followed.courses[key], event, reason)
    return followed


def next_version(course: Course, reason: str) -> tuple[Course, PlanFact | None]:
    """The course with the version that it asks for, and the fact that tells it (None: there is nothing new)."""
    plan = derive(course)
    if plan is None or (course.plan and says_the_same(plan, course.plan)):
        return course, None
    return course.model_copy(update={"plan": plan}), _fact(course.plan, plan, reason)


def _hear(courses: Courses, event: AnyEvent, catalogue: Catalogue, survivors: Survivors) -> Iterator[Change]:
    fact = event.fact
    if event.snapshot or isinstance(fact, TransitionSnapshot) or not isinstance(fact, TransitionFact | TaskFact):
        return
    transition = _of_survivor(fact.transition, survivors)
    before = courses.get(transition.id) or Course(transition=transition.model_copy(update={"version": 0}))
    if isinstance(fact, TaskFact):
        # What a task event says of its transition is said by an event of the transition's own, which is the later one
        # when it closes.
        course = before.with_task(KnownTask.of(fact.task))
        reason = f"task {fact.task.code}: {fact.task.status.value}"
    else:
        course = _with_transition(before, transition, fact, catalogue)
        reason = fact.reason or _reason(course)
    if before.frame is None and course.frame is not None:
        superseded = [c for c in _others(courses, course) if c.is_held and not c.superseded_by and c.frame]
        course = _changed(course, replaces=_latest(superseded))
        yield from ((_changed(c, superseded_by=transition.id), "superseded at the next discharge") for c in superseded)
    revoked = course.transition.status is TransitionStatus.REVOKED
    # A stay that moved to another patient is told on both patients' streams, in any order: the later version holds.
    if isinstance(fact, ReadmissionDetected) and not revoked and transition.version >= before.transition.version:
        held = [c for c in _others(courses, course) if _is_suspended_by(c, fact)]
        yield from ((_changed(c, held_by=transition.id), "readmission") for c in held)
        course = _changed(course, held_by=transition.id) if _is_suspended_by(course, fact) else course
    if isinstance(fact, ReadmissionWithdrawn) and transition.version >= before.transition.version:
        held = [c for c in courses.values() if c.held_by == transition.id and _is_earlier(c, fact)]
        yield from ((_no_longer_superseded(_changed(c, held_by=None)), "readmission withdrawn") for c in held)
    if revoked:
        bound = [c for c in _others(courses, course) if _is_bound_by(c, transition.id)]
        yield from ((_released(c), "readmission revoked") for c in bound)
    if course != courses.get(transition.id):
        yield course, reason


def _others(courses: Courses, course: Course) -> list[Course]:
    """The same patient's other courses. Asked for where they matter only: a batch has many patients."""
    key, patient = course.transition.id, course.transition.patient.id
    return [c for k, c in courses.items() if k != key and c.transition.patient.id == patient]


def _of_survivor(transition: Transition, survivors: Survivors) -> Transition:
    survivor = survivors.get(transition.patient.id, transition.patient.id)
    if survivor == transition.patient.id:
        return transition
    return transition.model_copy(update={"patient": transition.patient.model_copy(update={"id": survivor})})


def _is_suspended_by(course: Course, fact: ReadmissionDetected) -> bool:
    return course.held_by is None and _is_earlier(course, fact)


def _is_earlier(course: Course, fact: ReadmissionDetected | ReadmissionWithdrawn) -> bool:
    return course.transition.encounter_id == fact.earlier_encounter_id


def _with_transition(course: Course, transition: Transition, fact: TransitionFact, catalogue: Catalogue) -> Course:
    if transition.version < course.transition.version:
        return course
    is_closed = transition.status is TransitionStatus.CLOSED
    suspended = is_closed and (
        fact.reason == ADMITTED_AGAIN if isinstance(fact, TransitionClosed) else course.is_suspended
    )
    course = course.model_copy(update={"transition": transition, "is_suspended": suspended})
    course = _no_longer_superseded(course)
    is_planned = transition.status is TransitionStatus.FOLLOWING or (is_closed and died(transition))
    if transition.historical or not is_planned:
        return course
    frame = catalogue.choose(transition)
    if course.frame and course.frame.template == frame.template:
        return course
    return _reframed(course, frame)


def _reframed(course: Course, frame: Frame) -> Course:
    """The course on another frame; what people had already done under the old one stays as their own."""
    kept = tuple(
        Activity(code=planned.code, title=planned.title)
        for planned in (course.frame.activities if course.frame else ())
        if planned.code in course.added.activity_status and planned.code not in {a.code for a in frame.activities}
    )
    added = course.added.model_copy(update={"activities": course.added.activities + kept})
    return course.model_copy(update={"frame": frame, "added": added})


def _is_bound_by(course: Course, transition_id: UUID) -> bool:
    return transition_id in {course.held_by, course.superseded_by}


def _changed(course: Course, **update: UUID | None) -> Course:
    return course.model_copy(update=update)


def _released(course: Course) -> Course:
    return course.model_copy(update={"held_by": None, "superseded_by": None})


def _no_longer_superseded(course: Course) -> Course:
    """Another plan takes the place only of one that a return to hospital holds: without the return both go on."""
    return course if course.is_held else _changed(course, superseded_by=None)


def _latest(courses: Iterable[Course]) -> UUID | None:
    known = [(c.transition.discharged_at, c.plan_id) for c in courses]
    return max(known, key=lambda k: (k[0] is not None, str(k[0]), str(k[1])))[1] if known else None


def _status_is_untold(course: Course) -> bool:
    return course.status_due is not (course.plan.status if course.plan else None)


def _tell(followed: Followed, course: Course, event: AnyEvent, reason: str) -> Course:
    course, fact = next_version(course, reason)
    followed.courses[course.transition.id] = course
    if fact:
        draft = Draft.answering(event, fact, correlation_id=str(course.transition.id), version=fact.plan.version)
        draft = replace(draft, subject=course.transition.patient.id)
        followed.versions.append(Version(fact.plan, reason, fact, draft))
    return course


def _fact(earlier: CarePlan | None, plan: CarePlan, reason: str) -> PlanFact:
    if earlier is None and plan.status is PlanStatus.ACTIVE:
        return PlanActivated(plan=plan, reason=reason)
    if earlier is not None and earlier.status is plan.status:
        return PlanRevised(plan=plan, reason=reason)
    kinds: dict[PlanStatus, type[PlanFact]] = {
        PlanStatus.COMPLETED: PlanCompleted,
        PlanStatus.REVOKED: PlanRevoked,
    }
    return kinds.get(plan.status, PlanRevised)(plan=plan, reason=reason)


def _reason(course: Course) -> str:
    return {
        TransitionStatus.FOLLOWING: "discharged",
        TransitionStatus.ON_HOLD: "discharge taken back",
        TransitionStatus.CLOSED: "transition closed",
        TransitionStatus.REVOKED: "transition revoked",
        TransitionStatus.OPEN: "stay goes on",
    }[course.transition.status]
