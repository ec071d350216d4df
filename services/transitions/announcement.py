"""What is said of a change: the difference between a transition before and after, as events. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from services.transitions.followed import Followed, transition_id
from services.transitions.task import Obligation, Why
from shared.events import AnyEvent, Draft
from shared.events.transitions import (
    QuickReturnDetected,
    ReadmissionDetected,
    ReadmissionWithdrawn,
    RiskScored,
    TaskCancelled,
    TaskChanged,
    TaskClaimed,
    TaskCompleted,
    TaskCreated,
    TaskEscalated,
    TaskFact,
    TaskStatus,
    Transition,
    TransitionChanged,
    TransitionClosed,
    TransitionFact,
    TransitionOpened,
    TransitionRevoked,
    TransitionStatus,
)

Drafted = tuple[Draft, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What made the change: an event, a request or a timer; `at` is when that happened (UTC)."""

    id: str
    at: datetime
    late: bool = False
    traceparent: str | None = None

    @classmethod
    def of(cls, event: AnyEvent) -> Self:
        return cls(id=str(event.id), at=event.time, late=event.late, traceparent=event.traceparent)


def announce(
    before: Followed | None, after: Followed, cause: Cause, why: Why = Why.CORRECTED
) -> tuple[Followed, Drafted]:
    """Raises the versions of what changed, and says it: first the transition, then its tasks, its closing last.

    `why` is the reason told where the transition changed but its status did not.
    """
    after = _count_versions(before, after)
    return after, tuple(_changes(before, after, cause, why))


def _count_versions(before: Followed | None, after: Followed) -> Followed:
    known = {o.task.id: o for o in before.tasks} if before else {}
    tasks = tuple(_count_version(known.get(o.task.id), o) for o in after.tasks)
    if before is not None and _told_of(before) == _told_of(after):
        return replace(after, tasks=tasks)
    version = (before.transition.version if before else 0) + 1
    return replace(after, transition=after.transition.model_copy(update={"version": version}), tasks=tasks)


def _told_of(followed: Followed) -> tuple[Any, ...]:
    return (followed.transition, followed.readmission, followed.weighed.scores)


def _count_version(before: Obligation | None, after: Obligation) -> Obligation:
    if before is not None and before.task == after.task:
        return after
    # Created and done at once: two things are said, so there are two versions.
    steps = 2 if before is None and after.task.status is TaskStatus.COMPLETED else 1
    version = (before.task.version if before else 0) + steps
    return replace(after, task=after.task.model_copy(update={"version": version}))


def _changes(before: Followed | None, after: Followed, cause: Cause, why: Why) -> Iterator[Draft]:
    status = after.transition.status
    closes = status is TransitionStatus.CLOSED and (before is None or before.transition.status is not status)
    if before is None or not _differ_in_risk_alone(before.transition, after.transition):
        yield from _said_first(before, after, cause, why, closes=closes)
    withdrawn = _withdrawn(before, after)
    if withdrawn is not None:
        ids: dict[str, Any] = {"earlier_encounter_id": withdrawn, "earlier_transition_id": transition_id(withdrawn)}
        yield _say(ReadmissionWithdrawn, after, cause, **ids)
    if after.readmission and (before is None or before.readmission != after.readmission):
        earlier, days = after.readmission.earlier_encounter_id, after.readmission.days
        yield _say(ReadmissionDetected, after, cause, earlier_encounter_id=earlier, days=days)
    if after.transition.returned_from and _returned(before) != _returned(after):
        earlier, hours = after.transition.returned_from, after.transition.returned_after_hours
        yield _say(QuickReturnDetected, after, cause, earlier_encounter_id=earlier, hours=hours)
    if after.weighed.scores and (before is None or before.weighed.scores != after.weighed.scores):
        yield _say(RiskScored, after, cause, scores=after.weighed.scores, inputs=dict(after.weighed.inputs))
    known = {o.task.id: o for o in before.tasks} if before else {}
    for obligation in after.tasks:
        yield from _task_changes(known.get(obligation.task.id), obligation, after.transition, cause)
    if closes:
        yield _say(TransitionClosed, after, cause)


