"""What the supervisor looks after while the stack runs: the broker's log, its size, and the disk."""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from deploy.local import broker
from deploy.local.republishing import open_relays
from deploy.local.settings import SERVICES
from deploy.operations import CallFailedError, Operations
from deploy.topics import create_topics
from shared.kafka import KafkaSettings

LOOK_SECONDS = 1.0
LEAST_FREE_BYTES = 300_000_000


class LogGuard:
    """Sees when the broker serves another log; makes its topics and opens the relays on it."""

    def __init__(
        self,
        kafka: KafkaSettings,
        operations: Operations,
        notes: Path,
        *,
        say: Callable[[str], None],
        organisations: Sequence[str],
        partitions: int,
    ) -> None:
        self.served: str | None = None
        self.renewed = asyncio.Event()
        """Set when a log other than the first was opened: the live signals must begin anew on it."""
        self._kafka = kafka
        self._operations = operations
        self._notes = notes
        self._say = say
        self._organisations = list(organisations)
        self._partitions = partitions

    async def prepare(self) -> str:
        """Wait for the broker and make all topics; the log's id."""
        found = await broker.answers(self._kafka, seconds=60)
        await create_topics(self._kafka, self._organisations, partitions=self._partitions)
        return found

    async def watch(self) -> None:
        """Look at the log's id for ever; open it again whenever it is another one."""
        while True:
            found = await broker.log_id(self._kafka)
            if found is not None and found != self.served:
                await self._take_up(found)
            await asyncio.sleep(LOOK_SECONDS)

    async def open(self) -> dict[str, int]:
        """Open the relays on the log served now; rows that go out again per service."""
        found = await self.prepare()
        rows = await open_relays(self._operations, SERVICES, found, self._notes)
        self.served = found
        return rows

    async def _take_up(self, found: str) -> None:
        first = self.served is None
        try:
            rows = await self.open()
        except (CallFailedError, broker.BrokerError, OSError) as error:
            self._say(f"the broker's new log waits to be opened: {error}")
            return
        if not first:
            self.renewed.set()
            self._say(f"the broker has a new log ({found}); {sum(rows.values())} events are published again")


async def watch_memory(pid: Callable[[], int | None], limit_mb: int, renew: Callable[[], None]) -> None:
    """The embedded broker never forgets an event: above the limit it begins anew, and what lacks is republished."""
    while True:
        await asyncio.sleep(5 * LOOK_SECONDS)
        found = pid()
        if found is None:
            continue
        try:
            resident = psutil.Process(found).memory_info().rss
        except psutil.Error:
            continue
        if resident > limit_mb * 1_000_000:
            renew()


async def watch_disk(folder: Path, say: Callable[[str], None]) -> None:
    """One line when the disk is nearly full, another when there is room again."""
    low = False
    while True:
        free = shutil.disk_usage(folder).free
        if not low and free < LEAST_FREE_BYTES:
            say(
                f"the disk of {folder} is nearly full ({free // 1_000_000} MB left): free space, nothing is lost so far"
            )
        if low and free >= LEAST_FREE_BYTES:
            say(f"the disk of {folder} has room again")
        low = free < LEAST_FREE_BYTES
        await asyncio.sleep(10 * LOOK_SECONDS)
