"""What is heard of referrals: referral messages, and the appointments, documents and results that move them on. One
transaction a batch. What this service says itself took effect when it was said.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.transitions.announcement import Cause
from services.transitions.referrals import store
from services.transitions.referrals.book import Book
from services.transitions.referrals.matching import deed_of, match, order_of
from services.transitions.referrals.rules import LoopRules
from shared.events import AnyEvent, Fact
from shared.events.followups import AppointmentFact, DocumentFact, ObservationRecorded
from shared.events.referrals import ReferralFact, ReferralStatusAsked
from shared.postgres import Transaction

Waiting = tuple[UUID, str, datetime, Fact, bool]


async def hear_referrals(tx: Transaction, rules: LoopRules, events: Sequence[AnyEvent]) -> None:
    """Takes a batch of one topic into effect; its patients are locked, and it is in order per patient."""
    told = [event for event in events if not event.snapshot and event.source != tx.service and _bears(event.fact)]
    if not told:
        return
    survivors = await tx.lock({event.subject for event in told})
    named = {event.fact.referral_id for event in told if isinstance(event.fact, ReferralFact)}
    book = await Book.load(tx, rules, set(survivors.values()), named)
    unmatched: list[Waiting] = []
    for event in told:
        patient = survivors[event.subject]
        if not _take(book, rules, event, patient) and order_of(event.fact) is not None:
            unmatched.append((event.id, patient, event.time, event.fact, event.historical))
    await store.keep_unmatched(tx.connection, unmatched)
    if named:
        await _match_what_waits(tx, book, rules, set(survivors.values()))
    await book.save(tx)


def _bears(fact: Fact) -> bool:
    if isinstance(fact, ObservationRecorded):
        return fact.order is not None
    return isinstance(fact, ReferralFact | AppointmentFact | DocumentFact)


def _take(book: Book, rules: LoopRules, event: AnyEvent, patient: str) -> bool:
    """Whether the event was of a referral known here, or opens one."""
    if isinstance(event.fact, ReferralStatusAsked):
        book.tell_status(event.fact.referral_id, Cause.of(event))
        return True
    deed = deed_of(event.fact, rules, event.id, event.time, historical=event.historical)
    heard = event.fact if isinstance(event.fact, ReferralFact) else None
    if deed is None:
        return True
    if heard is not None:
        book.add(heard.referral_id, patient, [deed], Cause.of(event), heard)
        return True
    found = match(event.fact, book.of(patient), rules)
    if found is None:
        return False
    book.add(found.id, patient, [deed], Cause.of(event))
    return True


async def _match_what_waits(tx: Transaction, book: Book, rules: LoopRules, patients: set[str]) -> None:
    """What named an order before its referral was heard of: it counts now, at the time when it was done."""
    matched = []
    for event_id, patient, at, fact, historical in await store.unmatched(tx.connection, patients):
        found = match(fact, book.of(patient), rules)
        deed = deed_of(fact, rules, event_id, at, historical=historical)
        if found is not None and deed is not None:
            book.add(found.id, patient, [deed], Cause(id=str(event_id), at=at))
            matched.append(event_id)
    await store.forget_unmatched(tx.connection, matched)
