"""What was kept and answered is read whole and given to the rules, in the order in which it came.

Also what another process left behind: it may have ended between the answer and the rules.
"""

import asyncio
import time
from collections import Counter, deque
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import asyncpg
from cryptography.exceptions import InvalidTag

from services.intake import keep_store
from services.intake.arrival import Arrival, Key, judge_arrival, read_on, refused_before, stand_by_the_answer
from services.intake.feeds import FeedDirectory
from services.intake.keep_store import Kept
from services.intake.receiving import GROUP_MOST, Reception
from services.intake.sealing import Seal
from shared.lasting import lasting
from shared.metrics import ARRIVALS_OLDEST, ARRIVALS_WAITING, WORK_ALIVE
from shared.postgres import Database
from shared.telemetry import log

# Read ahead of the groups that are being committed; no more, since a message that is read takes ten times its bytes.
READ_AHEAD = 3 * GROUP_MOST
# A burst of more than the rules can take is over when nothing has been added for so long.
BURST_ENDS_S = 0.1
# What somebody else should have interpreted long ago, or what could not be stored in the end, is taken up by whoever
# sees it.
LEFT_BEHIND = timedelta(seconds=30)
LOOK_EVERY_S = 15.0
A_MOMENT_S = 0.5
TAKEN_UP_AT_ONCE = 500
# Messages may be long: what waits in memory, and what is read ahead, is bounded in bytes too.
MOST_BYTES_AHEAD = 64 * 1024 * 1024
BYTES_READ_AHEAD = 8 * 1024 * 1024
BYTES_AT_ONCE = 8 * 1024 * 1024


class WorkingOff:
    """The kept messages of this process. `most_ahead`: so many may wait; beyond it nothing more is answered early."""

    def __init__(
        self, database: Database, feeds: FeedDirectory, seal: Seal, reception: Reception, most_ahead: int
    ) -> None:
        self.reception = reception
        self._database = database
        self._feeds = feeds
        self._seal = seal
        self._most_ahead = most_ahead
        self._unread: deque[tuple[Arrival, object]] = deque()
        self._here: dict[UUID, datetime] = {}
        self._keys: dict[UUID, Key] = {}
        self._acknowledged: Counter[Key] = Counter()
        self._bytes = self._bytes_unread = 0
        self._added = 0.0
        self._changed = asyncio.Event()
        self._more = asyncio.Event()

    def add(self, arrival: Arrival, sender: object) -> None:
        """A message whose bytes stand in the store; one that is here already is not taken twice."""
        if arrival.id in self._here:
            return
        arrival.is_kept = True
        self._here[arrival.id] = arrival.received
        if not arrival.refusal:
            # Its key as it was answered: read on with other feeds, it may be another.
            self._keys[arrival.id] = arrival.key
            self._acknowledged[arrival.key] += 1
        self._unread.append((arrival, sender))
        self._bytes += len(arrival.raw)
        self._bytes_unread += len(arrival.raw)
        self._added = time.monotonic()
        self._more.set()
        ARRIVALS_WAITING.set(len(self._here))

    def has_acknowledged(self, arrival: Arrival) -> bool:
        """Whether the same message waits here, acknowledged positively: the log does not tell of it yet."""
        return self._acknowledged[arrival.key] > 0

    async def has_room(self) -> None:
        """Waits until fewer wait here than may."""
        while len(self._here) >= self._most_ahead or self._bytes >= MOST_BYTES_AHEAD:
            await self._next_change()

    async def drained(self) -> None:
        """Waits until everything here has taken effect."""
        while self._here:
            await self._next_change()

    async def caught_up(self) -> None:
        """Waits until what was acknowledged before has taken effect, but a moment at most: who has just been answered
        and looks finds the message, and a burst makes nobody wait for long.
        """
        now = datetime.now(UTC)
        with suppress(TimeoutError):
            async with asyncio.timeout(A_MOMENT_S):
                while self._here and next(iter(self._here.values())) <= now:
                    await self._next_change()

    async def run(self) -> None:
        """Until cancelled. What waits then is interpreted by the next process."""
        async with asyncio.TaskGroup() as work:
            work.create_task(lasting(self._read_on()))
            work.create_task(lasting(self._take_up()))

    async def _next_change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _read_on(self) -> None:
        while True:
            await self._more.wait()
            while self._unread and self._may_read_more():
                arrival, sender = self._unread.popleft()
                self._bytes_unread -= len(arrival.raw)
                read_on(arrival, self._feeds)
                stand_by_the_answer(arrival)
                self.reception.offer(arrival, sender).add_done_callback(partial(self._settled, arrival))
                await self._answers_first()
            if self._unread:
                await self._next_change()
            else:
                self._more.clear()

    async def _answers_first(self) -> None:
        """Lets everybody who waits for an answer have a turn; in a burst, one as long as that once more."""
        began = time.monotonic()
        await asyncio.sleep(0)
        if self._is_burst():
            await asyncio.sleep(time.monotonic() - began)

    def _is_burst(self) -> bool:
        """Whether more is being answered than the rules can take, and there is room for it."""
        return (
            len(self._unread) > READ_AHEAD
            and len(self._here) < self._most_ahead
            and time.monotonic() - self._added < BURST_ENDS_S
        )

    def _may_read_more(self) -> bool:
        return len(self._here) - len(self._unread) < READ_AHEAD and self._bytes - self._bytes_unread < BYTES_READ_AHEAD

    def _settled(self, arrival: Arrival, _verdict: object) -> None:
        """It took effect, or could not be stored at all: then it is taken up again later."""
        del self._here[arrival.id]
        if key := self._keys.pop(arrival.id, None):
            self._acknowledged[key] -= 1
            if not self._acknowledged[key]:
                del self._acknowledged[key]
        self._bytes -= len(arrival.raw)
        ARRIVALS_WAITING.set(len(self._here))
        self._changed.set()

    async def _take_up(self) -> None:
        older_than = timedelta()
        while True:
            try:
                await self._take_up_left_behind(older_than)
                older_than = LEFT_BEHIND
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("messages left behind not looked for", error=error, retry_in=LOOK_EVERY_S)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _take_up_left_behind(self, older_than: timedelta) -> None:
        after: UUID | None = None
        while True:
            async with self._database.pool.acquire() as connection:
                ARRIVALS_OLDEST.set(await keep_store.oldest_waiting_s(connection))
                rows = await keep_store.waiting(connection, older_than, after, TAKEN_UP_AT_ONCE, BYTES_AT_ONCE)
            WORK_ALIVE.labels("arrivals").set_to_current_time()
            if not rows:
                return
            closed = [row.id for row in rows if row.id not in self._here and not self._add_left_behind(row)]
            if closed:
                log.error("kept messages can't be opened with this key", count=len(closed), message_id=closed[0])
            after = rows[-1].id
            await self.has_room()

    def _add_left_behind(self, kept: Kept) -> bool:
        """Answers whether it can be opened."""
        try:
            raw = self._seal.open(kept.raw, kept.id)
            refusal = keep_store.refusal_from(kept.refusal) if kept.refusal else None
        except (InvalidTag, ValueError):  # sealed with another key, or no longer what was written
            return False
        arrival = judge_arrival(raw, self._feeds, kept.host, message_id=kept.id, received=kept.received)
        if refusal:
            refused_before(arrival, *refusal, self._feeds)
        self.add(arrival, None)
        return True
