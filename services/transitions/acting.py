"""What people do to tasks and transitions: one transaction each, guarded by the version they saw."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.transitions.announcement import Cause
from services.transitions.cases import Cases
from services.transitions.evidence import Evidence
from services.transitions.evidence_details import about_of, details_of
from services.transitions.followed import Followed
from services.transitions.protocols import Library
from services.transitions.staleness import is_stale, told_by_clock
from services.transitions.store import tasklists, worklists
from services.transitions.store.worklists import Place
from services.transitions.task import NotAllowedError, Obligation, Why
from shared.events import Draft, uuid7
from shared.events.followups import FollowUpFact
from shared.events.transitions import Task, TaskStatus, Transition
from shared.postgres import Transaction

CLOCKS_APART = timedelta(minutes=5)
"""How far a caller's clock may go before ours: what is said to have happened may lie ahead by so much."""
LONGEST_SNOOZE = timedelta(days=14)
Change = Callable[[Obligation, "Act"], Obligation]


class StaleVersionError(Exception):
    """Somebody else changed it in between; `version` is the current one, `now` says in words how it stands."""

    def __init__(self, version: int, now: str | None = None) -> None:
        super().__init__("stale version")
        self.version = version
        self.now = now


class UnknownError(Exception):
    """There is no such task or transition, or none that the caller may see."""


class AheadError(Exception):
    """An appointment can't have been kept or missed before its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Who asks, by which request, when (UTC, the database's clock), and what they may see; `key` makes it once."""

    actor: str
    request_id: str
    at: datetime
    sees: Callable[..., bool]
    """Of a facility, and of the organisations concerned: `Caller.sees`."""
    key: str | None = None

    @property
    def cause(self) -> Cause:
        return Cause(id=f"request:{self.request_id}", at=self.at)


async def act_on_task(
    tx: Transaction, library: Library, task_id: UUID, version: int, act: Act, change: Change, note: str | None = None
) -> Task:
    """The task after the change; `note` is kept beside it. Raises UnknownError, StaleVersionError, or NotAllowedError
    as the task stands.
    """
    place = _visible(await worklists.place_of_task(tx.connection, task_id), act)
    cases, followed = await _open(tx, library, place, act)
    obligation = _task_in(followed, task_id)
    if not await _is_first(tx, task_id, act):
        return obligation.task
    await _must_be_seen(tx, followed, obligation, version, change)
    changed = change(obligation, act)
    _prerequisites_done(followed, changed)
    if note is not None:
        await tasklists.comment(tx.connection, [task_id], act.at, act.actor, note)
    if changed is obligation:
        return obligation.task
    tasks = tuple(changed if o is obligation else o for o in followed.tasks)
    after = await _put(tx, cases, replace(followed, tasks=tasks), act.cause)
    return _task_in(after, task_id).task


async def _must_be_seen(tx: Transaction, followed: Followed, obligation: Obligation, seen: int, change: Change) -> None:
    """Raises StaleVersionError unless the person saw the task as it stands, but for levels told by the clock. Who
    escalates decides on the level itself, and must have seen the last one told.
    """
    task = obligation.task
    raised = task.version - seen
    may_be_told = 0 < raised <= len(obligation.rule.ladder) + 1 and change is not escalated
    latest = (
        await tasklists.latest_changes(tx.connection, followed.transition.id, task.id, raised) if may_be_told else []
    )
    if is_stale(seen, task.version, told_by_clock(latest)):
        raise StaleVersionError(task.version, _standing(task))


def _standing(task: Task) -> str:
    if task.status is TaskStatus.ACCEPTED:
        return f"{task.owner} has claimed it"
    return f"it is {task.status.value}"


def _prerequisites_done(followed: Followed, changed: Obligation) -> None:
    """Evidence counts whatever came before; a person's word only when what must come first is done."""
    if changed.task.status is not TaskStatus.COMPLETED:
        return
    done = {o.task.code for o in followed.tasks if o.task.status is TaskStatus.COMPLETED or o.why is Why.WAIVED}
    missing = [code for code in changed.rule.after if code not in done]
    if missing:
        raise NotAllowedError(f"first comes {', '.join(missing)}")


def claimed(obligation: Obligation, act: Act) -> Obligation:
    return obligation.claim(act.actor)


def completed(outcome: str) -> Change:
    return lambda obligation, act: obligation.complete_by_person(act.at, outcome, act.actor)


def waived(reason: str) -> Change:
    return lambda obligation, act: obligation.waive(act.at, reason, act.actor)


