"""What an alert asks for: a task in the patient's transition, perhaps a visit by video; and what is said of it."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.transitions.announcement import Cause
from services.transitions.cases import Cases
from services.transitions.due import due
from services.transitions.followed import Followed
from services.transitions.monitoring import store
from services.transitions.monitoring.alert import MISSING, Alert
from services.transitions.monitoring.rules import Severity
from services.transitions.monitoring.store import Monitoring
from services.transitions.protocols import Library
from services.transitions.task import NotAllowedError, Obligation, Why
from shared.events import Draft
from shared.events.monitoring import AlertAcknowledged, AlertFact, AlertRaised, AlertWithdrawn
from shared.events.transitions import Transition
from shared.postgres import Transaction

OUTREACH, TELEHEALTH = "monitoring-outreach", "telehealth-visit"
TASKS = {Severity.ADVISORY: "monitoring-advisory", Severity.URGENT: "monitoring-urgent"}


async def answer(
    tx: Transaction,
    library: Library,
    monitoring: Monitoring,
    known: Sequence[Alert],
    changed: Sequence[Alert],
    cause: Cause,
) -> None:
    """Opens tasks for new alerts, cancels those of withdrawn ones, saves and says it all."""
    if not changed:
        return
    cases = await Cases.load(tx, library, [monitoring.patient_id], [monitoring.encounter_id], since=cause.at)
    told = {alert.id for alert in known}
    saved = []
    for alert in changed:
        if alert.id not in told:
            saved.append(_open(cases, library, monitoring, alert, cause))
        else:
            _cancel(cases, monitoring.encounter_id, {alert.task_id}, cause)
            saved.append(alert)
        fact: type[AlertFact] = AlertWithdrawn if alert.withdrawn_at else AlertRaised
        cases.drafts.append(say(fact, saved[-1], _transition(cases, monitoring.encounter_id), cause))
    if not _proposes_visit(known, changed):
        _cancel(cases, monitoring.encounter_id, _visits(cases, monitoring.encounter_id), cause)
    await cases.save(tx)
    await store.save_alerts(tx.connection, saved)


def _proposes_visit(known: Sequence[Alert], changed: Sequence[Alert]) -> bool:
    """Whether some alert that stands asks for a visit by video, or none that fell ever did."""
    newest = {alert.id: alert for alert in (*known, *changed)}.values()
    fell = any(alert.telehealth and not alert.stands for alert in changed)
    return not fell or any(alert.telehealth and alert.stands for alert in newest)


def _visits(cases: Cases, encounter_id: UUID) -> set[UUID | None]:
    return {o.task.id for o in _followed(cases, encounter_id).tasks if o.task.code == TELEHEALTH}


def _open(cases: Cases, library: Library, monitoring: Monitoring, alert: Alert, cause: Cause) -> Alert:
    """The alert with its task. Without severity it is for information: shown, and nobody's task."""
    code = OUTREACH if alert.rule == MISSING else TASKS.get(alert.severity)
    if code is None:
        return alert
    task = open_task(cases, library, monitoring.encounter_id, code, alert.text, alert.raised_at, cause)
    if alert.telehealth:
        open_task(cases, library, monitoring.encounter_id, TELEHEALTH, None, alert.raised_at, cause)
    return replace(alert, task_id=task)


def open_task(
    cases: Cases, library: Library, encounter_id: UUID, code: str, about: str | None, at: datetime, cause: Cause
) -> UUID | None:
    """A task that is asked for by what happened, not by the stay. None when one of this kind is open already and says
    nothing of its own (`about`).
    """
    followed = _followed(cases, encounter_id)
    same = [o for o in followed.tasks if o.task.code == code]
    if about is None and any(o.is_live for o in same):
        return None
    rule, protocol = library.on_request(code)
    until = due(rule.due, at, followed.transition.facility)
    new = Obligation.create(followed.transition.id, len(same) + 1, rule, protocol, until, None)
    title = f"{rule.title}: {about}" if about else rule.title
    new = replace(new, task=new.task.model_copy(update={"title": title, "asked_at": at}))
    _put(cases, replace(followed, tasks=(*followed.tasks, new)), cause)
    return new.task.id


def _cancel(cases: Cases, encounter_id: UUID, ids: Collection[UUID | None], cause: Cause) -> None:
    followed = _followed(cases, encounter_id)
    tasks = tuple(o.cancel(Why.CORRECTED) if o.task.id in ids and o.is_live else o for o in followed.tasks)
    if tasks != followed.tasks:
        _put(cases, replace(followed, tasks=tasks), cause)


async def acknowledge(
    tx: Transaction, library: Library, monitoring: Monitoring, alert: Alert, actor: str, outcome: str, cause: Cause
) -> Alert:
    """Somebody has answered the alert: its task is done. Raises NotAllowedError when it is over already."""
    if not alert.is_open:
        raise NotAllowedError("the alert was acknowledged or withdrawn already")
    cases = await Cases.load(tx, library, [monitoring.patient_id], [monitoring.encounter_id], since=cause.at)
    followed = _followed(cases, monitoring.encounter_id)
    tasks = tuple(
        o.complete_by_person(cause.at, outcome, actor) if o.task.id == alert.task_id and o.runs else o
        for o in followed.tasks
    )
    if tasks != followed.tasks:
        _put(cases, replace(followed, tasks=tasks), cause)
    answered = replace(alert, acknowledged_at=cause.at, acknowledged_by=actor)
    cases.drafts.append(say(AlertAcknowledged, answered, _transition(cases, monitoring.encounter_id), cause))
    await cases.save(tx)
    await store.save_alerts(tx.connection, [answered])
    return answered


def _followed(cases: Cases, encounter_id: UUID) -> Followed:
    followed = cases.find(encounter_id)
    if followed is None:
        raise NotAllowedError("the transition of this monitoring is not there")
    return followed


def _transition(cases: Cases, encounter_id: UUID) -> Transition:
    return _followed(cases, encounter_id).transition


def _put(cases: Cases, changed: Followed, cause: Cause) -> None:
    case = cases.of(changed.transition.patient.id)
    key = changed.transition.encounter_id
    cases.put(replace(case, followed={**case.followed, key: changed}), cause)


def say(fact: type[AlertFact], alert: Alert, transition: Transition, cause: Cause) -> Draft:
    said = fact(
        followup_id=alert.id,
        patient=transition.patient,
        facility=transition.facility,
        encounter_id=transition.encounter_id,
        transition_id=transition.id,
        actor=alert.acknowledged_by,
        signal=alert.signal,
        rule=alert.rule,
        severity=alert.severity.name.lower(),
        text=alert.text,
        raised_at=alert.raised_at,
        task_id=alert.task_id,
        proposes_visit=alert.telehealth,
        reason=alert.withdrawn_because,
    )
    return Draft(
        fact=said,
        subject=transition.patient.id,
        time=cause.at,
        correlation_id=str(transition.encounter_id),
        causation_id=cause.id,
        traceparent=cause.traceparent,
    )
