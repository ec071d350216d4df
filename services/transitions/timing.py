"""The clock of the system: tells every level of every task when it is due, once, even if all was down at that time."""

import asyncio
import time
from collections.abc import Sequence

import asyncpg

from services.transitions.escalation import LAPSE, Timer, fire
from services.transitions.lapsing import end_lapsed
from services.transitions.protocols import Library
from services.transitions.rounds import Aside, Rounds, Tell, Told
from services.transitions.store import following, timers
from shared.events import Draft
from shared.metrics import TASKS_ESCALATED, TASKS_OVERDUE, TIMERS_ALIVE
from shared.postgres import Database, Transaction
from shared.telemetry import log

LONGEST_SLEEP_S = 1.0
SHORTEST_SLEEP_S = 0.05
COUNT_OVERDUE_EVERY_S = 15.0


async def tell_due(tx: Transaction, library: Library, limit: int, aside: Aside = ()) -> Told:
    """Tells what is due by the database's clock, up to `limit` levels, but for the tasks `aside`; effect and events are
    one transaction.

    Patients are locked before their tasks, as everywhere; who is busy is left for the next round. What was told by
    another scheduler, or was settled, between looking and locking is not told.
    """
    due = await timers.due_tasks(tx.connection, limit, aside)
    if not due:
        return Told(0, 0)
    idle = await tx.lock_idle(due.values())
    patients = {*idle, *idle.values()}
    claimed = await timers.claim(tx.connection, due, patients)
    if not claimed:
        return Told(len(due), 0)
    ended = [timer for timer in claimed if timer.level == LAPSE]
    rung = [timer for timer in claimed if timer.level != LAPSE]
    await _tell_ladders(tx, library, rung, patients)
    if ended:
        await end_lapsed(tx, library, {timer.task_id for timer in ended}, patients)
    await timers.mark_fired(tx.connection, claimed)
    for timer in claimed:
        TASKS_ESCALATED.labels("ended" if timer.level == LAPSE else str(timer.level)).inc()
    return Told(len(due), len(claimed))


async def _tell_ladders(tx: Transaction, library: Library, claimed: Sequence[Timer], patients: set[str]) -> None:
    uncertain = await timers.uncertain(tx.connection, patients)
    clocked = await timers.load_clocked(tx.connection, library, {timer.task_id for timer in claimed})
    said: list[Draft] = []
    for timer in claimed:
        task = clocked[timer.task_id]
        is_uncertain = task.transition.patient.id in uncertain
        obligation, drafts = fire(task.transition, task.obligation, timer, is_uncertain=is_uncertain)
        clocked[timer.task_id] = timers.Clocked(task.transition, obligation)
        said += drafts
    await following.save_tasks(tx.connection, [(task.transition, task.obligation) for task in clocked.values()])
    await following.write_history(tx.connection, said)
    await tx.publish(said)


class Timekeeper:
    """Tells due levels for as long as it runs; several may run at once, in any process."""

    def __init__(self, database: Database, library: Library, *, batch: int = 500) -> None:
        self._database = database
        self._rounds = Rounds(database, "tasks", due=timers.due_tasks, tell=_telling(library), batch=batch)
        self._counted_at = float("-inf")

    async def run(self) -> None:
        """Runs until cancelled. While the database is away it waits: what became due then is told afterwards."""
        while True:
            try:
                pause = await self.work_off()
                await self._count_overdue()
                TIMERS_ALIVE.set_to_current_time()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("timers.waiting", exc_info=error)
                pause = LONGEST_SLEEP_S
            await asyncio.sleep(pause)

    async def work_off(self) -> float:
        """Tells all that is due now; answers how long until there may be more, in seconds (monotonic, one at most)."""
        await self._rounds.work_off()
        async with self._database.pool.acquire() as connection:
            ahead = await timers.seconds_to_next(connection)
        return LONGEST_SLEEP_S if ahead is None else min(max(ahead, SHORTEST_SLEEP_S), LONGEST_SLEEP_S)

    async def _count_overdue(self) -> None:
        if time.monotonic() - self._counted_at < COUNT_OVERDUE_EVERY_S:
            return
        async with self._database.pool.acquire() as connection:
            TASKS_OVERDUE.set(await timers.count_overdue(connection))
        self._counted_at = time.monotonic()


def _telling(library: Library) -> Tell:
    async def tell(tx: Transaction, limit: int, aside: Aside) -> Told:
        return await tell_due(tx, library, limit, aside)

    return tell
