"""Which tasks a transition asks for now, and what becomes of those it has. Pure; nothing here depends on the order in
which things became known.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.transitions.due import Due, due, end_of_visit_day
from services.transitions.evidence import Evidence, Window, standing
from services.transitions.followed import Followed
from services.transitions.protocols import Anchor, CancelOn, Library, Protocol, Stay, TaskRule
from services.transitions.selection import age_at
from services.transitions.task import Obligation, SettledBy, Why
from shared.calendar import zone_of
from shared.events.transitions import ProtocolReference, TaskStatus, Transition

OLD_NEWS = timedelta(days=30)
"""A discharge that asks for nothing is old news when it was first heard of so much later."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One task that must be: its rule, under which protocol, until when, and where evidence for it counts."""

    rule: TaskRule
    protocol: ProtocolReference
    due: Due
    window: Window


@dataclass(frozen=True, slots=True)
class Demand:
    """All that is asked of a transition, by task code; and what bars tasks that its protocols would ask for."""

    asked: Mapping[str, Asked]
    protocols: tuple[ProtocolReference, ...]
    is_historical: bool
    is_silenced: bool
    bars: frozenset[CancelOn]

    def bar_of(self, rule: TaskRule) -> Why | None:
        """Why a task of this rule must not be, although its protocol fits."""
        if self.is_silenced or (CancelOn.DEATH in self.bars and CancelOn.DEATH in rule.cancel_on):
            return Why.PATIENT_DIED
        if self.is_historical:
            return Why.HISTORICAL
        if CancelOn.ADMITTED_AGAIN in self.bars and CancelOn.ADMITTED_AGAIN in rule.cancel_on:
            return Why.ADMITTED_AGAIN
        return None

    def wanted(self) -> dict[str, Asked]:
        return {code: asked for code, asked in self.asked.items() if self.bar_of(asked.rule) is None}


def demand(followed: Followed, library: Library, evidence: Iterable[Evidence], *, admitted_again: bool) -> Demand:
    """What the protocols of the transition's edition ask of it, given where the patient is."""
    transition = followed.transition
    stay = Stay.of(
        discharged=followed.is_discharged,
        nubc=transition.disposition.nubc if transition.disposition else None,
        encounter_class=transition.encounter_class,
        diagnoses=transition.diagnoses,
        service=transition.hospital_service,
        age=_age(transition),
        risk=transition.risk.band if transition.risk else None,
    )
    fitting = library.select(stay, followed.edition)
    asked = _earliest(followed, fitting, library)
    historical = _is_old_news(followed, asked)
    return Demand(
        asked=_not_after_visits(asked, standing(evidence)),
        protocols=tuple(protocol.reference for protocol in fitting),
        is_historical=historical,
        is_silenced=any(protocol.suppresses for protocol in fitting),
        bars=_bars(died=transition.patient.deceased, admitted_again=admitted_again),
    )


def _age(transition: Transition) -> int | None:
    """On the day of the admission, as the facility's calendar has it."""
    came, zone = transition.admitted_at or transition.discharged_at, zone_of(transition.facility.time_zone)
    return age_at(transition.patient.birth_date, came.astimezone(zone) if came else None)


def settle_tasks(followed: Followed, demand: Demand, evidence: tuple[Evidence, ...]) -> tuple[Obligation, ...]:
    """The transition's tasks as they must stand: kept, moved, held, completed or cancelled, and the new ones."""
    wanted = demand.wanted()
    known, evidence = evidence, standing(evidence)
    taken_back = {deed.event_id for deed in known} - {deed.event_id for deed in evidence}
    owners = _owners(followed.tasks)
    kept = [
        o.cancel(Why.EVIDENCE_RETRACTED)
        if o.task.status is TaskStatus.COMPLETED and o.task.evidence_event_id in taken_back
        else _settle(o, wanted.get(o.task.code), followed, demand, evidence)
        for o in followed.tasks
    ]
    live = {o.task.code for o in kept if o.is_live}
    for code, asked in wanted.items():
        same = [o for o in kept if o.task.code == code]
        if code not in live and not any(_still_counts(o, asked, evidence) for o in same):
            new = Obligation.create(
                followed.transition.id, len(same) + 1, asked.rule, asked.protocol, asked.due, owners.get(code)
            )
            kept.append(_weigh(new, asked, evidence))
    kept += _asked_again(kept, followed, evidence)
    return tuple(sorted(kept, key=lambda o: (o.task.code, o.number)))


