"""One chaos run: a stack of its own, messages, kills, a rest, and the reconciler's verdict."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from deploy.chaos.backlog import Backlog, measure, parked_why
from deploy.chaos.killing import Killer, Kills
from deploy.chaos.offering import Offer, stories, with_duplicates
from deploy.chaos.plan import Size
from deploy.chaos.receiving import Receivers
from deploy.chaos.watching import Watch
from deploy.local.ports import free_port
from deploy.local.settings import StackSettings
from deploy.local.supervisor import Stack
from deploy.operations import Operations
from deploy.reconciler.__main__ import collect, with_logs
from deploy.reconciler.verdict import Result, differences, reconcile

REST_SECONDS = 60.0
# Of the roster: one that hears everything, one by the attending, one by primary care, one by where patients go.
LISTENING = ("community-health-exchange", "summit-hospitalists", "lakeside-primary-care", "willow-creek-nursing")
BROKER_MEMORY_MB = 6_000  # its log is read back at the end, so it must not begin anew
AGAIN_SECONDS = 2.0


class TookTooLongError(Exception):
    """The run did not come to rest in its time. The message says what was still under way."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run showed. `rest_seconds` is how long the backlog took after the last message and kill."""

    offered: int
    resent: int
    received: int
    seconds: float
    rest_seconds: float
    kills: Kills
    results: list[Result]

    @property
    def differences(self) -> int:
        return differences(self.results)


class QuietProgress:
    """The supervisor's words go to a file: hundreds of kills would fill a screen."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file

    def expect(self, steps: Iterable[str]) -> None:
        self.say(f"starting: {', '.join(steps)}")

    def done(self, step: str) -> None:
        self.say(f"{step} ready")

    def say(self, line: str) -> None:
        with self._file.open("a", encoding="utf-8") as out:
            out.write(f"{time.strftime('%H:%M:%S')} {line}\n")


def settings_for(folder: Path) -> StackSettings:
    """Free ports, no simulator and no sample provider; durable, since this is about promises."""
    chosen: dict[str, Any] = {name: free_port() for name in StackSettings.model_fields if name.endswith("_port")}
    chosen |= {"run_folder": folder, "broker_memory_mb": BROKER_MEMORY_MB}
    chosen |= dict.fromkeys(("simulate", "sample_provider", "demo"), False)
    return StackSettings(**chosen)


def _made_anew(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


@asynccontextmanager
async def stack_in(folder: Path) -> AsyncIterator[Stack]:
    """A new stack; its data is removed afterwards, its logs stay."""
    await asyncio.to_thread(_made_anew, folder)
    stack = Stack(settings_for(folder), QuietProgress(folder / "logs" / "supervisor.log"))
    stack.server.remove()  # what a run left that was itself killed
    try:
        await stack.start()
        yield stack
    finally:
        await stack.stop()
        stack.server.remove()


class Run:
    """What a run needs while its stack is up."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.sent = folder / "sent.jsonl"
        self.got = folder / "received.jsonl"
        self.kills = Kills()
        self.offer = Offer(stack.settings.host, stack.settings.mllp_port, self.sent)
        self.receivers = Receivers(stack.settings.host, free_port(), self.got)
        self._connection: asyncpg.Connection | None = None

    async def start(self) -> None:
        await self.receivers.start()
        async with Operations(self.stack.urls, issuer=self.stack.settings.url_of("issuer")) as operations:
            await self.receivers.subscribe(operations, LISTENING)

    async def stop(self) -> None:
        await self.receivers.stop()
        if self._connection is not None:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._connection.close(timeout=5)

    async def under_way(self) -> Backlog | None:
        """None while the database is away."""
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self.stack.server.connect()
            return await asyncio.wait_for(measure(self._connection), 10)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            if self._connection is not None:
                self._connection.terminate()
            self._connection = None
            return None

    async def rest(self) -> float:
        """Waits until nothing is under way; the seconds that took. Raises TookTooLongError after 60."""
        began = time.monotonic()
        while True:
            backlog = await self.under_way()
            took = time.monotonic() - began
            if backlog is not None and backlog.total == 0:
                return took
            if took > REST_SECONDS:
                why = await parked_why(self._connection) if self._connection else ["no database"]
                raise TookTooLongError(f"after {REST_SECONDS:.0f} s there are still {backlog}; {'; '.join(why)}")
            await asyncio.sleep(0.25)

    async def verdict(self) -> list[Result]:
        """Minute counts go on at rest, so a difference is looked at again before it counts."""
        for attempt in range(3):
            books = with_logs(await collect(self.stack.server, self.stack.kafka), self.sent, self.got)
            results = reconcile(books)
            if not differences(results):
                break
            await asyncio.sleep(AGAIN_SECONDS * (attempt + 1))
        return results


async def run(folder: Path, seed: int, size: Size, victims: list[str], watch: Watch) -> Outcome:
    """Raises StartFailedError, TookTooLongError, CallFailedError. Bounded: twice the planned time and two minutes."""
    async with stack_in(folder) as stack:
        one = Run(stack, folder)
        await one.start()
        watch.begin(one)
        try:
            began = time.monotonic()
            async with asyncio.timeout(size.storm_seconds):
                await _storm(one, seed, size, victims)
            seconds = time.monotonic() - began
            watch.note("waiting for the backlog")
            rest = await one.rest()
            watch.note("reading everything back")
            results = await one.verdict()
        except TimeoutError:
            raise TookTooLongError(f"{one.offer.outstanding} messages are not acknowledged yet") from None
        finally:
            await watch.end()
            await one.stop()
        return Outcome(
            offered=one.offer.offered,
            resent=one.offer.resent,
            received=one.receivers.received,
            seconds=seconds,
            rest_seconds=rest,
            kills=one.kills,
            results=results,
        )


async def _storm(one: Run, seed: int, size: Size, victims: list[str]) -> None:
    messages = with_duplicates(stories(seed, size), size.duplicates, seed)
    killer = Killer(one.stack, one.under_way, lambda: one.offer.outstanding)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(one.offer.run(messages, size.rate))
        tasks.create_task(killer.run(victims, size.every_seconds, one.kills))
