"""Files of messages: kept first, then read message by message like those of MLLP, with progress and a report."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import asyncpg

from services.intake import file_store
from services.intake.arrival import Arrival, is_json, read_arrival, spoiled_arrival
from services.intake.batches import Splitter
from services.intake.feeds import FeedDirectory
from services.intake.fhir.reading import read_fhir
from services.intake.message import Outcome, Reason, Verdict
from services.intake.receiving import Reception
from services.intake.sealing import Seal
from shared.events import uuid7
from shared.metrics import WORK_ALIVE
from shared.postgres import Database
from shared.telemetry import log

AT_ONCE = 64
PART_BYTES = 512 * 1024
LONGEST_MESSAGE = 5 * 1024 * 1024
"""As over MLLP and by FHIR."""
MOST_PROBLEMS = 200
LOOK_EVERY_S = 2.0
NOWHERE = ""
"""Host of a file: no sender is known by where a file lies, so an unlisted one is refused."""
_PLAIN_NAME = re.compile(r"[\w.()+ -]{1,100}")


class EmptyFileError(Exception):
    """There is nothing in it."""


class NoMessageError(Exception):
    """There is something in it, but neither a message, nor a batch of none."""


class Kept(NamedTuple):
    """A file that is durable; its size in bytes."""

    id: UUID
    size: int


class IncomingFiles:
    """Several replicas may work: who holds the lease of a file reads it."""

    def __init__(self, database: Database, feeds: FeedDirectory, reception: Reception, seal: Seal) -> None:
        self._database = database
        self._feeds = feeds
        self._reception = reception
        self._seal = seal
        self._wake = asyncio.Event()

    @property
    def feed_names(self) -> list[str]:
        """Of the feeds in force."""
        return [feed.name for feed in self._feeds.feeds]

    async def keep(self, name: str, source: str, content: AsyncIterable[bytes], feed: str | None = None) -> Kept:
        """Keeps the content as it comes, a part at a time; answers once the whole is durable.

        Raises EmptyFileError, NoMessageError or MessageTooLongError: nothing is kept then.
        """
        file_id = uuid7()
        async with self._database.pool.acquire() as connection:
            await file_store.begin(connection, file_id, shown_name(name), source, feed)
        try:
            size = await self._take_in(file_id, content)
        except BaseException:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                async with self._database.pool.acquire() as connection:
                    await file_store.discard(connection, file_id)
            raise
        self._wake.set()
        return Kept(file_id, size)

    async def _take_in(self, file_id: UUID, content: AsyncIterable[bytes]) -> int:
        """Its size in bytes, once all of it is durable."""
        size = number = messages = 0
        splitter = Splitter(LONGEST_MESSAGE)
        async for part in _parts(content):
            messages += len(await asyncio.to_thread(splitter.feed, part))
            sealed = self._seal.close(part, part_id(file_id, number))
            async with self._database.pool.acquire() as connection:
                await file_store.add(connection, file_id, number, sealed)
            size, number = size + len(part), number + 1
        messages += len(splitter.end())
        if not size:
            raise EmptyFileError
        if not messages and not splitter.is_batch:
            raise NoMessageError
        async with self._database.pool.acquire() as connection:
            await file_store.arrived(connection, file_id, size, messages, splitter.announced)
        return size

    async def run(self) -> None:
        """Reads what waits, until cancelled."""
        while True:
            try:
                while await self.read_next():
                    pass
                WORK_ALIVE.labels("files").set_to_current_time()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("files not read", error=error, retry_in=LOOK_EVERY_S)
            except Exception as error:  # noqa: BLE001  (a file that can't be opened stays and is seen; the feeds go on)
                log.error("file can't be read", error=error, retry_in=LOOK_EVERY_S)
            self._wake.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_EVERY_S)

    async def read_next(self) -> bool:
        """Reads the oldest file that nobody reads, from where it was left; answers whether there was one."""
        async with self._database.pool.acquire() as connection:
            row = await file_store.claim(connection)
        if row is None:
            return False
        outcomes, problems, done = Counter(row["outcomes"]), list(row["problems"]), row["done"]
        async for part in self._unread(row):
            for number, (arrival, verdict) in enumerate(await self._offer(part, row["feed"]), done + 1):
                outcomes[verdict.outcome.value] += 1
                if verdict.outcome not in {Outcome.ACCEPTED, Outcome.DUPLICATE} and len(problems) < MOST_PROBLEMS:
                    problems.append(_problem(number, arrival, verdict))
            done += len(part)
            async with self._database.pool.acquire() as connection:
                await file_store.progress(connection, row["id"], done, dict(outcomes), problems)
        async with self._database.pool.acquire() as connection:
            await file_store.finish(connection, row["id"])
        log.info("file read", source=row["source"], count=done)
        return True

    async def _unread(self, row: Any) -> AsyncIterator[tuple[bytes, ...]]:
        """The messages from where the file was left, some at a time."""
        splitter, number, waiting = Splitter(), 0, list[bytes]()
        async for piece in self._pieces(row):
            for message in await asyncio.to_thread(splitter.end if piece is None else partial(splitter.feed, piece)):
                number += 1
                if number > row["done"]:
                    waiting.append(message)
            while len(waiting) >= AT_ONCE or (piece is None and waiting):
                yield tuple(waiting[:AT_ONCE])
                del waiting[:AT_ONCE]

    async def _pieces(self, row: Any) -> AsyncIterator[bytes | None]:
        """The file's content, part by part, then None. Raises InvalidTag when a part is not what was kept."""
        if row["sealed"] is not None:  # kept whole, by an earlier version
            yield self._seal.open(row["sealed"], row["id"])
        for number in count():
            async with self._database.pool.acquire() as connection:
                sealed = await file_store.part(connection, row["id"], number)
            if sealed is None:
                break
            yield self._seal.open(sealed, part_id(row["id"], number))
        yield None

    async def _offer(self, part: tuple[bytes, ...], feed: str | None) -> list[tuple[Arrival, Verdict]]:
        """Offers them together and awaits all: they are committed in few groups. Raises OSError when one could not be
        stored: the file is read again from here.
        """
        arrivals = [self._read(raw, feed) for raw in part]
        waiting = [self._reception.offer(arrival) for arrival in arrivals]
        try:
            verdicts = await asyncio.gather(*waiting)
        except asyncio.CancelledError:
            told_to_end = (task := asyncio.current_task()) is not None and task.cancelling()
            if not told_to_end and any(arrival.done.cancelled() for arrival in arrivals):
                raise ConnectionAbortedError("a message could not be stored") from None
            raise
        return list(zip(arrivals, verdicts, strict=True))

    def _read(self, raw: bytes, feed: str | None) -> Arrival:
        if not is_json(raw):
            arrival = read_arrival(raw, self._feeds, NOWHERE)
            is_foreign = feed is not None and arrival.feed is not None and arrival.feed.name != feed
            return spoiled_arrival(raw, Reason.SENDER_NOT_CERTIFIED) if is_foreign else arrival
        profile = next((one for one in self._feeds.feeds if one.name == feed), None)
        if profile is None:
            return spoiled_arrival(raw, Reason.UNKNOWN_SENDER)
        return read_fhir(raw, profile, self._feeds).arrival


def _problem(number: int, arrival: Arrival, verdict: Verdict) -> dict[str, Any]:
    return {
        "number": number,
        "message_id": str(arrival.id),
        "control_id": arrival.control_id,
        "trigger": arrival.trigger[:40],
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "location": verdict.location,
    }


def part_id(file_id: UUID, number: int) -> UUID:
    """What a part's seal is bound to, so that parts can't be swapped."""
    return uuid5(file_id, str(number))


async def _parts(content: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """In parts of an even size, whatever the pieces that come."""
    gathered = bytearray()
    async for piece in content:
        gathered += piece
        while len(gathered) >= PART_BYTES:
            yield bytes(gathered[:PART_BYTES])
            del gathered[:PART_BYTES]
    if gathered:
        yield bytes(gathered)


def shown_name(name: str) -> str:
    """The file's name where it is plain; anything may stand in others."""
    return name if _PLAIN_NAME.fullmatch(name) else "(unnamed)"
