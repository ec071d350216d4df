"""Rounds of a clock: what is due is told batch by batch. A row that the rules fail on holds up none of the others."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from shared.kafka.failures import TRANSIENT, is_transient
from shared.metrics import TIMERS_SET_ASIDE, WORK_ALIVE
from shared.postgres import Database, Transaction
from shared.telemetry import log

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

LOOK_EVERY_S = 1.0
# What the rules fail on is tried again after this long.
TRY_AGAIN_S = 300.0


Aside = Collection[UUID]
"""Rows that a round leaves out: they failed before and are tried again later."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one round found and did: rows found due, and levels told."""

    found: int
    levels: int


Tell = Callable[[Transaction, int, Aside], Awaitable[Told]]
Due = Callable[["Connection", int, Aside], Awaitable[Mapping[UUID, str]]]


class Rounds:
    """Tells what is due by `tell`, up to `batch` at a time; `due` answers what the next round would begin with.

    `work` names it in logs and metrics. Several may run at once, in any process.
    """

    def __init__(self, database: Database, work: str, *, due: Due, tell: Tell, batch: int) -> None:
        self._database = database
        self._work = work
        self._due = due
        self._tell = tell
        self._batch = batch
        self._aside: dict[UUID, float] = {}
        """Rows that could not be told, and until when they are left out (monotonic)."""

    async def run(self) -> None:
        """Runs until cancelled. While the database is away it waits: what became due then is told afterwards."""
        while True:
            try:
                await self.work_off()
                WORK_ALIVE.labels(self._work).set_to_current_time()
            except TRANSIENT as error:
                log.warning("timers.waiting", work=self._work, exc_info=error)
            except Exception as error:  # noqa: BLE001  (one clock that fails must not stop the others, nor evidence)
                log.error("timers.failed", work=self._work, exc_info=error)
            await asyncio.sleep(LOOK_EVERY_S)

    async def work_off(self) -> None:
        """Tells all that is due now, but for what is busy or set aside."""
        while (told := await self._round(self._batch)).levels:
            log.info("timers.told", work=self._work, count=told.levels)

    async def _round(self, limit: int) -> Told:
        """One round; when the rules fail on a row it is sought by halves and set aside: the others are told."""
        try:
            async with self._database.transaction() as tx:
                return await self._tell(tx, limit, self._left_out())
        except Exception as error:
            if is_transient(error):
                raise
            if limit > 1:
                return await self._round(limit // 2)
            return await self._set_aside(error)

    def _left_out(self) -> Aside:
        now = time.monotonic()
        self._aside = {row: until for row, until in self._aside.items() if until > now}
        TIMERS_SET_ASIDE.labels(self._work).set(len(self._aside))
        return self._aside.keys()

    async def _set_aside(self, error: Exception) -> Told:
        async with self._database.pool.acquire() as connection:
            failing = await self._due(connection, 1, self._left_out())
        if not failing:
            raise error
        for row in failing:
            log.error("timers.set_aside", work=self._work, row_id=row, exc_info=error)
            self._aside[row] = time.monotonic() + TRY_AGAIN_S
        return Told(len(failing), len(failing))
