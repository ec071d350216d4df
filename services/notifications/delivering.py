"""The delivery loop: claim what is due, post it outside any transaction, close many results in one.

Nothing here holds a database connection while a recipient's server thinks. A process that dies between the post and
the closing leaves a lease behind; it is given back, and the notice goes out again under the same webhook-id. What the
database refuses for good is sought by halves and set aside, so that the others go on.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from services.notifications.closing import Finished, close_attempts, set_aside, strand
from services.notifications.notices import provider_notice
from services.notifications.posting import Poster
from services.notifications.retrying import FAILURES_TO_OPEN, SCHEDULE, Answer, Outcome, judge
from services.notifications.signing import SecretBox, UnreadableSecretError, headers_for
from services.notifications.store import sending
from shared.kafka.failures import is_transient
from shared.lasting import lasting
from shared.metrics import (
    DELIVERIES_OLDEST_SECONDS,
    DELIVERIES_SET_ASIDE,
    DELIVERIES_WAITING,
    ENDPOINTS_FAILING,
    WORK_ALIVE,
)
from shared.postgres import Database
from shared.telemetry import log

if TYPE_CHECKING:
    from services.notifications.store import Record

T = TypeVar("T")

CLAIMED_AT_ONCE = 200
CLOSED_AT_ONCE = 500
STRANDED_AT_ONCE = 500
TRIES = 3
"""How often one result that the database refuses is tried before it is set aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How the loop runs. `lease` must outlast an attempt's total time and a stalled database; `gather_seconds` is how
    long a closing waits for others to share its transaction, `claim_seconds` the pause between two claims.
    """

    in_flight: int = 512
    lease: timedelta = timedelta(seconds=60)
    poll_seconds: float = 0.5
    gather_seconds: float = 0.1
    claim_seconds: float = 0.03
    sweep_seconds: float = 5.0
    settle_seconds: float = 3.0
    away_seconds: float = 0.5
    schedule: Sequence[timedelta] = field(default=SCHEDULE)


class Deliverer:
    """One per process. `owner` must be a name that no other living process bears."""

    def __init__(self, *, database: Database, poster: Poster, box: SecretBox, owner: str, pace: Pace) -> None:
        self._database = database
        self._poster = poster
        self._box = box
        self._owner = owner
        self._pace = pace
        self._due = asyncio.Event()
        self._finished: asyncio.Queue[Finished] = asyncio.Queue()
        self._attempts: set[asyncio.Task[None]] = set()
        self._taken: Counter[UUID] = Counter()
        self._secrets: dict[bytes, bytes] = {}
        self.claimed_at = time.monotonic()

    def wake(self) -> None:
        """Something may have become due; safe to call at any time."""
        self._due.set()

    async def run(self) -> None:
        """Until cancelled; then what is under way gets `settle_seconds` to end and be closed."""
        await self._round("deliveries", self._release_own)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(lasting(self._claim_on()))
                group.create_task(lasting(self._close_on()))
                group.create_task(lasting(self._sweep_on()))
        finally:
            await self._settle()

    async def _claim_on(self) -> None:
        while True:
            self._due.clear()
            if not await self._round("deliveries", self._claim):
                await self._wait_for_work()
            await asyncio.sleep(self._pace.claim_seconds)

    async def _wait_for_work(self) -> None:
        try:
            async with asyncio.timeout(self._pace.poll_seconds):
                await self._due.wait()
        except TimeoutError:
            pass

    async def _claim(self) -> int:
        free = self._pace.in_flight - len(self._attempts)
        if free <= 0:
            return 0
        rows = await sending.claim(
            self._database.pool,
            owner=self._owner,
            lease=self._pace.lease,
            busy=self._taken,
            limit=min(free, CLAIMED_AT_ONCE),
            circuit=FAILURES_TO_OPEN,
        )
        self.claimed_at = time.monotonic()
        for row in rows:
            self._taken[row["endpoint_id"]] += 1
            attempt = asyncio.create_task(self._attempt(row))
            self._attempts.add(attempt)
            attempt.add_done_callback(self._attempts.discard)
        return len(rows)

    async def _attempt(self, row: "Record") -> None:
        try:
            answer = await self._post(row)
        except UnreadableSecretError:
            answer = Answer(outcome=Outcome.SECRET_UNREADABLE)
        except Exception as error:  # noqa: BLE001  (a fault of one notice must not end the deliveries of all)
            log.error("attempt failed", delivery_id=row["id"], endpoint_id=row["endpoint_id"], exc_info=error)
            answer = Answer(outcome=Outcome.CONNECTION_LOST)
        number = row["attempts"] - row["first_attempt"] + 1
        verdict = judge(answer, number, random.random(), self._pace.schedule)  # noqa: S311  (spreads load, no secret)
        one = Finished(row=row, answer=answer, verdict=verdict)
        if one.is_told:
            self._leave_places([one])
        self._finished.put_nowait(one)

    async def _post(self, row: "Record") -> Answer:
        body = provider_notice(row).model_dump_json(exclude_none=True).encode()
        headers = headers_for(self._keys(row), str(row["id"]), datetime.now(UTC), body)
        return await self._poster.post(row["url"], headers, body)

    def _keys(self, row: "Record") -> list[bytes]:
        sealed = [row["secret"], row["previous_secret"] if row["previous_valid"] else None]
        return [self._opened(row["endpoint_id"], one) for one in sealed if one]

    def _opened(self, endpoint_id: UUID, sealed: bytes) -> bytes:
        known = self._secrets.get(sealed)
        if known is None:
            known = self._secrets[sealed] = self._box.open(endpoint_id, sealed)
        return known

    async def _close_on(self) -> None:
        while True:
            first = await self._finished.get()
            await asyncio.sleep(self._pace.gather_seconds)
            await self._close([first])

    async def _close(self, finished: list[Finished]) -> None:
        while len(finished) < CLOSED_AT_ONCE and not self._finished.empty():
            finished.append(self._finished.get_nowait())
        await self._write_down(finished)
        self._leave_places([one for one in finished if not one.is_told])

    async def _write_down(self, finished: Sequence[Finished], tries: int = TRIES) -> None:
        """Closes these; the one that the database refuses is found by halves, and set aside after some tries."""
        try:
            await self._patiently(lambda: close_attempts(self._database, finished))
        except Exception as error:  # noqa: BLE001  (whatever it is, the other notices must be closed)
            if len(finished) > 1:
                await self._write_down(finished[: len(finished) // 2])
                await self._write_down(finished[len(finished) // 2 :])
            elif tries > 1:
                await asyncio.sleep(self._pace.away_seconds)
                await self._write_down(finished, tries - 1)
            else:
                await self._set_aside(finished[0].row["id"], error)

    async def _set_aside(self, delivery_id: UUID, error: Exception) -> None:
        log.error("delivery set aside", delivery_id=delivery_id, exc_info=error)
        for with_events in (True, False):
            try:
                await self._patiently(partial(set_aside, self._database, delivery_id, with_events=with_events))
            except Exception as again:  # noqa: BLE001  (its lease is given back, and it comes here again)
                log.error("delivery not set aside", delivery_id=delivery_id, exc_info=again)
            else:
                return

    def _leave_places(self, finished: Sequence[Finished]) -> None:
        """A recipient that took a notice has a place for the next at once; one that did not, when that is written down:
        its circuit may be open then.
        """
        self._taken -= Counter(one.row["endpoint_id"] for one in finished)
        self.wake()

    async def _sweep_on(self) -> None:
        while True:
            await self._round("sweeping deliveries", self._sweep)
            await asyncio.sleep(self._pace.sweep_seconds)

    async def _sweep(self) -> None:
        released = await sending.release_expired(self._database.pool)
        if released:
            log.warning("leases expired", count=released)
        while await self._strand(STRANDED_AT_ONCE):
            pass
        DELIVERIES_SET_ASIDE.set(await sending.count_set_aside(self._database.pool))
        ENDPOINTS_FAILING.set(await sending.failing(self._database.pool))
        hops = (await sending.hops(self._database.pool)).values()
        DELIVERIES_WAITING.set(sum(hop["count"] for hop in hops))
        DELIVERIES_OLDEST_SECONDS.set(max(hop["oldest_seconds"] or 0 for hop in hops))

    async def _strand(self, limit: int) -> bool:
        """Whether there may be more; one that can't be failed is set aside, as it would keep the others waiting."""
        try:
            return await strand(self._database, limit) == limit
        except Exception as error:
            if is_transient(error):
                raise
            if limit > 1:
                return await self._strand(limit // 2)
            for row in await sending.stranded(self._database.pool, 1):
                await self._set_aside(row["id"], error)
            return True

    async def _release_own(self) -> None:
        released = await sending.release_own(self._database.pool, self._owner)
        if released:
            log.info("took back what an earlier process had claimed", count=released)

    async def _round(self, name: str, work: Callable[[], Awaitable[T]]) -> T | None:
        """One round of a loop; a fault of our own costs this round alone; the missing heartbeat tells of it."""
        try:
            done = await self._patiently(work)
        except Exception as error:  # noqa: BLE001  (one loop's fault must not end the others)
            log.error("delivery round failed", exc_info=error)
            await asyncio.sleep(self._pace.away_seconds)
            return None
        WORK_ALIVE.labels(name).set_to_current_time()
        return done

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """The same piece of work while the database is away; what it refuses for good is raised."""
        while True:
            try:
                return await work()
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("store unavailable", retry_in=self._pace.away_seconds, exc_info=error)
                await asyncio.sleep(self._pace.away_seconds)

    async def _settle(self) -> None:
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=self._pace.settle_seconds)
        for attempt in self._attempts:
            attempt.cancel()
        try:
            async with asyncio.timeout(self._pace.settle_seconds):
                while not self._finished.empty():
                    await self._close([self._finished.get_nowait()])
        except TimeoutError:
            log.warning("attempts left to their leases", count=self._finished.qsize())
