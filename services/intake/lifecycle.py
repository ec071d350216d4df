"""What each ADT trigger does to a stay: one small rule a trigger, in the table RULES. Pure.

A rule takes the state with the message's values already merged in, the fact, and the state before it. Anything said of
a stay that was never opened makes a stub in the implied state; the opening may still come.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

from services.intake.codes import STILL_A_PATIENT
from services.intake.encounter import (
    EMPTY,
    EncounterState,
    Milestone,
    MilestoneKind,
    merge_said,
    place_name,
)
from services.intake.message import StayFact
from services.intake.movements import remember, settle
from services.intake.triggers import ACCOUNT_CHANGES, AMENDS_MOVEMENT, MOVEMENT_GONE, MOVES, VISIT_CHANGES
from shared.events.people import EncounterClass, EncounterStatus

S = EncounterStatus
K = MilestoneKind
Rule = Callable[[EncounterState, StayFact, EncounterState], EncounterState]

_PRESENT = frozenset({S.ARRIVED, S.TRIAGED, S.IN_PROGRESS, S.ON_LEAVE})
_OPENABLE = frozenset({S.UNKNOWN, S.PLANNED, S.CANCELLED})
_OPENINGS = (K.ARRIVED, K.ADMITTED)
_OF_THE_DISCHARGE = ("discharged_at", "disposition", "discharged_to")


def fold(facts: Iterable[StayFact], start: EncounterState = EMPTY) -> EncounterState:
    """The state after all the facts. Any permutation or repetition of them gives the same."""
    told, state = list(facts), start
    for fact in settle(told):
        state = _apply(state, fact)
    return remember(state, told)


def apply(state: EncounterState, fact: StayFact) -> EncounterState:
    """One fact that follows on all before it."""
    applied = _apply(state, fact)
    return remember(applied, (fact,)) if fact.movement else applied


def _apply(state: EncounterState, fact: StayFact) -> EncounterState:
    merged = state.but(said=merge_said(state.said, fact.said), watermark=fact.order)
    if state.status == S.ENTERED_IN_ERROR:
        return merged
    return _correct_times(RULES[fact.trigger](merged, fact, state))


def _correct_times(state: EncounterState) -> EncounterState:
    """PV1-44 and PV1-45 of any later message correct when the stay was opened and closed, PV1-36 how it ended."""
    said = state.said
    changed: dict[int, Milestone] = {}
    opening, closing = state.last(*_OPENINGS), state.last(K.DISCHARGED)
    expected = state.last(K.DISCHARGE_EXPECTED)
    if opening:
        changed[id(opening)] = _corrected(opening, said.get("admitted_at"), "")
    if closing:
        disposition = said.get("disposition") or {}
        detail = disposition.get("nubc") or disposition.get("source") or ""
        changed[id(closing)] = _corrected(closing, said.get("discharged_at"), detail)
    if expected:
        changed[id(expected)] = _corrected(expected, None, said.get("expected_discharge_at") or "")
    if all(id(new) == old for old, new in changed.items()):
        return state
    return state.but(milestones=tuple(changed.get(id(m), m) for m in state.milestones))


def _corrected(milestone: Milestone, at: str | None, detail: str) -> Milestone:
    if milestone.detail == detail and at in {None, milestone.at}:
        return milestone
    return replace(milestone, at=at or milestone.at, detail=detail)


def _stub(state: EncounterState, fact: StayFact) -> EncounterState:
    return state.but(status=S.IN_PROGRESS, is_stub=True, location=fact.said.get("location") or state.location)


def _open(kind: MilestoneKind, state: EncounterState, fact: StayFact, before: EncounterState) -> EncounterState:
    """A01, A04, and A06 of a stay not yet open. Of an open stay it is an amendment, never another one."""
    location = fact.said.get("location") or state.location
    standing = _OPENINGS if kind is K.ARRIVED else (K.ADMITTED,)
    if state.has(*standing):
        return _amend(state, fact, before)
    if state.status == S.FINISHED:
        # Told of its opening only now. A repeat of it is no readmission; an admission after an ED visit's end is none.
        if state.has(*_OPENINGS):
            return state
        return state.but(is_stub=False).reaching(kind, fact.occurred)
    status = S.IN_PROGRESS
    if kind is K.ARRIVED and state.said.get("class") == EncounterClass.EMERGENCY:
        status = S.ARRIVED
    if state.status == S.ON_LEAVE:
        status = S.ON_LEAVE
    return state.but(status=status, location=location, is_stub=False).reaching(kind, fact.occurred)


def _preadmit(state: EncounterState, fact: StayFact, _before: EncounterState) -> EncounterState:
    if state.status not in {S.UNKNOWN, S.CANCELLED}:
        return state
    location = fact.said.get("location")
    return state.but(status=S.PLANNED, location=location, is_stub=False).reaching(K.PREADMITTED, fact.occurred)


def _to_inpatient(state: EncounterState, fact: StayFact, before: EncounterState) -> EncounterState:
    """A06 from the emergency department or from outpatient is an inpatient admission."""
    if state.status not in _PRESENT or state.is_stub:
        return _open(K.ADMITTED, state, fact, before)
    changed = _change_class(state, fact, before)
    changed = changed.but(location=fact.said.get("location") or state.location)
    return changed if changed.has(K.ADMITTED) else changed.but(status=S.IN_PROGRESS).reaching(K.ADMITTED, fact.occurred)


def _to_outpatient(state: EncounterState, fact: StayFact, before: EncounterState) -> EncounterState:
    if state.status in {S.UNKNOWN, S.PLANNED}:
        return _stub(state, fact)
    if state.status not in _PRESENT:
        return state
    return _change_class(state, fact, before).but(location=fact.said.get("location") or state.location)


def _change_class(
    state: EncounterState, fact: StayFact, before: EncounterState, *, derived: bool = False
) -> EncounterState:
    old, new = before.said.get("class"), state.said.get("class")
    if old is None or new in {None, old}:
        return state
    return state.reaching(K.CLASS_CHANGED, fact.occurred, whereto=str(new), derived=derived)


def _amend(state: EncounterState, fact: StayFact, before: EncounterState) -> EncounterState:
    """A08 and the like never change the status. Many senders send it where A02 or A06 is due: those are derived."""
    if state.status == S.UNKNOWN:
        return _stub(state, fact)
    if state.status == S.PLANNED:
        return state.but(location=fact.said.get("location") or state.location)
    if state.status not in _PRESENT:
        return state
    return _move(_change_class(state, fact, before, derived=True), fact, derived=True)


def _note(state: EncounterState, fact: StayFact, before: EncounterState) -> EncounterState:
    """What is tracked, planned or renumbered moves nobody: neither the place nor the census change."""
    if state.status == S.UNKNOWN:
        return _stub(state, fact)
    return _change_class(state, fact, before, derived=True) if state.status in _PRESENT else state


def _renumber(state: EncounterState, _fact: StayFact, _before: EncounterState) -> EncounterState:
    return state


def _move(state: EncounterState, fact: StayFact, *, derived: bool) -> EncounterState:
    to = fact.said.get("location")
    if not to or place_name(to) == place_name(state.location):
        return state
    moved = state.but(location=to)
    if derived and state.location is None:  # nothing was known of where the patient had been: no move
        return moved
    return moved.reaching(
        K.TRANSFERRED, fact.occurred, whereto=place_name(to), derived=derived, came_from=state.location
    )


def _transfer(state: EncounterState, fact: StayFact, before: EncounterState) -> EncounterState:
    if state.status in {S.UNKNOWN, S.PLANNED}:
        stub = state.but(status=S.IN_PROGRESS, is_stub=True, location=fact.said.get("prior_location") or state.location)
        return _move(stub, fact, derived=False)
    if state.status not in _PRESENT:
        return state
    return _move(_change_class(state, fact, before, derived=True), fact, derived=False)


def _discharge(state: EncounterState, fact: StayFact, before: EncounterState) -> EncounterState:
    if (fact.said.get("disposition") or {}).get("nubc") == STILL_A_PATIENT:
        return _amend(state, fact, before)
    if state.status == S.FINISHED:
        return state
    closed = state.but(
        status=S.FINISHED,
        is_stub=state.is_stub or state.status in _OPENABLE,
        location=fact.said.get("location") or state.location,
    )
    return closed.reaching(K.DISCHARGED, fact.occurred)


def _cancel_stay(state: EncounterState, _fact: StayFact, _before: EncounterState) -> EncounterState:
    return state.but(status=S.CANCELLED, milestones=(), is_stub=False)


def _cancel_plan(state: EncounterState, fact: StayFact, before: EncounterState) -> EncounterState:
    return _cancel_stay(state, fact, before) if state.status in {S.UNKNOWN, S.PLANNED} else state


def _cancel_transfer(state: EncounterState, fact: StayFact, _before: EncounterState) -> EncounterState:
    """PV1-3 of an A12 is the place before the cancelled move."""
    if state.status == S.UNKNOWN:
        return _stub(state, fact)
    moved = state.last(K.TRANSFERRED)
    if moved:
        back = fact.said.get("location") or moved.came_from
        return state.without(moved).but(location=back)
    if state.status in _PRESENT:
        return state.but(location=fact.said.get("location") or state.location)
    return state


def _cancel_discharge(state: EncounterState, fact: StayFact, before: EncounterState) -> EncounterState:
    """Reopens: takes back the last standing discharge. PV1-3 is the bed after it, maybe another one."""
    closing = state.last(K.DISCHARGED)
    if closing is None:
        return _amend(state, fact, before) if state.status != S.CANCELLED else state
    said = {name: value for name, value in state.said.items() if name not in _OF_THE_DISCHARGE}
    reopened = state.without(closing).but(status=S.IN_PROGRESS, said=said)
    return _move(reopened, fact, derived=True)


def _movement_gone(state: EncounterState, fact: StayFact, before: EncounterState) -> EncounterState:
    """The movement is out already. What is left says where the patient is; a stay without its discharge has no end."""
    if not state.has(K.DISCHARGED):
        said = {name: value for name, value in state.said.items() if name not in _OF_THE_DISCHARGE}
        state = state.but(said=said)
    return state if state.status == S.CANCELLED else _amend(state, fact, before)


def _leave(state: EncounterState, fact: StayFact, _before: EncounterState) -> EncounterState:
    if state.status in {S.UNKNOWN, S.PLANNED}:
        state = _stub(state, fact)
    if state.status not in _PRESENT - {S.ON_LEAVE}:
        return state
    # When the patient was expected back from an earlier leave says nothing of this one.
    stale = () if "expected_return_at" in fact.said else ("expected_return_at",)
    said = {name: value for name, value in state.said.items() if name not in stale}
    return state.but(status=S.ON_LEAVE, said=said).reaching(K.LEAVE_STARTED, fact.occurred)


def _return(state: EncounterState, fact: StayFact, before: EncounterState) -> EncounterState:
    if state.status != S.ON_LEAVE:
        return _amend(state, fact, before)
    return state.but(status=S.IN_PROGRESS).reaching(K.LEAVE_ENDED, fact.occurred)


def _take_back(
    kind: MilestoneKind,
    status: EncounterStatus,
    now: EncounterStatus,
    state: EncounterState,
    fact: StayFact,
    before: EncounterState,
) -> EncounterState:
    """A52, A53: only what still stands can be taken back."""
    last = state.last(K.LEAVE_STARTED, K.LEAVE_ENDED)
    if state.status != now or last is None or last.kind is not kind:
        return _amend(state, fact, before)
    return state.without(last).but(status=status)


def _expect_discharge(state: EncounterState, fact: StayFact, before: EncounterState) -> EncounterState:
    amended = _amend(state, fact, before)
    if amended.status not in _PRESENT or amended.has(K.DISCHARGE_EXPECTED):
        return amended
    return amended.reaching(K.DISCHARGE_EXPECTED, fact.occurred)


def _cancel_expected(state: EncounterState, fact: StayFact, before: EncounterState) -> EncounterState:
    said = {name: value for name, value in state.said.items() if name != "expected_discharge_at"}
    expected = state.last(K.DISCHARGE_EXPECTED)
    return _amend(state.without(expected) if expected else state, fact, before).but(said=said)


def _delete(state: EncounterState, _fact: StayFact, _before: EncounterState) -> EncounterState:
    return state.but(status=S.ENTERED_IN_ERROR, milestones=(), is_stub=False)


def _stand_open(state: EncounterState, fact: StayFact, before: EncounterState) -> EncounterState:
    """FHIR's `in-progress` is no trigger but how things stand: whatever ended or interrupted the stay is over."""
    if state.last(K.DISCHARGED):
        return _cancel_discharge(state, fact, before)
    if state.status == S.ON_LEAVE:
        return _return(state, fact, before)
    if state.said.get("class") not in {EncounterClass.INPATIENT, EncounterClass.OBSERVATION, EncounterClass.SHORT_STAY}:
        return _open(K.ARRIVED, state, fact, before)
    return _amend(state, fact, before) if state.has(K.ADMITTED) else _to_inpatient(state, fact, before)


