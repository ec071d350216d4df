"""The whole stack as real processes, on free ports, in a folder of its own."""

import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest_asyncio

from deploy.local.ports import free_port
from deploy.local.settings import StackSettings
from deploy.local.supervisor import Stack
from deploy.operations import Operations
from deploy.simulator.sending import send_until_acknowledged
from shared.mllp import Ack, MllpClient, MllpTarget
from tests.support.servers import reachable_folder


class Heard:
    """What the supervisor tells its operator, kept for assertions."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.steps: list[str] = []

    def expect(self, steps: Iterable[str]) -> None:
        self.steps = list(steps)

    def done(self, step: str) -> None:
        self.steps.remove(step)

    def say(self, line: str) -> None:
        self.lines.append(line)


class StackDriver:
    """A running stack as a test drives it: send messages, ask services, kill programs."""

    def __init__(self, stack: Stack, heard: Heard) -> None:
        self.stack = stack
        self.heard = heard
        self.settings = stack.settings
        self.urls = stack.urls
        self.connection = MllpClient(MllpTarget(stack.settings.host, stack.settings.mllp_port))

    async def send(self, payload: bytes) -> Ack:
        """Over MLLP, again until it is acknowledged."""
        ack, _tries = await send_until_acknowledged(self.connection, payload)
        return ack

    @asynccontextmanager
    async def operations(self) -> AsyncIterator[Operations]:
        """A client of every service's routes, as admin."""
        async with Operations(self.urls, issuer=self.settings.url_of("issuer")) as operations:
            yield operations

    async def token(self, role: str = "admin", **claims: Any) -> str:
        async with self.operations() as operations:
            return await operations.token(role, **claims)


def stack_settings(**changed: Any) -> StackSettings:
    """Free ports and a new folder; no simulated hospital, no sample provider, unless asked for."""
    names = [name for name in StackSettings.model_fields if name.endswith("_port")]
    chosen: dict[str, Any] = {name: free_port() for name in names}
    chosen |= {"run_folder": reachable_folder(), "simulate": False, "sample_provider": False, "durable": False}
    return StackSettings(**(chosen | changed))


@asynccontextmanager
async def running_stack(settings: StackSettings) -> AsyncIterator[StackDriver]:
    """Start, hand out, stop and remove everything."""
    heard = Heard()
    stack = Stack(settings, heard)
    try:
        await stack.start()
        driver = StackDriver(stack, heard)
        yield driver
        await driver.connection.close()
    finally:
        await stack.stop()
        stack.server.remove()
        shutil.rmtree(settings.run_folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack() -> AsyncIterator[StackDriver]:
    """One stack for the tests of a module, which leave it running."""
    async with running_stack(stack_settings()) as driver:
        yield driver
