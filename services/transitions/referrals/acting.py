"""What people do to referrals by the API: one transaction each, guarded by the version they saw."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import orjson

from services.transitions.acting import CLOCKS_APART, Act, AheadError, StaleVersionError, UnknownError
from services.transitions.referrals import store
from services.transitions.referrals.book import Book
from services.transitions.referrals.duplicates import ANSWERED
from services.transitions.referrals.referral import BY_PERSON, Deed, Referral
from services.transitions.referrals.rules import LoopRules
from services.transitions.referrals.states import WHO, Kind, Side
from services.transitions.staleness import is_stale
from services.transitions.store import worklists
from services.transitions.task import NotAllowedError
from shared.events import uuid7
from shared.postgres import Transaction

OF_THE_VISIT = frozenset({Kind.ATTEND, Kind.NO_SHOW})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is to be done, seen at which version; `at` is when it happened, `said` the terms that it sets."""

    kind: Kind
    version: int
    at: datetime
    said: dict[str, Any]


async def request(
    tx: Transaction,
    rules: LoopRules,
    transition_id: UUID,
    act: Act,
    said: dict[str, Any],
    *,
    repeat: str | None = None,
    draft: bool = False,
) -> Referral:
    """A new referral out of a transition. `repeat` says why the same service is asked for again: it is not suspected
    then. A `draft` asks nobody yet.

    Raises UnknownError. A repeat of the request by its key answers the first one's referral.
    """
    row = await store.transition_of(tx.connection, transition_id)
    body = orjson.loads(row["body"]) if row else {}
    if row is None or not act.sees(body["facility"]["code"], body.get("pcp_organisation")):
        raise UnknownError
    patient = (await tx.lock([row["patient_id"]]))[row["patient_id"]]
    new = _id_for(transition_id, act)
    book = await Book.load(tx, rules, [patient], [new])
    known = book.find(new)
    if known is not None:
        return known
    terms = {"patient": body["patient"], "facility": body["facility"], "encounter_id": body["encounter_id"], **said}
    deeds = [_deed(Kind.DRAFT if draft else Kind.REQUEST, act, act.at, terms)]
    if repeat is not None:
        deeds.append(_deed(Kind.REPEAT, act, act.at, {"reason": repeat}))
    created = book.add(new, patient, deeds, act.cause)
    await book.save(tx)
    return created


async def take_step(tx: Transaction, rules: LoopRules, referral_id: UUID, act: Act, step: Step) -> Referral:
    """The referral after the step. Raises UnknownError, StaleVersionError, AheadError, or NotAllowedError as it is."""
    book, referral = await _open(tx, rules, referral_id, act)
    if not await _is_first(tx, referral_id, act):
        return referral
    await _must_be_seen(tx, referral, step.version)
    if referral.is_held and WHO[step.kind] is Side.PERFORMER:
        raise NotAllowedError("it is a suspected duplicate and waits for a person's decision")
    if not referral.allows(step.kind):
        raise NotAllowedError(f"a referral that is {referral.state.value} does not allow {step.kind.value}")
    must_have_come(referral, step, act.at)
    after = book.add(referral.id, referral.patient_id, [_deed(step.kind, act, step.at, step.said)], act.cause)
    await book.save(tx)
    return after


def must_have_come(referral: Referral, step: Step, now: datetime) -> None:
    """Raises AheadError where a person calls an appointment kept or missed before its time. What a message says of it
    is its sender's word, and asks nothing here.
    """
    if step.kind not in OF_THE_VISIT:
        return
    said = step.said.get("scheduled_at")
    scheduled_at = datetime.fromisoformat(said) if said else referral.terms.scheduled_at
    if scheduled_at is not None and scheduled_at > now + CLOCKS_APART:
        raise AheadError