RULES: Mapping[str, Rule] = {
    "in-progress": _stand_open,
    MOVEMENT_GONE: _movement_gone,
    AMENDS_MOVEMENT: _amend,
    "A01": partial(_open, K.ADMITTED),
    "A02": _transfer,
    "A03": _discharge,
    "A04": partial(_open, K.ARRIVED),
    "A05": _preadmit,
    "A06": _to_inpatient,
    "A07": _to_outpatient,
    "A08": _amend,
    "A09": _note,
    "A10": _note,
    "A11": _cancel_stay,
    "A12": _cancel_transfer,
    "A13": _cancel_discharge,
    "A14": _preadmit,
    "A15": _note,
    "A16": _expect_discharge,
    "A17": _transfer,
    "A21": _leave,
    "A22": _return,
    "A23": _delete,
    "A25": _cancel_expected,
    "A26": _note,
    "A27": _cancel_plan,
    "A32": _note,
    "A33": _note,
    "A38": _cancel_plan,
    **dict.fromkeys(sorted(ACCOUNT_CHANGES | VISIT_CHANGES | MOVES), _renumber),
    "A51": _note,
    "A52": partial(_take_back, K.LEAVE_STARTED, S.IN_PROGRESS, S.ON_LEAVE),
    "A53": partial(_take_back, K.LEAVE_ENDED, S.ON_LEAVE, S.IN_PROGRESS),
    "A54": _amend,
    "A55": _amend,
    "A61": _amend,
    "A62": _amend,
}
