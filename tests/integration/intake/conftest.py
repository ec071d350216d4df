"""Intake on a database of the test's own: listener and group commit as they run in the service, on a free port."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest_asyncio

from services.intake.app import receive
from services.intake.feeds import FeedDirectory, Feeds, read_feeds
from services.intake.keeping import Keeping
from services.intake.mllp import Listener
from services.intake.receiving import Reception
from services.intake.sealing import Seal
from services.intake.settings import MllpSettings
from services.intake.working_off import WorkingOff
from shared.postgres import Database
from tests.support.databases import Databases

KEY = b"k" * 32
DEADLINE_S = 20.0


class Sender:
    """A hospital's end of an MLLP connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, interpreted: Callable[[], Awaitable[None]]
    ) -> None:
        self.reader = reader
        self.writer = writer
        self._interpreted = interpreted

    def write(self, raw: bytes) -> None:
        self.writer.write(raw)

    async def answer(self) -> list[list[str]]:
        """The next acknowledgement as segments of fields."""
        frame = await asyncio.wait_for(self.reader.readuntil(b"\x1c\x0d"), DEADLINE_S)
        lines = frame.lstrip(b"\x0b").removesuffix(b"\x1c\x0d").decode().rstrip("\r").split("\r")
        return [line.split("|") for line in lines]

    async def send(self, message: bytes) -> str:
        """Sends one message in lock-step and answers MSA-1, once the message has taken effect."""
        self.write(b"\x0b" + message + b"\x1c\x0d")
        code = (await self.answer())[1][1]
        await self._interpreted()
        return code

    async def is_closed(self) -> bool:
        try:
            return await asyncio.wait_for(self.reader.read(), DEADLINE_S) == b""
        except ConnectionError:
            return True


@dataclass
class Intake:
    """One running intake. `start` begins another one on the same database: a second replica, or the next process."""

    database: Database
    feeds: Feeds
    settings: MllpSettings
    book: FeedDirectory | None = None
    """Stands for the feeds where a test changes them."""
    reception: Reception = field(init=False)
    working_off: WorkingOff = field(init=False)
    listener: Listener = field(init=False)
    _senders: list[Sender] = field(default_factory=list)
    _task: "asyncio.Task[None] | None" = None

    async def start(self) -> None:
        seal = Seal(KEY)
        self.reception = Reception(self.database, seal)
        feeds = self.book or self.feeds
        self.working_off = WorkingOff(self.database, feeds, seal, self.reception, self.settings.most_ahead)
        self.listener = Listener(self.settings, feeds, Keeping(self.database, seal, self.working_off))
        self._task = asyncio.create_task(receive(self.listener))
        await until(lambda: _is(self.listener.port != 0))

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=DEADLINE_S)
            self._task = None

    async def sender(self) -> Sender:
        sender = Sender(*await asyncio.open_connection("127.0.0.1", self.listener.port), self.interpreted)
        self._senders.append(sender)
        return sender

    @property
    def first_sender(self) -> Sender | None:
        """The connection opened first, for examples that are many."""
        return self._senders[0] if self._senders else None

    async def close(self) -> None:
        for sender in self._senders:
            sender.writer.close()
        await self.stop()

    async def interpreted(self) -> None:
        """Waits until what was acknowledged has taken effect."""
        if self._task:
            async with asyncio.timeout(DEADLINE_S):
                await self.working_off.drained()

    async def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """What stands once all that was acknowledged has taken effect."""
        await self.interpreted()
        return [dict(row) for row in await self.database.pool.fetch(sql, *values)]

    async def event_types(self) -> list[str]:
        """What was said of patients and stays, in order of the outbox."""
        rows = await self.rows("SELECT type FROM outbox WHERE topic = 'care.encounters.v1' ORDER BY id")
        return [row["type"].removeprefix("care.").removesuffix(".v1") for row in rows]

    async def log(self) -> list[tuple[str, str, str | None]]:
        rows = await self.rows("SELECT trigger, outcome, reason FROM message ORDER BY id")
        return [(row["trigger"], row["outcome"], row["reason"]) for row in rows]


async def _is(value: bool) -> bool:  # noqa: FBT001  (a condition already known)
    return value


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = DEADLINE_S) -> None:
    """Waits for a condition. Raises TimeoutError when it does not come true in time."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110  (a condition outside this process)
            await asyncio.sleep(0.01)


@asynccontextmanager
async def full_disk(intake: Intake, table: str) -> AsyncIterator[None]:
    """Within it nothing can be inserted into this table."""
    pool = intake.database.pool
    await pool.execute(
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = 'disk_full'; END $$"
    )
    await pool.execute(f"CREATE TRIGGER full_disk BEFORE INSERT ON {table} EXECUTE FUNCTION refuse()")
    try:
        yield
    finally:
        await pool.execute(f"DROP TRIGGER full_disk ON {table}")


StartIntake = Callable[..., Awaitable[Intake]]


@pytest_asyncio.fixture(loop_scope="session")
async def start_intake(databases: Databases) -> AsyncIterator[StartIntake]:
    """Starts intakes on the test's database; keyword arguments are settings of the listener."""
    running: list[Intake] = []

    async def start(book: FeedDirectory | None = None, **settings: Any) -> Intake:
        intake = Intake(
            database=await databases.open("intake"),
            feeds=read_feeds(Path("deploy/feeds.yaml")),
            settings=MllpSettings(port=0, **settings),
            book=book,
        )
        await intake.start()
        running.append(intake)
        return intake

    yield start
    for intake in running:
        await intake.close()


@pytest_asyncio.fixture(loop_scope="session")
async def intake(start_intake: StartIntake) -> Intake:
    return await start_intake()
