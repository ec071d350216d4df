"""What is measured, and what it is measured against, on one PostgreSQL and one broker of the bench's own."""

import asyncio
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import psutil

from deploy.bench import tools
from deploy.bench.sink import Sink
from deploy.local.ports import free_port
from deploy.local.settings import SERVICES, StackSettings
from deploy.local.supervisor import Stack
from deploy.operations import Operations

# Of the demo roster: one that hears everything, one by the attending, one by primary care, one by where patients go.
ORGANISATIONS = ("community-health-exchange", "summit-hospitalists", "lakeside-primary-care", "willow-creek-nursing")
MEGABYTE = 1 << 20
FOR_PEOPLE = frozenset({"parked", "dead letters", "held", "identity review"})
"""Hops that only a person empties."""


class Quiet:
    """A start without a display."""

    def expect(self, steps: object) -> None: ...
    def done(self, step: str) -> None: ...
    def say(self, line: str) -> None:
        print(f"  {line}", flush=True)


class Ground:
    """The stack under test, with a receiver for its webhooks and a superuser's look at its tables."""

    def __init__(self, stack: Stack, sink: Sink) -> None:
        self.stack = stack
        self.sink = sink
        self.mllp_port = stack.settings.mllp_port

    async def only(self, *services: str) -> None:
        """Stops every service that is not named and starts those that are."""
        for name in (*SERVICES, "signals"):
            child = self.stack.children[name]
            if name not in services:
                await child.stop()
            elif child.pid is None:
                await child.start()
        await self._all_ready(services)

    def hold(self, service: str) -> None:
        """Holds its process where it stands, until it goes on."""
        self.stack.kill(service, signal.SIGSTOP)

    def go_on(self, service: str) -> None:
        self.stack.kill(service, signal.SIGCONT)

    async def everything(self) -> None:
        await self.only(*SERVICES, "signals")

    async def _all_ready(self, services: tuple[str, ...]) -> None:
        for name in services:
            await self.stack.wait_until_ready(name)

    async def drained(self, seconds: float = 300) -> float:
        """Waits until nothing waits anywhere; answers how many seconds that took."""
        start = time.monotonic()
        while await self.backlog():
            if time.monotonic() - start > seconds:
                raise TimeoutError(f"{await self.backlog()} events still wait after {seconds:.0f} s")
            await asyncio.sleep(0.2)
        return time.monotonic() - start

    async def published(self, service: str, seconds: float = 120) -> None:
        """Waits until everything that this service said is in Kafka."""
        start = time.monotonic()
        while (await self.query(f"SELECT count(*) AS n FROM {service}.outbox WHERE published_at IS NULL"))[0]["n"]:
            if time.monotonic() - start > seconds:
                raise TimeoutError(f"{service} has not published everything after {seconds:.0f} s")
            await asyncio.sleep(0.1)

    async def interpreted(self, seconds: float = 120) -> float:
        """Waits until all that intake acknowledged has taken effect there; answers how many seconds that took."""
        start = time.monotonic()
        while (await self.query("SELECT EXISTS (SELECT FROM intake.arrival) AS waits"))[0]["waits"]:
            if time.monotonic() - start > seconds:
                raise TimeoutError(f"intake has not interpreted everything after {seconds:.0f} s")
            await asyncio.sleep(0.05)
        return time.monotonic() - start

    async def messages_interpreted(self) -> int:
        """How many messages have taken effect in intake so far."""
        return int((await self.query("SELECT count(*) AS n FROM intake.message"))[0]["n"])

    async def query(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await self.stack.server.connect()
        try:
            return await connection.fetch(sql, *arguments)
        finally:
            await connection.close()

    async def backlog(self) -> int:
        """Events that wait anywhere: unpublished, unread, or due to be delivered."""
        waiting = 0
        async with self.operations() as operations:
            for service in SERVICES:
                hops = (await operations.get(service, "/operations/hops"))["hops"]
                waiting += sum(hop["count"] for hop in hops if hop["name"] not in FOR_PEOPLE)
        return waiting

    def operations(self) -> Operations:
        return Operations(self.stack.urls, issuer=self.stack.settings.url_of("issuer"))

    def memory_mb(self) -> Mapping[str, float]:
        """Resident memory of each service now."""
        pids = {name: self.stack.children[name].pid for name in (*SERVICES, "signals")}
        return {name: psutil.Process(pid).memory_info().rss / MEGABYTE for name, pid in pids.items() if pid}

    @asynccontextmanager
    async def floor(self, wait_ms: float = 0) -> AsyncIterator[int]:
        """The floor, on the same PostgreSQL, in a database of its own; answers its port."""
        name, port = f"floor_{uuid4().hex[:8]}", free_port()
        await self._superuser(f"CREATE DATABASE {name}")
        async with tools.program(
            "floor.py", str(port), "127.0.0.1", name, str(wait_ms), environment=self._superuser_environment()
        ):
            await _listens(port)
            yield port
        await self._superuser(f"DROP DATABASE {name} WITH (FORCE)")

    def _superuser_environment(self) -> dict[str, str]:
        server = self.stack.server
        return {"PGPORT": str(server.port), "PGPASSWORD": server.keys.password("postgres")}

    async def _superuser(self, sql: str) -> None:
        connection = await self.stack.server.connect("postgres")
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    @asynccontextmanager
    async def bare_pipeline(self) -> AsyncIterator[int]:
        """The bare five-process pipeline on the same servers; answers its MLLP port."""
        port, server = free_port(), self.stack.server
        environment = {
            "BARE_PG": f"postgresql://postgres:{server.keys.password('postgres')}@127.0.0.1:{server.port}",
            "BARE_KAFKA": self.stack.kafka.bootstrap,
            "BARE_MLLP": str(port),
            "RUN": f"run{uuid4().hex[:8]}",
        }
        async with tools.program("bare_pipeline.py", "init", environment=environment):
            await asyncio.sleep(3)
        roles = ("transitions", "careplan", "notifications", "dashboard", "intake")
        async with _nested([tools.program("bare_pipeline.py", role, environment=environment) for role in roles]):
            await _listens(port)
            await asyncio.sleep(12)  # its consumers join groups, which takes eight seconds on this broker
            yield port

    async def bare_deliveries(self) -> int:
        connection = await self.stack.server.connect("bare")
        try:
            return int(await connection.fetchval("SELECT count(*) FROM notifications.item"))
        finally:
            await connection.close()


@asynccontextmanager
async def _nested(contexts: Sequence[AbstractAsyncContextManager[None]]) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for context in contexts:
            await stack.enter_async_context(context)
        yield


async def _listens(port: int, seconds: float = 20) -> None:
    ends = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if asyncio.get_running_loop().time() > ends:
                raise
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return


@asynccontextmanager
async def prepared(*, durable: bool = True) -> AsyncIterator[Ground]:
    """A stack of the bench's own, on free ports, in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="handoff-bench-") as name:
        settings = _settings(Path(name), durable=durable)
        async with Sink() as sink:
            stack = Stack(settings, Quiet())
            await stack.start()
            try:
                ground = Ground(stack, sink)
                async with ground.operations() as operations:
                    for organisation in ORGANISATIONS:
                        await sink.subscribe(operations, organisation)
                yield ground
            finally:
                await stack.stop()


def _settings(folder: Path, *, durable: bool) -> StackSettings:
    folder.chmod(0o755)  # PostgreSQL's own user passes through it
    ports: dict[str, Any] = {name: free_port() for name in StackSettings.model_fields if name.endswith("_port")}
    return StackSettings(
        run_folder=folder, simulate=False, sample_provider=False, demo=False, broker_memory_mb=4_000, durable=durable,
        **ports,
    )  # fmt: skip
