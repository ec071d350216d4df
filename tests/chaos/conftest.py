"""One small run of the whole house, whose books the reconciler's tests then spoil."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest_asyncio

from deploy.chaos.offering import stories, with_duplicates
from deploy.chaos.plan import Size
from deploy.chaos.running import Run, stack_in
from deploy.local.settings import SERVICES
from deploy.reconciler.__main__ import collect, with_logs
from deploy.reconciler.books import Books
from tests.support.servers import reachable_folder

SMALL = Size(messages=240, kills=0, rate=80)
SEED = 7


@dataclass(frozen=True, slots=True)
class Rested:
    """The stores of a run at rest: the services have ended, PostgreSQL and the broker go on. `books` are in order."""

    run: Run
    books: Books

    async def look(self, received: Path | None = None) -> Books:
        """The books as they are now, with another receiver's log if asked."""
        stack = self.run.stack
        return with_logs(await collect(stack.server, stack.kafka), self.run.sent, received or self.run.got)

    async def execute(self, statement: str, *values: Any) -> list[Any]:
        connection = await self.run.stack.server.connect()
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def rested() -> AsyncIterator[Rested]:
    folder = reachable_folder()
    async with stack_in(folder) as stack:
        run = Run(stack, folder)
        await run.start()
        try:
            await run.offer.run(with_duplicates(stories(SEED, SMALL), SMALL.duplicates, SEED), SMALL.rate)
            await run.rest()
            await asyncio.gather(*(stack.children[name].stop() for name in (*SERVICES, "signals")))
            yield Rested(run, with_logs(await collect(stack.server, stack.kafka), run.sent, run.got))
        finally:
            await run.stop()
    shutil.rmtree(folder)
