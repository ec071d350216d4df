"""The clock of the referral loop: tells every level when it is due, once, even if all was down at that time."""

from dataclasses import replace
from uuid import uuid5

from services.transitions.announcement import Cause
from services.transitions.referrals import store
from services.transitions.referrals.book import Book
from services.transitions.referrals.clocks import EXPIRY, LoopTimer, waiting
from services.transitions.referrals.referral import BY_RULE, Deed, Referral
from services.transitions.referrals.rules import LoopRules
from services.transitions.referrals.statements import say
from services.transitions.referrals.states import Kind
from services.transitions.rounds import Aside, Rounds, Told
from shared.events import Draft
from shared.events.referrals import ReferralEscalated, ReferralOverdue
from shared.metrics import TASKS_ESCALATED
from shared.postgres import Database, Transaction


async def tell_due(tx: Transaction, rules: LoopRules, limit: int, aside: Aside = ()) -> Told:
    """Tells what is due by the database's clock, but for the referrals `aside`. Patients are locked first, as
    everywhere; who is busy is left for the next round.
    """
    due = await store.due_referrals(tx.connection, limit, aside)
    if not due:
        return Told(0, 0)
    idle = await tx.lock_idle(due.values())
    claimed = await store.claim(tx.connection, due, {*idle, *idle.values()})
    if not claimed:
        return Told(len(due), 0)
    book = await Book.load(tx, rules, set(), {timer.referral_id for timer in claimed})
    for timer in claimed:
        _tell(book, rules, timer)
    await store.mark_fired(tx.connection, claimed)
    await book.save(tx)
    return Told(len(due), len(claimed))


def _tell(book: Book, rules: LoopRules, timer: LoopTimer) -> None:
    referral = book.find(timer.referral_id)
    if referral is None or referral.step != timer.step:
        return
    cause = Cause(id=f"timer:{timer.referral_id}:{timer.step}:{timer.level}", at=timer.due_at)
    if timer.level == EXPIRY:
        book.add(referral.id, referral.patient_id, [_expiry(referral, timer)], cause)
        return
    if timer.level < referral.fired:
        return
    told = replace(referral, fired=timer.level + 1, version=referral.version + 1)
    book.put(told)
    book.drafts.append(_level(told, rules, timer, cause))
    TASKS_ESCALATED.labels(str(timer.level)).inc()


def _level(told: Referral, rules: LoopRules, timer: LoopTimer, cause: Cause) -> Draft:
    awaited = waiting(told, rules)
    if timer.level == 0:
        return say(ReferralOverdue, told, awaited, cause, to_role=awaited.role if awaited else "referral-coordinator")
    rung = rules.ladders[rules.priority_of(told.terms.priority)][timer.level - 1]
    return say(ReferralEscalated, told, awaited, cause, level=timer.level, to_role=rung.role)


def _expiry(referral: Referral, timer: LoopTimer) -> Deed:
    return Deed(kind=Kind.EXPIRE, at=timer.due_at, event_id=uuid5(referral.id, "expiry"), source=BY_RULE)


def loop_keeper(database: Database, rules: LoopRules, *, batch: int = 200) -> Rounds:
    """Tells due levels of referrals for as long as it runs."""

    async def tell(tx: Transaction, limit: int, aside: Aside) -> Told:
        return await tell_due(tx, rules, limit, aside)

    return Rounds(database, "referral clocks", due=store.due_referrals, tell=tell, batch=batch)
