"""The clock of the referral loop: tells every level when it is due, once, even if all was down at that time."""

import asyncio
from dataclasses import replace
from uuid import uuid5

import asyncpg

from services.transitions.announcement import Cause
from services.transitions.referrals import store
from services.transitions.referrals.book import Book
from services.transitions.referrals.clocks import EXPIRY, LoopTimer, waiting
from services.transitions.referrals.referral import BY_RULE, Deed, Referral
from services.transitions.referrals.rules import LoopRules
from services.transitions.referrals.statements import say
from services.transitions.referrals.states import Kind
from shared.events import Draft
from shared.events.referrals import ReferralEscalated, ReferralOverdue
from shared.metrics import TASKS_ESCALATED, WORK_ALIVE
from shared.postgres import Database, Transaction
from shared.telemetry import log

LOOK_EVERY_S = 1.0


async def tell_due(tx: Transaction, rules: LoopRules, limit: int) -> int:
    """Tells what is due by the database's clock; answers how many levels. Patients are locked first, as everywhere;
    who is busy is left for the next round.
    """
    due = await store.due_referrals(tx.connection, limit)
    if not due:
        return 0
    idle = await tx.lock_idle(due.values())
    claimed = await store.claim(tx.connection, due, {*idle, *idle.values()})
    if not claimed:
        return 0
    book = await Book.load(tx, rules, set(), {timer.referral_id for timer in claimed})
    for timer in claimed:
        _tell(book, rules, timer)
    await store.mark_fired(tx.connection, claimed)
    await book.save(tx)
    return len(claimed)


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


class LoopKeeper:
    """Tells due levels of referrals for as long as it runs; several may run at once, in any process."""

    def __init__(self, database: Database, rules: LoopRules, *, batch: int = 200) -> None:
        self._database = database
        self._rules = rules
        self._batch = batch

    async def run(self) -> None:
        """Runs until cancelled. While the database is away it waits: what became due then is told afterwards."""
        while True:
            try:
                await self.work_off()
                WORK_ALIVE.labels("referral clocks").set_to_current_time()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("timers.waiting", exc_info=error)
            except Exception as error:  # noqa: BLE001  (one that the rules fail on must not stop tasks and evidence too)
                log.error("timers.failed", exc_info=error)
            await asyncio.sleep(LOOK_EVERY_S)

    async def work_off(self) -> None:
        """Tells all that is due now."""
        told = 1
        while told:
            async with self._database.transaction() as tx:
                told = await tell_due(tx, self._rules, self._batch)