async def reroute(
    tx: Transaction, rules: LoopRules, referral_id: UUID, act: Act, step: Step
) -> tuple[Referral, Referral]:
    """Ends a rejected or failed referral and asks another performer: the old one, and the new one that replaces it."""
    book, referral = await _open(tx, rules, referral_id, act)
    new = _id_for(referral_id, act)
    made = book.find(new)
    if made is not None:
        return referral, made
    await _must_be_seen(tx, referral, step.version)
    if not referral.allows(Kind.REROUTE):
        raise NotAllowedError(f"a referral that is {referral.state.value} can't be routed anew")
    ended = _deed(Kind.REROUTE, act, act.at, {"reason": step.said["reason"]})
    old = book.add(referral.id, referral.patient_id, [ended], act.cause)
    kept = old.terms.model_dump(
        mode="json",
        exclude_none=True,
        include={"patient", "facility", "service", "service_code", "priority", "requester", "requester_npi"}
        | {"encounter_id", "expires_at"},
    )
    said = kept | step.said | {"replaces": str(referral.id)}
    made = book.add(new, referral.patient_id, [_deed(Kind.REQUEST, act, act.at, said)], act.cause)
    await book.save(tx)
    return old, made


async def decide_duplicate(
    tx: Transaction, rules: LoopRules, referral_id: UUID, act: Act, step: Step
) -> tuple[Referral, bool]:
    """A person's word on a suspected duplicate: linked or cancelled (`cancel`), or justified (`repeat`), and why.
    Whether it is decided by this, not by the same request before.

    Raises as `take_step`.
    """
    book, referral = await _open(tx, rules, referral_id, act)
    if not await _is_first(tx, referral_id, act):
        return referral, False
    await _must_be_seen(tx, referral, step.version)
    if not referral.is_held:
        raise NotAllowedError("it is not held as a suspected duplicate")
    if "duplicate_of" in step.said:
        _must_serve(book, referral, UUID(step.said["duplicate_of"]))
    after = book.add(referral.id, referral.patient_id, [_deed(step.kind, act, act.at, step.said)], act.cause)
    await book.save(tx)
    return after, True


async def _open(tx: Transaction, rules: LoopRules, referral_id: UUID, act: Act) -> tuple[Book, Referral]:
    place = await store.place_of(tx.connection, referral_id)
    if place is None or not act.sees(place["facility"], place["performer"], place["requester"]):
        raise UnknownError
    await tx.lock([place["patient_id"]])
    book = await Book.load(tx, rules, [], [referral_id])
    referral = book.find(referral_id)
    if referral is None:
        raise UnknownError
    return book, referral


def _must_serve(book: Book, referral: Referral, existing: UUID) -> None:
    """Whose another referral is, is not told: that one of another patient exists is as good as that it does not. One
    that is over without an answer serves nobody: two that look alike could else each give way to the other.
    """
    other = next((one for one in book.of(referral.patient_id) if one.id == existing != referral.id), None)
    if other is None:
        raise NotAllowedError("the existing one is no other referral of this patient")
    if not (other.is_open or other.state in ANSWERED):
        raise NotAllowedError(f"the existing one is {other.state.value} itself")


async def _must_be_seen(tx: Transaction, referral: Referral, seen: int) -> None:
    """Raises StaleVersionError unless it was seen as it stands, but for levels told by the clock."""
    told = await store.told_since(tx.connection, referral) if seen < referral.version else 0
    if is_stale(seen, referral.version, told):
        raise StaleVersionError(referral.version, f"it is {referral.state.value}")


def _deed(kind: Kind, act: Act, at: datetime, said: dict[str, Any]) -> Deed:
    return Deed(kind=kind, at=at, event_id=uuid7(), source=BY_PERSON, actor=act.actor, said=said)


def _id_for(about: UUID, act: Act) -> UUID:
    """The new referral's id follows from the request's key where there is one: a repeat finds it."""
    if act.key is None:
        return uuid7()
    return uuid5(about, act.key)


async def _is_first(tx: Transaction, about: UUID, act: Act) -> bool:
    if act.key is None:
        return True
    return await worklists.is_first(tx.connection, about, hashlib.sha256(act.key.encode()).digest())
