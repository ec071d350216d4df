"""What overtook what explains it: messages held for a visit of another patient, applied by themselves once merges or
moves lead from the one patient to the other; and moves that overtook their stays, applied once more to these.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from services.intake import move_store, settling
from services.intake.committing import STORE_AWAY
from services.intake.correcting import Corrector
from services.intake.message import Outcome
from services.intake.receiving import Reception
from services.intake.replaying import replay
from shared.http import Problem
from shared.metrics import WORK_ALIVE
from shared.postgres import Database
from shared.telemetry import log

LOOK_EVERY_S = 1.0
AT_ONCE = 100
# Where very many are held, looking through them takes no more than this share of the time.
SHARE = 0.05
BY_ITSELF = "intake"
# Of moves: the latest at every look, the others of the week in turn.
NEWEST = 100
SLICE = 500
ITS_OWN = timedelta(minutes=1)


class Release:
    def __init__(self, database: Database, corrector: Corrector, reception: Reception) -> None:
        self._database = database
        self._corrector = corrector
        self._reception = reception
        self._place = move_store.START

    async def run(self) -> None:
        while True:
            began = time.monotonic()
            try:
                await self.release()
                WORK_ALIVE.labels("release").set_to_current_time()
            except (*STORE_AWAY, asyncio.CancelledError) as error:
                if isinstance(error, asyncio.CancelledError) and (task := asyncio.current_task()) and task.cancelling():
                    raise
                log.warning("held messages not looked at", error=error, retry_in=LOOK_EVERY_S)
            except Exception as error:  # noqa: BLE001  (a held message that can't be read must not stop the feeds)
                log.error("held messages not looked at", error=error, retry_in=LOOK_EVERY_S)
            await asyncio.sleep(max(LOOK_EVERY_S, (time.monotonic() - began) / SHARE))

    async def release(self) -> int:
        """Offers those that were set free, in the order of their arrival, then the moves that have yet to be followed,
        in theirs; answers how many.
        """
        async with self._database.pool.acquire() as connection:
            ids = await move_store.set_free(connection, AT_ONCE)
        await self._offer(ids)
        moves = await self._unfollowed()
        for message_id in moves:
            await self._offer([message_id])
        if moves:
            async with self._database.pool.acquire() as connection:
                await move_store.note_traced(connection, moves, ITS_OWN)
        if ids or moves:
            log.info("messages set free", count=len(ids), moves=len(moves))
        return len(ids) + len(moves)

    async def _unfollowed(self) -> list[UUID]:
        """Moves after which something must stand otherwise than it does; where one explains it, the first one."""
        found: list[UUID] = []
        async with self._database.pool.acquire() as connection:
            looked, self._place = await move_store.next_moves(connection, self._place, NEWEST, SLICE)
            due = await move_store.due(connection, looked, AT_ONCE) if looked else []
            if not due:
                return []
            held = await move_store.held(connection, [one.message_id for one in due])
            settled: set[UUID] = set()
            for one in due:
                stands = await settling.look(connection, one)
                differing = [each for each in stands if each.differs and each.stay.identity.id not in settled]
                settled |= {each.stay.identity.id for each in differing}
                if differing or (one.message_id in held and any(one.message_id in each.followed for each in stands)):
                    found.append(one.message_id)
            await move_store.note_traced(connection, [one.message_id for one in due if one.message_id not in found])
        return found

    async def _offer(self, ids: Sequence[UUID]) -> None:
        for message in await self._corrector.read(ids):
            if message.outcome is Outcome.ACCEPTED:
                await self._reception.offer(message.arrival)
                continue
            try:
                await replay(self._database, self._reception, message, BY_ITSELF)
            except Problem:
                continue  # somebody was quicker