def _returned(followed: Followed | None) -> tuple[UUID | None, int | None] | None:
    return (followed.transition.returned_from, followed.transition.returned_after_hours) if followed else None


def _differ_in_risk_alone(before: Transition, after: Transition) -> bool:
    """Whether nothing else changed: scores are told by themselves."""
    return before == after or before.model_copy(update={"risk": after.risk, "version": after.version}) == after


def _withdrawn(before: Followed | None, after: Followed) -> UUID | None:
    """The earlier stay that this one was told to be a readmission after, and is not."""
    told = before.readmission.earlier_encounter_id if before and before.readmission else None
    return None if after.readmission and after.readmission.earlier_encounter_id == told else told


def _said_first(before: Followed | None, after: Followed, cause: Cause, why: Why, *, closes: bool) -> Iterator[Draft]:
    was = before.transition.status if before else None
    status = after.transition.status
    if was is None or (was is TransitionStatus.REVOKED and status is not was):
        yield _say(TransitionOpened, after, cause)
    elif status is TransitionStatus.REVOKED and was is not status:
        yield _say(TransitionRevoked, after, cause)
    elif not closes:
        yield _say(TransitionChanged, after, cause, why if was is status else after.why)


def _task_changes(
    before: Obligation | None, after: Obligation, transition: Transition, cause: Cause
) -> Iterator[Draft]:
    if before is None:
        yield say_task(TaskCreated, transition, _as_created(after), cause, None)
        if after.is_live:
            return
    elif before.task == after.task:
        return
    level = after.task.escalation_level
    if after.runs and before is not None and level > before.task.escalation_level:
        role = after.rule.ladder[level - 1].role
        yield say_task(TaskEscalated, transition, after, cause, after.why, level=level, to_role=role)
        return
    fact = _fact_of(before, after)
    yield say_task(fact, transition, after, cause, after.why)


def _as_created(obligation: Obligation) -> Obligation:
    """The task as it was before the evidence that was already there completed it."""
    if obligation.is_live:
        return obligation
    asked = {"status": TaskStatus.REQUESTED, "version": 1, "evidence_event_id": None, "outcome": None}
    asked |= {"closure": None, "done_at": None}
    return replace(obligation, task=obligation.task.model_copy(update=asked))


def _fact_of(before: Obligation | None, after: Obligation) -> type[TaskFact]:
    status = after.task.status
    if status is TaskStatus.COMPLETED:
        return TaskCompleted
    if status is TaskStatus.CANCELLED:
        return TaskCancelled
    claimed = before is not None and status is TaskStatus.ACCEPTED and before.task.owner != after.task.owner
    return TaskClaimed if claimed else TaskChanged


def _say(fact: type[TransitionFact], after: Followed, cause: Cause, why: Why | None = None, **more: Any) -> Draft:
    said = fact(transition=after.transition, reason=(why or after.why).value, **more)
    return draft(said, after.transition, cause, version=after.transition.version)


def say_task(
    fact: type[TaskFact], transition: Transition, obligation: Obligation, cause: Cause, why: Why | None, **more: Any
) -> Draft:
    said = fact(transition=transition, task=obligation.task, reason=why.value if why else None, **more)
    return draft(said, transition, cause, version=obligation.task.version)


def draft(fact: TransitionFact | TaskFact, transition: Transition, cause: Cause, *, version: int) -> Draft:
    return Draft(
        fact=fact,
        subject=transition.patient.id,
        time=cause.at,
        correlation_id=str(transition.encounter_id),
        causation_id=cause.id,
        version=version,
        late=cause.late,
        historical=transition.historical,
        traceparent=cause.traceparent,
    )