def _owners(tasks: Iterable[Obligation]) -> dict[str, str | None]:
    """Whose each task is, by code: what a death told in error or a return took away is theirs again with the task."""
    theirs = (o for o in tasks if o.is_live or (o.settled_by is SettledBy.RULE and not o.has_lapsed))
    return {o.task.code: o.task.owner for o in sorted(theirs, key=lambda o: (o.is_live, o.number))}


def _settle(
    obligation: Obligation,
    asked: Asked | None,
    followed: Followed,
    demand: Demand,
    evidence: tuple[Evidence, ...],
) -> Obligation:
    if not obligation.is_live:
        return _look_again(obligation, asked, evidence)
    if obligation.rule.due.anchor is Anchor.REQUEST:
        return _settle_requested(obligation, demand, followed, evidence)
    if asked is not None:
        if obligation.must_begin_anew(asked.due):
            return obligation.cancel(Why.DUE_MOVED)
        return _weigh(obligation.stand(asked.rule, asked.protocol, asked.due), asked, evidence)
    bar = demand.bar_of(obligation.rule)
    waits = not followed.is_discharged and obligation.rule.due.anchor is not Anchor.ADMISSION
    if bar is None and waits:
        return obligation.hold()
    return obligation.cancel(bar or Why.NOT_ASKED_FOR)


def _look_again(settled: Obligation, asked: Asked | None, evidence: tuple[Evidence, ...]) -> Obligation:
    """What was settled by evidence, or because its window passed, is judged by the first deed known now: one that was
    heard of late was done in time all the same.
    """
    if asked is None or not (settled.has_lapsed or settled.settled_by is SettledBy.EVIDENCE):
        return settled
    deed = asked.window.first(evidence, asked.rule)
    return settled if deed is None else settled.complete_again(asked.due, deed)


def _settle_requested(
    obligation: Obligation, demand: Demand, followed: Followed, evidence: tuple[Evidence, ...]
) -> Obligation:
    """A task opened for something that happened stands for as long as the patient is where it can be done, or until a
    deed since then shows it done.
    """
    bar = demand.bar_of(obligation.rule)
    if bar not in {None, Why.HISTORICAL}:
        return obligation.cancel(bar or Why.NOT_ASKED_FOR)
    return _weigh_requested(obligation, followed, evidence)


def _weigh_requested(obligation: Obligation, followed: Followed, evidence: tuple[Evidence, ...]) -> Obligation:
    asked_at = obligation.task.asked_at
    if asked_at is None or not obligation.rule.evidence:
        return obligation
    deed = Window(followed.transition, asked_at, None).first(evidence, obligation.rule)
    return obligation if deed is None else obligation.complete_by(deed)


def _asked_again(kept: Iterable[Obligation], followed: Followed, evidence: tuple[Evidence, ...]) -> list[Obligation]:
    """Those opened for something that happened whose evidence was taken back, where nothing newer stands for them."""
    newest: dict[str, Obligation] = {}
    for obligation in kept:
        if obligation.rule.due.anchor is Anchor.REQUEST:
            known = newest.get(obligation.task.code)
            newest[obligation.task.code] = max(known or obligation, obligation, key=lambda o: o.number)
    undone = (o for o in newest.values() if o.why is Why.EVIDENCE_RETRACTED)
    return [_weigh_requested(Obligation.again(o), followed, evidence) for o in undone]


