"""The ladder: which level of a task is told when. Level 0 says it is overdue, each further one tells a role. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.transitions.announcement import Cause, Drafted, say_task
from services.transitions.task import Obligation, Why
from services.transitions.task_rule import QuietHours
from shared.calendar import zone_of
from shared.events.transitions import TaskEscalated, TaskOverdue, Transition

LAPSE = 1000
"""The level at which nobody is told but the obligation ends: its window has passed."""


@dataclass(frozen=True, slots=True)
class Timer:
    """A level of a task's ladder and when it is told (UTC)."""

    task_id: UUID
    level: int
    due_at: datetime


def timers(obligation: Obligation, zone: str) -> tuple[Timer, ...]:
    """What is still to come if nobody acts; nothing for a task that is done, on hold or has no due time.

    A level is told after the due time, not before `tell_from` (the anchor was heard of late), not while the ladder
    rests, and not in quiet hours, which are the facility's (`zone`) own.
    """
    task = obligation.task
    if not obligation.runs or task.due_at is None:
        return ()
    told = _times(obligation, task.due_at, zone)
    ladder = tuple(Timer(task.id, level, at) for level, at in enumerate(told) if level >= obligation.fired)
    if task.owed_until is None:
        return ladder
    return (*ladder, Timer(task.id, LAPSE, max(task.owed_until, task.tell_from or task.owed_until)))


def _times(obligation: Obligation, due_at: datetime, zone: str) -> list[datetime]:
    task, rule = obligation.task, obligation.rule
    overdue = max(due_at, task.tell_from or due_at)
    told = [overdue]
    for step in rule.ladder:
        at = max(overdue + step.after, task.rests_until or overdue)
        told.append(at if step.urgent or rule.quiet is None else out_of_quiet(rule.quiet, at, zone))
    # Levels stay in their order: who comes before an urgent level is told with it at the latest.
    for level in range(len(told) - 2, -1, -1):
        told[level] = min(told[level], told[level + 1])
    return told


def out_of_quiet(quiet: QuietHours, at: datetime, zone: str) -> datetime:
    """`at`, or the end of the quiet hours it falls into. Local times: on a night of 23 or 25 hours they end at the
    same time on the wall as on any other.
    """
    local = at.astimezone(zone_of(zone))
    over_midnight = quiet.until < quiet.begin
    clock = local.time()
    inside = clock >= quiet.begin or clock < quiet.until if over_midnight else quiet.begin <= clock < quiet.until
    if not inside:
        return at
    day = local.date() + timedelta(days=1) if over_midnight and clock >= quiet.begin else local.date()
    return datetime.combine(day, quiet.until, zone_of(zone)).astimezone(at.tzinfo)


def fire(
    transition: Transition, obligation: Obligation, timer: Timer, *, is_uncertain: bool
) -> tuple[Obligation, Drafted]:
    """Tells the timer's level, once: an obligation that was told it, or whose clock stands, is left as it is.

    `is_uncertain`: the patient's events are parked, so that the task may have been done without our knowing it.
    """
    if not obligation.runs or timer.level < obligation.fired:
        return obligation, ()
    task = obligation.task
    if 0 < timer.level <= task.escalation_level:
        # A person escalated to this level before its time.
        return replace(obligation, fired=timer.level + 1), ()
    raised = {"version": task.version + 1, "escalation_level": max(timer.level, task.escalation_level)}
    told = replace(obligation, task=task.model_copy(update=raised), fired=timer.level + 1)
    why = Why.STATE_UNCERTAIN if is_uncertain else None
    cause = Cause(id=f"timer:{timer.task_id}:{timer.level}", at=timer.due_at)
    if timer.level == 0:
        return told, (say_task(TaskOverdue, transition, told, cause, why),)
    step = obligation.rule.ladder[timer.level - 1]
    return told, (say_task(TaskEscalated, transition, told, cause, why, level=timer.level, to_role=step.role),)
