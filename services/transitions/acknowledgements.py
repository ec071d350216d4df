"""Notices that must be acknowledged: a task for each, opened by what notifications says of its delivery. Pure, and
nothing here depends on what became known first: the notice, its acknowledgement, or that it does not hold.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.transitions.due import due
from services.transitions.evidence import Evidence, Window
from services.transitions.evidence_details import ASKED_AT, PRIORITY, RETRACTS
from services.transitions.followed import Followed
from services.transitions.protocols import Library
from services.transitions.task import Obligation, SettledBy, Why
from services.transitions.task_rule import ACKNOWLEDGEMENTS, acknowledgement_code
from shared.events import id_beside
from shared.events.notifications import NotificationAcknowledged
from shared.events.transitions import Transition

Key = tuple[UUID, str]
"""A notice is told apart by the event that it tells and the organisation that it goes to, however many endpoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """One notice that must be acknowledged: `asked_at` is when it was decided to send it, `by` the first
    acknowledgement; `holds` is False once the event that it told was taken back.
    """

    event_id: UUID
    organisation: str
    told: str
    priority: str
    asked_at: datetime
    by: Evidence | None
    holds: bool

    def task_id(self, transition: Transition, number: int) -> UUID:
        """Follows from the notice, so that a replay gives the same. `number` counts how often it was asked for."""
        return id_beside(transition.id, f"acknowledgement/{self.event_id}/{self.organisation}/{number}")


def is_acknowledgement(obligation: Obligation) -> bool:
    return obligation.task.code in ACKNOWLEDGEMENTS


def settle_acknowledgements(
    followed: Followed, library: Library, evidence: Iterable[Evidence]
) -> tuple[Obligation, ...]:
    """The transition's tasks of this kind as they must stand. Where the protocols in force have none, none is new."""
    tasks = {o.task.id: o for o in followed.tasks if is_acknowledgement(o)}
    for notice in awaited(followed.transition, evidence):
        newest = _newest(tasks, notice, followed.transition)
        if newest is not None:
            newest = tasks[newest.task.id] = _judge(newest, notice)
        if newest is None or newest.why is Why.STAY_CANCELLED:
            new = _open(followed, library, notice, tasks, newest.task.owner if newest else None)
            tasks |= {new.task.id: new} if new else {}
    return tuple(tasks.values())


def awaited(transition: Transition, evidence: Iterable[Evidence]) -> Iterator[Awaited]:
    """The transition's notices that must be acknowledged, by when they were asked for."""
    asked: dict[Key, Evidence] = {}
    answers: dict[Key, Evidence] = {}
    gone: set[str] = set()
    for deed in evidence:
        if RETRACTS in deed.details:
            gone.update(deed.details[RETRACTS].split(","))
        if PRIORITY not in deed.details or deed.of_event is None or not _names(deed, transition):
            continue
        key = (deed.of_event, deed.details["organisation"])
        asked[key] = _first(asked.get(key), deed)
        if deed.type == NotificationAcknowledged.TYPE:
            answers[key] = _first(answers.get(key), deed)
    for key, deed in sorted(asked.items(), key=lambda entry: (entry[1].details[ASKED_AT], entry[0])):
        yield Awaited(
            event_id=key[0],
            organisation=key[1],
            told=deed.details["of"],
            priority=deed.details[PRIORITY],
            asked_at=datetime.fromisoformat(deed.details[ASKED_AT]),
            by=answers.get(key),
            holds=str(key[0]) not in gone,
        )


def _names(deed: Evidence, transition: Transition) -> bool:
    return transition.id == deed.transition_id or transition.encounter_id == deed.encounter_id


def _first(known: Evidence | None, deed: Evidence) -> Evidence:
    return deed if known is None else min(known, deed, key=lambda one: one.order)


def _newest(tasks: dict[UUID, Obligation], notice: Awaited, transition: Transition) -> Obligation | None:
    found, number = None, 1
    while (known := tasks.get(notice.task_id(transition, number))) is not None:
        found, number = known, number + 1
    return found


def _open(
    followed: Followed, library: Library, notice: Awaited, tasks: dict[UUID, Obligation], owner: str | None
) -> Obligation | None:
    """A new task; None where nothing is owed, or the house's protocols know no such task."""
    code = acknowledgement_code(notice.priority)
    found = library.find_on_request(code)
    if found is None or not (notice.holds or notice.by):
        return None
    rule, protocol = found
    stay = followed.transition
    until = due(rule.due, notice.asked_at, stay.facility, closed=library.closed(stay.facility.code))
    until = replace(until, owed_until=Window(stay, notice.asked_at, None).owed_until(rule.last_day))
    number = 1 + sum(o.task.code == code for o in tasks.values())
    times = next(n for n in range(1, len(tasks) + 2) if notice.task_id(stay, n) not in tasks)
    named = {
        "id": notice.task_id(stay, times),
        "title": f"{rule.title}: {notice.organisation} ({notice.told.split('.')[-2]})",
        "asked_at": notice.asked_at,
        "asked_of": notice.organisation,
    }
    new = Obligation.create(stay.id, number, rule, protocol, until, owner)
    return _judge(replace(new, task=new.task.model_copy(update=named)), notice)


def _judge(obligation: Obligation, notice: Awaited) -> Obligation:
    """Done by its acknowledgement, whenever it came within the window, also when the notice was taken back meanwhile:
    somebody read it. Else nobody owes it for a notice that does not hold. What a person decided stands.
    """
    if obligation.settled_by is SettledBy.PERSON:
        return obligation
    until = obligation.task.owed_until
    if notice.by is not None and (until is None or notice.by.at <= until):
        done = obligation.complete_by(notice.by)
        return obligation if done.task == obligation.task else done
    if not notice.holds and obligation.is_live:
        return obligation.cancel(Why.NOTICE_TAKEN_BACK)
    return obligation
