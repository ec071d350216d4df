"""Messages are kept and answered first, and interpreted right after: docs/adr/0007.

What arrived on all connections while the last ones were being kept is kept next, in one statement. Whoever sent one of
them is answered then: what the answer says follows from the message alone. Reading all of it and the rules come after;
a burst of more than these can take waits in the store.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from services.intake import keep_store
from services.intake.arrival import Arrival
from services.intake.chart import ACCEPTED
from services.intake.committing import STORE_AWAY
from services.intake.message import Verdict
from services.intake.receiving import STORE_PAUSE_S
from services.intake.sealing import Seal
from services.intake.working_off import WorkingOff
from shared.lasting import lasting
from shared.postgres import Database
from shared.telemetry import log

if TYPE_CHECKING:
    from services.intake.store import Connection

KEPT_AT_ONCE = 256
# One statement may not be longer than 1 GB, and messages may be long.
BYTES_AT_ONCE = 16 * 1024 * 1024
CANNOT_KEEP = (*STORE_AWAY, asyncpg.PostgresError)

Offered = tuple[Arrival, "asyncio.Future[Verdict]", object]


class Keeping:
    """Keeps what can be answered before it is interpreted, and hands it on to be worked off."""

    def __init__(self, database: Database, seal: Seal, working_off: WorkingOff) -> None:
        self.working_off = working_off
        self._database = database
        self._seal = seal
        self._offered: deque[Offered] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.store_failures = 0
        """Attempts in a row that failed because of the store; 0 when it is well."""

    def offer(self, arrival: Arrival, sender: object = None) -> "asyncio.Future[Verdict]":
        """What to answer, once that is durable. It is cancelled when the message could not be stored."""
        answer: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._offered.append((arrival, answer, sender))
        self._idle.clear()
        self._wake.set()
        return answer

    async def run(self) -> None:
        """Until cancelled. Whoever still waits then is not answered."""
        try:
            await lasting(self._keep_on())
        finally:
            for _, answer, _ in self._offered:
                answer.cancel()

    async def drained(self) -> None:
        """Waits until all that has come is answered."""
        await self._idle.wait()

    async def _keep_on(self) -> None:
        """On one connection for as long as it holds: taking one each time would cost a round trip."""
        while True:
            try:
                async with self._database.pool.acquire() as connection:
                    await keep_store.prepare(connection)
                    while True:
                        await self._wake.wait()
                        await self.working_off.has_room()
                        await self._keep(connection)
            except CANNOT_KEEP as error:
                pause = STORE_PAUSE_S[min(self.store_failures, len(STORE_PAUSE_S) - 1)]
                self.store_failures += 1
                log.warning("store not available", error=error, attempts=self.store_failures, retry_in=pause)
                await asyncio.sleep(pause)

    async def _keep(self, connection: "Connection") -> None:
        """The oldest ones. Whoever hung up meanwhile will send again: nothing to do for it."""
        group = self._next_group()
        kept = False
        refused: set[UUID] = set()
        try:
            if group:
                arrivals = [arrival for arrival, _, _ in group]
                known = {one.id for one in arrivals if one.verdict and self.working_off.has_acknowledged(one)}
                refused = await keep_store.keep(connection, arrivals, self._seal, known)
            kept = True
            # Also where everybody who waited has hung up: while this process is not ready, nobody else comes to try.
            self.store_failures = 0
        finally:
            if not kept:
                self._offered.extendleft(reversed(group))
        for arrival, answer, sender in group:
            arrival.refusal = arrival.verdict if arrival.id in refused else None
            self.working_off.add(arrival, sender)
            if not answer.done():
                answer.set_result(arrival.refusal or ACCEPTED)
        if not self._offered:
            self._wake.clear()
            self._idle.set()

    def _next_group(self) -> list[Offered]:
        group: list[Offered] = []
        size = 0
        while self._offered and len(group) < KEPT_AT_ONCE and size < BYTES_AT_ONCE:
            one = self._offered.popleft()
            if not one[1].cancelled():
                group.append(one)
                size += len(one[0].raw)
        return group
