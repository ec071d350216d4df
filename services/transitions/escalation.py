"""The ladder: which level of a task is told when. Level 0 says it is overdue, each further one tells a role. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.transitions.announcement import Cause, Drafted, say_task
from services.transitions.task import Obligation, Why
from shared.events.transitions import TaskEscalated, TaskOverdue, Transition


@dataclass(frozen=True, slots=True)
class Timer:
    """A level of a task's ladder and when it is told (UTC)."""

    task_id: UUID
    level: int
    due_at: datetime


def timers(obligation: Obligation) -> tuple[Timer, ...]:
    """What is still to be told if nobody acts; nothing for a task that is done, on hold or has no due time."""
    task = obligation.task
    if not obligation.runs or task.due_at is None:
        return ()
    times = (task.due_at, *(task.due_at + step.after for step in obligation.rule.ladder))
    return tuple(Timer(task.id, level, at) for level, at in enumerate(times) if level >= obligation.fired)


def fire(
    transition: Transition, obligation: Obligation, timer: Timer, *, is_uncertain: bool
) -> tuple[Obligation, Drafted]:
    """Tells the timer's level, once: an obligation that was told it, or whose clock stands, is left as it is.

    `is_uncertain`: the patient's events are parked, so that the task may have been done without our knowing it.
    """
    if not obligation.runs or timer.level < obligation.fired:
        return obligation, ()
    task = obligation.task.model_copy(update={"version": obligation.task.version + 1, "escalation_level": timer.level})
    told = replace(obligation, task=task, fired=timer.level + 1)
    why = Why.STATE_UNCERTAIN if is_uncertain else None
    cause = Cause(id=f"timer:{timer.task_id}:{timer.level}", at=timer.due_at)
    if timer.level == 0:
        return told, (say_task(TaskOverdue, transition, told, cause, why),)
    step = obligation.rule.ladder[timer.level - 1]
    return told, (say_task(TaskEscalated, transition, told, cause, why, level=timer.level, to_role=step.role),)
