"""A referral as a fold over what was heard of it and done to it. Pure: any order of arrival, and any repetition, ends
in the same state, since deeds are folded by the time they were done.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from services.transitions.referrals.states import GO_BACK, IMPLIED, MOVES, OPEN, RANK, Kind, Proof, State
from shared.events.fact import Part
from shared.events.people import Facility, Identifier, PatientSummary

BY_PERSON = "person"
BY_MESSAGE = "message"
BY_RULE = "rule"
UNNAMED = ""


class Terms(Part):
    """What is asked of whom, as last said. `appointment` is the one it now waits for."""

    patient: PatientSummary | None = None
    facility: Facility | None = None
    identifier: Identifier | None = None
    external_identifier: Identifier | None = None
    service: str | None = None
    service_code: str | None = None
    priority: str = "routine"
    requester: str | None = None
    requester_npi: str | None = None
    performer: str | None = None
    performer_npi: str | None = None
    encounter_id: UUID | None = None
    scheduled_at: datetime | None = None
    appointment: Identifier | None = None
    expires_at: datetime | None = None
    reason: str | None = None
    outcome: str | None = None
    duplicate_of: UUID | None = None
    replaces: UUID | None = None


NOTHING_SAID = Terms()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One thing heard or done. `said` are the terms it sets, and which `result` it is about; `historical`: its source
    called it old news.
    """

    kind: Kind
    at: datetime
    event_id: UUID
    source: str
    actor: str | None = None
    historical: bool = False
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def order(self) -> tuple[datetime, int, UUID]:
        return (self.at, RANK[self.kind], self.event_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """`step` is the deed that led to `state`, done at `since`; `passed_over` are deeds that did not fit where it stood.

    `is_held`: a suspected duplicate that waits for a person. `strikes` counts appointments that were not kept.
    `results` are the documents and values that answer it and stand; "" is one that has no name.
    """

    id: UUID
    patient_id: str
    deeds: tuple[Deed, ...] = ()
    version: int = 0
    fired: int = 0
    state: State = State.REQUESTED
    since: datetime
    step: UUID
    requested_at: datetime
    back_to: tuple[State, ...] = ()
    strikes: int = 0
    proofs: frozenset[Proof] = frozenset()
    results: frozenset[str] = frozenset()
    is_suspected: bool = False
    is_held: bool = False
    passed_over: tuple[UUID, ...] = ()
    terms: Terms = NOTHING_SAID

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def is_historical(self) -> bool:
        """Whether all that is known of it is old news: nobody is told of its clocks."""
        return all(deed.historical for deed in self.deeds)

    def allows(self, kind: Kind) -> bool:
        """Whether a person may do this now."""
        return _leads_to(self, kind, BY_PERSON) is not None

    @property
    def allows_expiry(self) -> bool:
        return self.state in MOVES[Kind.EXPIRE]

    def with_deeds(self, more: Iterable[Deed]) -> "Referral":
        """Folded anew with these; those already known change nothing."""
        known = {deed.event_id: deed for deed in (*more, *self.deeds)}
        if len(known) == len(self.deeds):
            return self
        return _fold(self, sorted(known.values(), key=lambda deed: deed.order))


def begin(referral_id: UUID, patient_id: str, deeds: Iterable[Deed]) -> Referral:
    """The referral of these deeds; one at least. What comes first opens it, whatever it is: feeds leave steps out."""
    ordered = sorted({deed.event_id: deed for deed in deeds}.values(), key=lambda deed: deed.order)
    first = ordered[0]
    blank = Referral(id=referral_id, patient_id=patient_id, since=first.at, step=first.event_id, requested_at=first.at)
    return _fold(blank, ordered)


def _fold(referral: Referral, deeds: list[Deed]) -> Referral:
    first = deeds[0]
    so_far = Referral(
        id=referral.id,
        patient_id=referral.patient_id,
        version=referral.version,
        fired=referral.fired,
        deeds=tuple(deeds),
        state=State.DRAFT if first.kind is Kind.DRAFT else State.REQUESTED,
        since=first.at,
        step=first.event_id,
        requested_at=first.at,
    )
    for deed in deeds:
        so_far = _apply(so_far, deed)
    return so_far


def _apply(referral: Referral, deed: Deed) -> Referral:
    if deed.kind in {Kind.DRAFT, Kind.UPDATE, Kind.SUSPECT, Kind.REPEAT} or _opens(referral, deed):
        return _flag(_told(referral, deed), deed)
    if deed.kind in {Kind.RESULT, Kind.WITHDRAW_RESULT}:
        referral = replace(referral, results=_results(referral, deed))
    target = None if _is_of_another_visit(referral, deed) else _leads_to(referral, deed.kind, deed.source)
    if deed.kind is Kind.WITHDRAW_RESULT and (referral.results or target is None):
        # Another result stands, or none was waited for: nothing moves.
        target, referral = None, replace(referral, proofs=_result_proofs(referral))
    if target is None:
        return replace(referral, passed_over=(*referral.passed_over, deed.event_id))
    moved = _prove(_told(referral, deed), deed)
    if Kind.REQUEST is deed.kind:
        moved = replace(moved, requested_at=deed.at)
    return _stand(moved, _closing(moved, target), deed)


def _results(referral: Referral, deed: Deed) -> frozenset[str]:
    """Which results stand after the deed; one withdrawn that was never heard of by its name is whichever has none."""
    named = str(deed.said.get("result", UNNAMED))
    if deed.kind is Kind.RESULT:
        return referral.results | {named}
    if named == UNNAMED:
        return frozenset()
    return referral.results - ({named} if named in referral.results else {UNNAMED})


def _result_proofs(referral: Referral) -> frozenset[Proof]:
    return referral.proofs if referral.results else referral.proofs - {Proof.RESULT, Proof.ACKNOWLEDGEMENT}


def _is_of_another_visit(referral: Referral, deed: Deed) -> bool:
    """An appointment that was replaced meanwhile may fall through or be missed: the newer one stands."""
    about, current = deed.said.get("appointment"), referral.terms.appointment
    concerned = deed.kind in {Kind.CANCEL_APPOINTMENT, Kind.NO_SHOW} and referral.state is State.SCHEDULED
    return concerned and bool(about and current) and Identifier.model_validate(about) != current


def _opens(referral: Referral, deed: Deed) -> bool:
    return deed.kind is Kind.REQUEST and referral.state is State.REQUESTED


def _flag(referral: Referral, deed: Deed) -> Referral:
    match deed.kind:
        case Kind.SUSPECT:
            is_awaited = referral.state in {State.REQUESTED, State.RECEIVED, State.DRAFT}
            held = is_awaited and bool(deed.said.get("duplicate_of")) and referral.terms.priority != "stat"
            return replace(referral, is_suspected=True, is_held=held)
        case Kind.REPEAT:
            return replace(referral, is_held=False, since=deed.at, step=deed.event_id)
        case _:
            return referral


def _told(referral: Referral, deed: Deed) -> Referral:
    if not deed.said:
        return referral
    said = Terms.model_validate({**referral.terms.model_dump(exclude_none=True), **deed.said})
    return replace(referral, terms=said)


def _leads_to(referral: Referral, kind: Kind, source: str) -> State | None:
    if kind in GO_BACK:
        return referral.back_to[-1] if referral.state is GO_BACK[kind] else None
    target = MOVES.get(kind, {}).get(referral.state)
    if target is None and source != BY_PERSON:
        target = IMPLIED.get(kind, {}).get(referral.state)
    return target


def _prove(referral: Referral, deed: Deed) -> Referral:
    """What the deed shows. A kept visit is an outcome, and so is the performer's word that the work is done."""
    match deed.kind:
        case Kind.ATTEND | Kind.COMPLETE:
            return replace(referral, proofs=referral.proofs | {Proof.OUTCOME})
        case Kind.RESULT:
            return replace(referral, proofs=referral.proofs | {Proof.RESULT})
        case Kind.WITHDRAW_RESULT:
            return replace(referral, proofs=_result_proofs(referral))
        case Kind.ACKNOWLEDGE:
            return replace(referral, proofs=referral.proofs | {Proof.ACKNOWLEDGEMENT})
        case Kind.NO_SHOW:
            return replace(referral, strikes=referral.strikes + 1)
        case _:
            return referral


def _closing(referral: Referral, target: State) -> State:
    """Completed once outcome and result are both there, whichever came first."""
    is_proven = referral.proofs >= {Proof.OUTCOME, Proof.RESULT}
    return State.COMPLETED if is_proven and target in {State.IN_PROGRESS, State.ATTENDED} else target


def _stand(referral: Referral, target: State, deed: Deed) -> Referral:
    if deed.kind is Kind.RECEIVE:
        # Having it is no decision: the clock that asks for one goes on.
        return replace(referral, state=target)
    return replace(
        referral,
        state=target,
        since=deed.at,
        step=deed.event_id,
        back_to=_way_back(referral, target, deed.kind),
        is_held=False,
    )


def _way_back(referral: Referral, target: State, kind: Kind) -> tuple[State, ...]:
    if target in {State.ON_HOLD, State.CANCEL_REQUESTED} and kind not in GO_BACK:
        return (*referral.back_to, referral.state)
    return referral.back_to[:-1] if kind in GO_BACK else ()
