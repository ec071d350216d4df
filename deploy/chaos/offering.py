"""Offers messages at a steady rate, whatever becomes of the receiver, and writes down every acknowledgement."""

import asyncio
import heapq
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from deploy.chaos.plan import Size
from deploy.simulator.schedule import Planned, Schedule
from deploy.simulator.sending import SentLog, send_until_acknowledged
from deploy.simulator.settings import SimulatorSettings
from shared.mllp import MllpClient, MllpTarget

CONNECTIONS = 12
STAY_SECONDS = 60.0
SHORTEST_STORY = 600.0  # of the story's own time: most stays then come to their end
LATEST_REPEAT = 200  # messages after which a duplicate may still come


def stories(seed: int, size: Size, **hospital: Any) -> Iterator[Planned]:
    """Whole stays of a simulated hospital, as many messages as asked, ending about now.

    `hospital`: what else its settings say.
    """
    seconds = max(size.seconds, SHORTEST_STORY)
    begun = datetime.now(UTC) - timedelta(seconds=seconds + 2 * STAY_SECONDS)
    settings = SimulatorSettings(
        seed=seed, rate=size.messages / seconds, stay_seconds=STAY_SECONDS, start=begun.isoformat(), **hospital
    )
    return islice(Schedule(settings), size.messages)


def with_duplicates(messages: Iterator[Planned], share: float, seed: int) -> Iterator[Planned]:
    """Some messages come again, byte for byte, after some others."""
    random = Random(f"{seed} duplicates")  # noqa: S311  (repeatable on purpose)
    repeats: list[tuple[int, int, Planned]] = []
    for number, message in enumerate(messages):
        yield message
        if random.random() < share:
            heapq.heappush(repeats, (number + random.randint(1, LATEST_REPEAT), number, message))
        while repeats and repeats[0][0] <= number:
            yield heapq.heappop(repeats)[2]
    yield from (message for _, _, message in sorted(repeats, key=lambda one: one[:2]))


class Offer:
    """Sends over several connections. A stay's messages keep theirs, so that none overtakes another; the duplicate of
    one that is under way already takes any.
    """

    def __init__(self, host: str, port: int, log: Path) -> None:
        self.offered = 0
        self.acknowledged = 0
        self.resent = 0
        self._connections = [MllpClient(MllpTarget(host, port)) for _ in range(CONNECTIONS)]
        self._queues: list[asyncio.Queue[Planned | None]] = [asyncio.Queue() for _ in range(CONNECTIONS)]
        self._under_way: set[str] = set()
        self._log = SentLog(log)

    @property
    def outstanding(self) -> int:
        """Offered and not acknowledged yet."""
        return self.offered - self.acknowledged

    async def run(self, messages: Iterator[Planned], rate: float) -> None:
        """Returns when all is acknowledged."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for connection, queue in zip(self._connections, self._queues, strict=True):
                    tasks.create_task(self._send(connection, queue))
                await self._pace(messages, rate)
                for queue in self._queues:
                    queue.put_nowait(None)
        finally:
            self._log.close()

    async def _pace(self, messages: Iterator[Planned], rate: float) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        for number, message in enumerate(messages):
            if (wait := began + number / rate - clock()) > 0:
                await asyncio.sleep(wait)
            home = zlib.crc32(message.visit.encode()) % CONNECTIONS
            place = (home + number) % CONNECTIONS if message.control_id in self._under_way else home
            self._queues[place].put_nowait(message)
            self.offered += 1

    async def _send(self, connection: MllpClient, queue: asyncio.Queue[Planned | None]) -> None:
        while (message := await queue.get()) is not None:
            self._under_way.add(message.control_id)
            ack, tries = await send_until_acknowledged(connection, message.payload)
            self._log.note(
                feed=message.feed, trigger=message.trigger, control_id=message.control_id, visit=message.visit,
                ack=ack.code, tries=tries,
            )  # fmt: skip
            self.acknowledged += 1
            self.resent += tries - 1
        await connection.close()
