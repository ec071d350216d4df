"""Counts patients anew when something of theirs changed: in the background, with its share of the time and no more."""

import asyncio
import time
from typing import TYPE_CHECKING

import asyncpg

from services.transitions.quality import store
from services.transitions.quality.counting import outcomes
from services.transitions.quality.measures import Measures
from services.transitions.quality.outcome import Outcome
from shared.postgres import Database
from shared.telemetry import log

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

BATCH = 50
SHORTEST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0


class Counter:
    """`share` is the part of the time that counting may take: after a batch it rests for the other part."""

    def __init__(self, database: Database, measures: Measures, *, share: float = 0.1) -> None:
        self._database = database
        self._measures = measures
        self._rest = (1 - share) / share
        self._is_noted = False

    async def run(self) -> None:
        """Runs until cancelled. While the database is away it waits: what changed meanwhile is counted afterwards."""
        while True:
            began = time.monotonic()
            try:
                if not self._is_noted:
                    await self.note_edition()
                counted = await self.count_batch()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("quality.waiting", exc_info=error)
                counted = 0
            took = time.monotonic() - began
            await asyncio.sleep(max(took * self._rest, SHORTEST_PAUSE_S) if counted else LONGEST_PAUSE_S)

    async def note_edition(self) -> None:
        """Has everybody counted anew where the measures are other ones than those counted by so far."""
        async with self._database.transaction() as tx:
            if await store.is_alone(tx.connection) and await store.note_edition(tx.connection, self._measures.edition):
                log.info("quality.measures_changed")
        self._is_noted = True

    async def count_all(self) -> int:
        """Counts whoever waits; answers how many patients were counted."""
        total = 0
        while counted := await self.count_batch():
            total += counted
        return total

    async def count_batch(self) -> int:
        """Counts the patients who wait longest, in one transaction; zero when nobody waits or another one counts."""
        async with self._database.transaction() as tx:
            if not await store.is_alone(tx.connection):
                return 0
            patients = await store.take_uncounted(tx.connection, BATCH)
            if patients:
                await self._count(tx.connection, patients)
        return len(patients)

    async def _count(self, connection: "Connection", patients: list[str]) -> None:
        found: dict[str, list[Outcome]] = {}
        for history in await store.histories(connection, patients):
            try:
                found[history.patient_id] = outcomes(self._measures, history)
            except Exception as error:  # noqa: BLE001  (the rules fail on one patient: the others are counted)
                log.error("quality.not_counted", patient_id=history.patient_id, exc_info=error)
            # The service's clocks and consumers share this thread.
            await asyncio.sleep(0)
        await store.save_outcomes(connection, found.keys(), [one for each in found.values() for one in each])
