"""Where messages wait for their group commit.

What arrived on all connections while the last group was being committed becomes the next one. Where nothing is being
committed, a message waits a moment for those of the others who sent one lately: a small group costs the server, and
everything that is told of it, nearly as much as a large one. Who sends alone never waits.
"""

import asyncio
import time
from collections import deque
from contextlib import suppress

from services.intake import group_store
from services.intake.arrival import Arrival
from services.intake.committing import STORE_AWAY, Committer
from services.intake.identities import Identities
from services.intake.message import Verdict
from services.intake.sealing import Seal
from services.intake.triggers import ALONE
from shared.events.people import Identifier
from shared.lasting import lasting
from shared.metrics import GROUP_MESSAGES
from shared.postgres import Database
from shared.telemetry import log

GROUP_MOST = 128
# Two, so that the rules of one group run while the other is being written; the second starts only with enough to do.
# With 24 instead of 8 the acknowledgement at 400/s took a third longer, with as many over 50 connections.
COMMITTERS = 2
WORTH_A_SECOND = 8
# At 400/s over 20 connections this saves a seventh of Python's time a message and a third of PostgreSQL's; the
# acknowledgement's p50 rises from 11 to 16 ms, its p99 falls from 40 to 36.
GATHER_S = 0.01
# Where everybody has been answered already and only the effects wait, a group waits for any company, unless it has been
# quiet for a while: twice as long as the last one took, so that groups grow where the processor is short, and a second
# one is worth it later.
GATHER_ANSWERED_S = (0.03, 0.15)
WORTH_A_SECOND_ANSWERED = 32
QUIET_S = 0.1
LATELY_S = 0.25
BUSY_PAUSE_S = 0.005
STORE_PAUSE_S = (0.05, 0.1, 0.25, 0.5, 1.0)


class Senders:
    """Who sent something lately, and so may do so again."""

    def __init__(self) -> None:
        self._turned = 0.0
        self._now: set[object] = set()
        self._before: set[object] = set()

    def heard(self, sender: object, at: float) -> None:
        """`at`: seconds of a clock that never goes back."""
        if at - self._turned > LATELY_S:
            self._before = self._now if at - self._turned < 2 * LATELY_S else set()
            self._now, self._turned = set(), at
        self._now.add(sender)

    def lately(self) -> int:
        """How many they are."""
        return len(self._now | self._before)