def reassigned(owner: str | None, role: str | None) -> Change:
    return lambda obligation, _: obligation.reassign(owner, role)


def snoozed(until: datetime) -> Change:
    """Raises NotAllowedError for a time that has passed or lies more than a fortnight ahead."""

    def change(obligation: Obligation, act: Act) -> Obligation:
        if not act.at < until <= act.at + LONGEST_SNOOZE:
            raise NotAllowedError("a ladder rests until a time within the next 14 days")
        return obligation.snooze(until)

    return change


def acknowledged(obligation: Obligation, act: Act) -> Obligation:
    return obligation.acknowledge(act.at, act.actor)


def escalated(obligation: Obligation, _: Act) -> Obligation:
    return obligation.escalate()


def commented(obligation: Obligation, _: Act) -> Obligation:
    """A comment changes nothing of the task."""
    return obligation


async def record(
    tx: Transaction, library: Library, transition_id: UUID, act: Act, fact: type[FollowUpFact], **said: Any
) -> Transition:
    """Says that the deed was done (`at` in `said`) and takes it as evidence. Raises UnknownError."""
    place = _visible(await worklists.place_of_transition(tx.connection, transition_id), act)
    cases, followed = await _open(tx, library, place, act)
    if not await _is_first(tx, transition_id, act):
        return followed.transition
    draft = _deed(followed.transition, act, fact, said.pop("at"), said)
    evidence = Evidence(
        event_id=draft.id,
        type=fact.TYPE,
        patient_id=draft.subject,
        at=draft.time,
        recorded=act.at,
        transition_id=transition_id,
        encounter_id=place.encounter_id,
        about=about_of(draft.fact),
        details=details_of(draft.fact),
    )
    cases.drafts.append(draft)
    cases.put(cases.add_evidence(evidence), Cause(id=str(draft.id), at=draft.time))
    await cases.save(tx)
    return _found(cases, place).transition


async def review(tx: Transaction, library: Library, transition_id: UUID, version: int, act: Act) -> Transition:
    """Someone looked at old news that nobody was told of: the transition closes. Raises as `act_on_task`."""
    place = _visible(await worklists.place_of_transition(tx.connection, transition_id), act)
    cases, followed = await _open(tx, library, place, act)
    if followed.transition.version != version:
        raise StaleVersionError(followed.transition.version)
    if not followed.transition.historical:
        raise NotAllowedError("only a historical transition is reviewed")
    after = await _put(tx, cases, replace(followed, is_reviewed=True), act.cause)
    return after.transition


def _visible(place: Place | None, act: Act) -> Place:
    if place is None or not act.sees(place.facility, place.organisation):
        raise UnknownError
    return place


async def _open(tx: Transaction, library: Library, place: Place, act: Act) -> tuple[Cases, Followed]:
    """Locks the patient, then loads: what was looked up before may have moved to a survivor meanwhile."""
    patient = (await tx.lock([place.patient_id]))[place.patient_id]
    cases = await Cases.load(tx, library, [patient], [place.encounter_id], since=act.at)
    return cases, _found(cases, place)


def _found(cases: Cases, place: Place) -> Followed:
    followed = cases.find(place.encounter_id)
    if followed is None:
        raise UnknownError
    return followed


async def _is_first(tx: Transaction, about: UUID, act: Act) -> bool:
    if act.key is None:
        return True
    return await worklists.is_first(tx.connection, about, hashlib.sha256(act.key.encode()).digest())


def _task_in(followed: Followed, task_id: UUID) -> Obligation:
    return next(o for o in followed.tasks if o.task.id == task_id)


async def _put(tx: Transaction, cases: Cases, changed: Followed, cause: Cause) -> Followed:
    key = changed.transition.encounter_id
    case = cases.of(changed.transition.patient.id)
    cases.put(replace(case, followed={**case.followed, key: changed}), cause)
    await cases.save(tx)
    return cases.of(case.patient_id).followed[key]


def _deed(transition: Transition, act: Act, fact: type[FollowUpFact], at: datetime, said: dict[str, Any]) -> Draft:
    done = fact(
        followup_id=uuid7(),
        patient=transition.patient,
        facility=transition.facility,
        encounter_id=transition.encounter_id,
        transition_id=transition.id,
        actor=act.actor,
        **said,
    )
    return Draft(
        fact=done,
        subject=transition.patient.id,
        time=at,
        correlation_id=str(transition.encounter_id),
        causation_id=act.cause.id,
    )