def _weigh(obligation: Obligation, asked: Asked, evidence: tuple[Evidence, ...]) -> Obligation:
    """Completed where evidence shows it done; marked where enough attempts were documented in time."""
    deed = asked.window.first(evidence, asked.rule)
    if deed is not None:
        return obligation.complete_by(deed)
    enough = asked.rule.attempts_suffice
    if enough is not None and asked.window.attempts(evidence, asked.due.at) >= enough:
        return obligation.note_attempts()
    return obligation


def _still_counts(settled: Obligation, asked: Asked, evidence: tuple[Evidence, ...]) -> bool:
    """Whether a task that was settled answers what is asked now: a deed before a later discharge does not."""
    if settled.settled_by is SettledBy.PERSON:
        cancelled = settled.task.status is TaskStatus.CANCELLED
        return cancelled or (settled.settled_at is not None and settled.settled_at >= asked.window.anchored_at)
    if settled.settled_by is SettledBy.EVIDENCE:
        return asked.window.first(evidence, asked.rule) is not None
    return settled.has_lapsed and settled.settled_at is not None and settled.settled_at >= asked.window.anchored_at


def _earliest(followed: Followed, protocols: Iterable[Protocol], library: Library) -> dict[str, Asked]:
    """One entry a task code: where several protocols ask for it, the one that is due first stands."""
    found: dict[str, Asked] = {}
    for protocol in protocols:
        for rule in protocol.tasks:
            window = followed.window(rule.due.anchor)
            if window is None:
                continue
            at = _due(rule, window, followed, library)
            if rule.code not in found or at.at < found[rule.code].due.at:
                found[rule.code] = Asked(rule, protocol.reference, at, window)
    return found


def _due(rule: TaskRule, window: Window, followed: Followed, library: Library) -> Due:
    stay = followed.transition
    announced = rule.due.anchor is not Anchor.EXPECTED_DISCHARGE or stay.expected_discharge_at is not None
    closed = library.closed(stay.facility.code)
    counted = due(rule.due, window.anchored_at, stay.facility, closed=closed, announced=announced)
    return replace(
        counted, tell_from=_tell_from(rule, counted.at, followed), owed_until=window.owed_until(rule.last_day)
    )


def _tell_from(rule: TaskRule, due_at: datetime, followed: Followed) -> datetime | None:
    """Set where the discharge was heard of so late that what was done meanwhile may not have been heard of either."""
    heard, left = followed.discharge_heard_at, followed.transition.discharged_at
    if heard is None or left is None or rule.due.anchor is Anchor.ADMISSION or heard + rule.late_grace <= due_at:
        return None
    is_late = heard >= due_at or heard - left > rule.late_grace
    return heard + rule.late_grace if is_late else None


def _not_after_visits(asked: dict[str, Asked], evidence: tuple[Evidence, ...]) -> dict[str, Asked]:
    """Pulls tasks that must be done on or before a visit to the end of its day, once it took place."""
    bounded = dict(asked)
    for code, task in asked.items():
        visit = asked.get(task.rule.no_later_than or "")
        took_place = visit.window.first(evidence, visit.rule) if visit else None
        if visit and took_place:
            facility = task.window.transition.facility
            bounded[code] = replace(task, due=end_of_visit_day(task.due, took_place.at, facility, visit.rule.title))
    return bounded


def _is_old_news(followed: Followed, asked: Mapping[str, Asked]) -> bool:
    """Whether every window had passed when the discharge was first heard of: nobody is told, someone reviews it."""
    if followed.told_historical:
        return True
    heard, left = followed.discharge_heard_at, followed.transition.discharged_at
    if heard is None or left is None:
        return False
    ends = [task.due.at for task in asked.values() if task.rule.due.anchor is Anchor.DISCHARGE]
    return max(ends, default=left + OLD_NEWS) < heard


def _bars(*, died: bool, admitted_again: bool) -> frozenset[CancelOn]:
    bars = {CancelOn.DEATH} if died else set()
    return frozenset(bars | ({CancelOn.ADMITTED_AGAIN} if admitted_again else set()))