class Reception:
    """Takes arrivals in, and settles their `done` with the verdict once it is durable.

    A store that is away is waited for; nobody is acknowledged meanwhile.
    """

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal
        self._identities = Identities()
        self._waiting: deque[Arrival] = deque()
        self._wake = asyncio.Event()
        self._senders = Senders()
        self._since = self._last = 0.0
        self._was_quiet = True
        self._took = 0.0
        self._enough = 0
        self._gathered = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._at_work = 0
        self._whose: set[Identifier] = set()
        self.store_failures = 0
        """Attempts in a row that failed because of the store; 0 when it is well."""

    def offer(self, arrival: Arrival, sender: object = None) -> "asyncio.Future[Verdict]":
        """Answers the arrival's `done`. It is cancelled when the message could not be stored."""
        arrival.done = asyncio.get_running_loop().create_future()
        arrival.offered = now = time.monotonic()
        self._senders.heard(sender, now)
        if not self._waiting:
            self._since, self._was_quiet = now, now - self._last > QUIET_S
        self._last = now
        self._waiting.append(arrival)
        if len(self._waiting) >= self._enough or not arrival.is_kept:
            self._gathered.set()
        self._idle.clear()
        self._wake.set()
        return arrival.done

    async def run(self) -> None:
        """Commits groups until cancelled. Whoever still waits then is not acknowledged."""
        try:
            async with asyncio.TaskGroup() as committers:
                for _ in range(COMMITTERS):
                    committers.create_task(lasting(self._keep_committing()))
        finally:
            for arrival in self._waiting:
                arrival.done.cancel()

    async def drained(self) -> None:
        """Waits until all that has come is settled."""
        await self._idle.wait()

    async def _keep_committing(self) -> None:
        """On one connection for as long as it holds: taking one for each group would cost a round trip."""
        while True:
            try:
                async with self._database.pool.acquire() as connection:
                    await group_store.prepare(connection)
                    await self._commit_groups(Committer(self._database, connection, self._identities, self._seal))
            except STORE_AWAY as error:
                pause = STORE_PAUSE_S[min(self.store_failures, len(STORE_PAUSE_S) - 1)]
                self.store_failures += 1
                log.warning("store not available", error=error, attempts=self.store_failures, retry_in=pause)
                await asyncio.sleep(pause)

    async def _commit_groups(self, committer: Committer) -> None:
        while True:
            await self._gather()
            group = self._next_group()
            if group:
                await self._commit(committer, group)
                continue
            self._wake.clear()
            if not self._at_work and not self._waiting:
                self._idle.set()
                # While this process is not ready, nobody comes to try whether the store is well again.
                self.store_failures = 0
            await self._wake.wait()

    async def _gather(self) -> None:
        """Waits for the others who sent lately, but no longer than a moment after the oldest message that waits, and
        than a shorter one after the oldest whose sender waits for what it does.
        """
        while self._waiting and not self._at_work:
            ends, self._enough = self._until()
            left = ends - time.monotonic()
            if len(self._waiting) >= self._enough or left <= 0:
                return
            self._gathered.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._gathered.wait(), left)

    def _until(self) -> tuple[float, int]:
        """When at the latest a group begins, and with how many at once."""
        asking = self._first_asking()
        if asking is self._waiting[0]:
            return asking.offered + GATHER_S, self._senders.lately()
        least, most = GATHER_ANSWERED_S
        ends = self._since + min(max(least, 2 * self._took), most)
        if asking:
            ends = min(ends, asking.offered + GATHER_S)
        return ends, 1 if self._was_quiet else GROUP_MOST

    def _first_asking(self) -> Arrival | None:
        """The oldest message whose sender waits for what it does: most are answered already."""
        return next((arrival for arrival in self._waiting if not arrival.is_kept), None)

    async def _commit(self, committer: Committer, group: list[Arrival]) -> None:
        self._at_work += 1
        whose = {arrival.adt.identifiers[0] for arrival in group if arrival.adt}
        self._whose |= whose
        try:
            GROUP_MESSAGES.observe(len(group))
            began = time.monotonic()
            busy = await committer.commit(group)
            self._took = time.monotonic() - began
            self.store_failures = 0
            group = busy
            if busy:
                await asyncio.sleep(BUSY_PAUSE_S)
        finally:
            # Whatever was not settled goes first in the next group: it was not acknowledged, so it is not lost.
            self._at_work -= 1
            self._whose -= whose
            self._waiting.extendleft(reversed([arrival for arrival in group if not arrival.done.done()]))
            self._wake.set()

    def _next_group(self) -> list[Arrival]:
        """The oldest messages; a merge goes alone. Whoever hung up meanwhile will send again: nothing to do for it.

        Patients whose messages are being committed have to wait: to read them now would be to read what is changing.
        """
        group: list[Arrival] = []
        later: list[Arrival] = []
        if self._at_work and len(self._waiting) < (WORTH_A_SECOND if self._first_asking() else WORTH_A_SECOND_ANSWERED):
            return group
        while self._waiting and len(group) < GROUP_MOST:
            is_merge = _is_merge(self._waiting[0])
            if is_merge and group:
                break
            arrival = self._waiting.popleft()
            if arrival.adt and arrival.adt.identifiers[0] in self._whose:
                later.append(arrival)
            elif not arrival.done.cancelled():
                group.append(arrival)
                if is_merge:
                    break
        self._waiting.extendleft(reversed(later))
        return group


def _is_merge(arrival: Arrival) -> bool:
    return arrival.adt is not None and arrival.adt.trigger in ALONE
