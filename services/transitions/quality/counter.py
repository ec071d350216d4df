"""Counts patients anew when something of theirs changed: in the background, with its share of the time and no more."""

import asyncio
import time
from collections.abc import Collection
from typing import TYPE_CHECKING

from services.transitions.quality import store
from services.transitions.quality.counting import outcomes
from services.transitions.quality.measures import Measures
from services.transitions.quality.outcome import Outcome
from shared.kafka.failures import TRANSIENT, is_transient
from shared.metrics import QUALITY_WAITING, TIMERS_SET_ASIDE, WORK_ALIVE
from shared.postgres import Database
from shared.telemetry import log

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

WORK = "quality"
BATCH = 50
SHORTEST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
# A patient whom the rules fail on is tried again after this long.
TRY_AGAIN_S = 300.0


class Counter:
    """`share` is the part of the time that counting may take: after a batch it rests for the other part."""

    def __init__(self, database: Database, measures: Measures, *, share: float = 0.1) -> None:
        self._database = database
        self._measures = measures
        self._rest = (1 - share) / share
        self._is_noted = False
        self._aside: dict[str, float] = {}
        """Patients who could not be counted, and until when they are left out (monotonic)."""

    async def run(self) -> None:
        """Runs until cancelled. While the database is away it waits: what changed meanwhile is counted afterwards."""
        while True:
            pause = await self._round()
            await asyncio.sleep(pause)

    async def _round(self) -> float:
        """Counts a batch; answers how long to rest, in seconds."""
        began = time.monotonic()
        try:
            if not self._is_noted:
                await self.note_edition()
            counted = await self.count_batch()
            await self._measure()
        except TRANSIENT as error:
            log.warning("quality.waiting", exc_info=error)
            return LONGEST_PAUSE_S
        except Exception as error:  # noqa: BLE001  (figures that fail must not stop clocks and evidence)
            log.error("quality.failed", exc_info=error)
            return LONGEST_PAUSE_S
        took = time.monotonic() - began
        return max(took * self._rest, SHORTEST_PAUSE_S) if counted else LONGEST_PAUSE_S

    async def _measure(self) -> None:
        async with self._database.pool.acquire() as connection:
            QUALITY_WAITING.set(await store.waiting(connection))
        WORK_ALIVE.labels(WORK).set_to_current_time()

    async def note_edition(self) -> None:
        """Has everybody counted anew where the measures are other ones than those counted by so far."""
        async with self._database.transaction() as tx:
            if not await store.is_alone(tx.connection):
                return
            if await store.note_edition(tx.connection, self._measures.edition):
                log.info("quality.measures_changed")
        self._is_noted = True

    async def count_all(self) -> int:
        """Counts whoever waits; answers how many patients were counted."""
        total = 0
        while counted := await self.count_batch():
            total += counted
        return total

    async def count_batch(self, limit: int = BATCH) -> int:
        """Counts the patients of the first changes that wait, in one transaction; zero when none waits or another
        replica counts. A patient whom the rules fail on is sought by halves and set aside: the others are counted.
        """
        try:
            async with self._database.transaction() as tx:
                return await self._count(tx.connection, limit)
        except Exception as error:
            if is_transient(error):
                raise
            if limit > 1:
                return await self.count_batch(limit // 2)
            await self._set_aside(error)
            return 1

    async def _count(self, connection: "Connection", limit: int) -> int:
        if not await store.is_alone(connection):
            return 0
        patients = await store.take_uncounted(connection, limit, self._left_out())
        found: list[Outcome] = []
        for history in await store.histories(connection, patients) if patients else ():
            found += outcomes(self._measures, history)
            # The service's clocks and consumers share this thread.
            await asyncio.sleep(0)
        if patients:
            await store.save_outcomes(connection, patients, found)
        return len(patients)

    def _left_out(self) -> Collection[str]:
        now = time.monotonic()
        self._aside = {patient: until for patient, until in self._aside.items() if until > now}
        TIMERS_SET_ASIDE.labels(WORK).set(len(self._aside))
        return self._aside.keys()

    async def _set_aside(self, error: Exception) -> None:
        async with self._database.pool.acquire() as connection:
            patient = await store.first_uncounted(connection, self._left_out())
        if patient is not None:
            log.error("quality.set_aside", patient_id=patient, exc_info=error)
            self._aside[patient] = time.monotonic() + TRY_AGAIN_S
