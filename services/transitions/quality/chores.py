"""What measures say of referrals, tasks, and levels of ladders. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from services.transitions.quality.measures import LevelMeasure, ReferralMeasure, TaskMeasure
from services.transitions.quality.outcome import History, Outcome, Owed
from services.transitions.referrals.referral import Referral
from services.transitions.referrals.states import Kind, State
from shared.calendar import end_of_day, local_date
from shared.events.transitions import Closure, Task, TaskStatus

NOT_COUNTED = {
    State.DRAFT: "draft",
    State.ENTERED_IN_ERROR: "entered-in-error",
    State.CANCELLED: "cancelled",
    State.REROUTED: "rerouted",
}
"""Referrals that nobody owes a report of: a rerouted one is counted as its replacement."""


def count_referrals(measure: ReferralMeasure, history: History) -> list[Outcome]:
    return [_of_referral(measure, one) for one in history.referrals]


def _of_referral(measure: ReferralMeasure, referral: Referral) -> Outcome:
    terms = referral.terms
    zone = terms.facility.time_zone if terms.facility else "UTC"
    asked_on = local_date(referral.requested_at, zone)
    last = asked_on + timedelta(days=measure.to_day)
    shown = _shown_at(measure, referral)
    in_time = shown is not None and local_date(shown[0], zone) <= last
    exclusion = "suspected-duplicate" if referral.is_held else NOT_COUNTED.get(referral.state)
    days = (local_date(shown[0], zone) - asked_on).days if shown else None
    return Outcome.of_referral(
        measure,
        referral,
        asked_on,
        closes_at=end_of_day(last, zone),
        exclusion=exclusion,
        met=in_time and exclusion is None,
        met_at=shown[0] if shown else None,
        event_id=shown[1] if shown else None,
        value=float(days) if days is not None else None,
        why=_left_out(exclusion) or f"{asked_on} to {last}: {referral.state.value}",
    )


def _shown_at(measure: ReferralMeasure, referral: Referral) -> tuple[datetime, UUID] | None:
    """When the loop was closed, or the result that stands came back."""
    if measure.asks is None:
        return (referral.since, referral.step) if referral.state is State.CLOSED else None
    if measure.asks not in referral.proofs:
        return None
    results = [deed for deed in referral.deeds if deed.kind is Kind.RESULT]
    withdrawn = max((d.order for d in referral.deeds if d.kind is Kind.WITHDRAW_RESULT), default=None)
    standing = [deed for deed in results if withdrawn is None or deed.order > withdrawn]
    first = min(standing, key=lambda deed: deed.order, default=None)
    return (first.at, first.event_id) if first else None


def count_tasks(measure: TaskMeasure, history: History) -> list[Outcome]:
    return [_of_task(measure, owed, owed.task.due_at) for owed in history.tasks if owed.task.due_at is not None]


def _of_task(measure: TaskMeasure, owed: Owed, due_at: datetime) -> Outcome:
    task = owed.task
    exclusion = _not_owed(task)
    done = task.closure is Closure.MET
    in_time = measure.met == "in-time"
    met = done if in_time else task.escalation_level > 0
    closes = due_at if in_time else (task.done_at or task.owed_until or due_at)
    told = f"{task.code}: " + (f"{task.closure.value}" if task.closure else task.status.value)
    return _told(
        measure,
        owed,
        task.id,
        due_at,
        closes_at=min(task.done_at, closes) if in_time and done and task.done_at else closes,
        exclusion=exclusion,
        met=met and exclusion is None,
        met_at=task.done_at,
        event_id=task.evidence_event_id,
        value=round((task.done_at - due_at).total_seconds() / 3600, 2) if task.done_at else None,
        why=f"{told}; level {task.escalation_level}" if not exclusion else f"{task.code}: {_left_out(exclusion)}",
    )


def _not_owed(task: Task) -> str | None:
    if task.status is TaskStatus.ON_HOLD:
        return "discharge-taken-back"
    if task.closure in {Closure.WAIVED, Closure.NOT_OWED}:
        return task.closure.value if task.closure else None
    return None


def count_levels(measure: LevelMeasure, history: History) -> list[Outcome]:
    """Levels that were told: one that is due and was not yet is told by the next look at the clock."""
    return [outcome for owed in history.tasks for outcome in _of_levels(measure, owed)]


def _of_levels(measure: LevelMeasure, owed: Owed) -> Iterable[Outcome]:
    for told in owed.levels:
        late = (told.fired_at - told.due_at).total_seconds()
        yield _told(
            measure,
            owed,
            uuid5(owed.task.id, f"level/{told.level}"),
            told.due_at,
            closes_at=told.fired_at,
            met=late <= measure.within_seconds,
            met_at=told.fired_at,
            value=round(late, 3),
            why=f"{owed.task.code}: level {told.level}",
        )


def _told(
    measure: TaskMeasure | LevelMeasure,
    owed: Owed,
    about: UUID,
    counted_at: datetime,
    *,
    closes_at: datetime,
    met: bool,
    met_at: datetime | None,
    value: float | None,
    why: str,
    exclusion: str | None = None,
    event_id: UUID | None = None,
) -> Outcome:
    stay = owed.transition
    return Outcome(
        measure=measure.id,
        version=measure.version,
        about=about,
        patient_id=stay.patient.id,
        transition_id=stay.id,
        facility=stay.facility.code,
        organisation=stay.pcp_organisation,
        protocols=(owed.task.protocol.name,),
        counted_at=counted_at,
        counted_on=local_date(counted_at, stay.facility.time_zone),
        closes_at=closes_at,
        exclusion=exclusion,
        met=met,
        met_at=met_at,
        event_id=event_id,
        value=value,
        why=why,
    )


def _left_out(exclusion: str | None) -> str | None:
    return f"left out: {exclusion.replace('-', ' ')}" if exclusion else None
