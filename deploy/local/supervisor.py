"""The whole stack on this machine: started in order, kept running, stopped in order."""

import asyncio
import os
import signal
from collections.abc import Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from deploy.local import apache, ports, programs
from deploy.local.child import WRONG_SETTINGS, Child, Program, Stage
from deploy.local.guarding import LogGuard, watch_disk, watch_memory
from deploy.local.instance import RunningInstance
from deploy.local.postgres import EmbeddedPostgres
from deploy.local.settings import ROOT, SERVICES, StackSettings
from deploy.operations import Operations
from deploy.topics import listening_organisations
from shared.postgres import migrate

PROBE = aiohttp.ClientTimeout(total=3)


class StartFailedError(Exception):
    """The stack did not come up. One line: what, why, and where to read more."""


class Progress(Protocol):
    """Who shows how the start is getting on."""

    def expect(self, steps: Iterable[str]) -> None: ...
    def done(self, step: str) -> None: ...
    def say(self, line: str) -> None: ...


class Stack:
    """All programs of one run folder. `start()` returns when everything is ready; `stop()` ends all within 10 s."""

    def __init__(self, settings: StackSettings, progress: Progress) -> None:
        self.settings = settings
        self.children: dict[str, Child] = {}
        self.kafka = programs.kafka_settings(settings)
        self.urls = {name: settings.url_of(name) for name in (*SERVICES, "signals", "provider")}
        self.server = EmbeddedPostgres(settings.run_folder, settings.postgres_port, durable=settings.durable)
        self.instance = RunningInstance(settings.run_folder)
        self._progress = progress
        self._operations = Operations(self.urls, issuer=settings.url_of("issuer"))
        self._guard = LogGuard(
            self.kafka,
            self._operations,
            settings.run_folder / "republish.json",
            say=progress.say,
            organisations=listening_organisations(roster_file()),
            partitions=settings.partitions,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Raises PortTaken-, Postgres-, Broker-, ApacheKafka- or StartFailedError: each says one line."""
        self.instance.claim()
        self._check_ports()
        side = programs.side_programs(self.settings)
        services = programs.service_programs(self.settings, self.server)
        signals = programs.signals_program(self.settings, self.server)
        steps = ["postgres", "broker", "migrations", "topics", "issuer", *SERVICES, "signals"]
        self._progress.expect([*steps, "relays", *(program.name for program in side)])
        await self._operations.__aenter__()
        broker = await asyncio.to_thread(self._prepare_broker)
        await self._launch([broker])
        await asyncio.gather(self._start_postgres(), self._make_topics())
        await self._launch([programs.issuer_program(self.settings), *services])
        await asyncio.gather(*(self._ready(self.children[name]) for name in ("issuer", *SERVICES)), self._open_relays())
        await self._launch([signals, *side])
        await asyncio.gather(*(self._ready(self.children[program.name]) for program in (signals, *side)))
        self._watch()
        self.instance.note(self.settings, self.pids())

    async def stop(self) -> None:
        """End all: whoever feeds the others first, the broker last."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        began = asyncio.get_running_loop().time()
        for stage in Stage:
            grace = max(0.3, began + stage / 10 - asyncio.get_running_loop().time())
            ending = [child.stop(grace) for child in self.children.values() if child.program.stage is stage]
            await asyncio.gather(*ending)
        await self._operations.__aexit__(None, None, None)
        self.instance.release()

    @property
    def log_id(self) -> str | None:
        """The broker's log on which the relays were opened last."""
        return self._guard.served

    def pids(self) -> dict[str, int | None]:
        return {name: child.pid for name, child in self.children.items()}

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a program a signal; it is started again when it ends."""
        self.children[name].kill(number)

    def _check_ports(self) -> None:
        for name, (port, setting) in self.settings.wanted_ports().items():
            if not ports.is_free(port, self.settings.host):
                raise ports.PortTakenError(port, name, setting)

    def _prepare_broker(self) -> Program:
        if self.settings.kafka == "apache":
            apache.ApacheKafka(self.settings.run_folder, self.settings.broker_port).prepare()
        return programs.broker_program(self.settings)

    async def _start_postgres(self) -> None:
        await asyncio.to_thread(self.server.prepare)
        await self._launch([programs.postgres_program(self.server)])
        await self._unless_ended(self.children["postgres"], self.server.ready())
        await self.server.ensure_roles()
        self._progress.done("postgres")
        for service in SERVICES:
            await asyncio.to_thread(migrate, service, self.server.settings(service))
        self._progress.done("migrations")

    async def _make_topics(self) -> None:
        await self._unless_ended(self.children["broker"], self._guard.prepare())
        self._progress.done("broker")
        self._progress.done("topics")

    async def _open_relays(self) -> None:
        """The services answer before they are ready: an open relay is part of being ready."""
        await asyncio.gather(*(self._answers(f"{self.urls[name]}/healthz", self.children[name]) for name in SERVICES))
        rows = await self._guard.open()
        self._progress.done("relays")
        if sum(rows.values()):
            self._progress.say(f"the broker's log is new: {sum(rows.values())} events are published again")

    async def _launch(self, wanted: Sequence[Program]) -> None:
        for program in wanted:
            child = Child(program, self.settings.run_folder / "logs", self._progress.say)
            self.children[program.name] = child
            await child.start()
            self._tasks.append(asyncio.create_task(child.keep(), name=f"keep {program.name}"))

    async def wait_until_ready(self, name: str) -> None:
        """Until this program says it is ready. Raises StartFailedError."""
        await self._ready(self.children[name])

    async def _ready(self, child: Child) -> None:
        if child.program.ready_url:
            await self._answers(child.program.ready_url, child)
        self._progress.done(child.name)

    async def _answers(self, url: str, child: Child) -> None:
        deadline = asyncio.get_running_loop().time() + self.settings.ready_seconds
        async with aiohttp.ClientSession(timeout=PROBE) as session:
            while True:
                if await _probe(session, url):
                    return
                if child.exit_code == WRONG_SETTINGS:
                    raise StartFailedError(f"{child.name}: {child.last_words()}")
                if asyncio.get_running_loop().time() > deadline:
                    raise StartFailedError(f"{child.name} was not ready in time; see {child.log}")
                await asyncio.sleep(0.1)

    async def _unless_ended(self, child: Child, waiting: Coroutine[Any, Any, object]) -> None:
        """Await `waiting`, unless the child ends by itself first: then its last words are the failure."""
        task = asyncio.create_task(waiting)
        while not task.done():
            await asyncio.wait([task], timeout=0.2)
            if not task.done() and child.restarts:
                task.cancel()
                raise StartFailedError(f"{child.name}: {child.last_words() or 'ended at once'}")
        await task

    def _watch(self) -> None:
        watched = [
            self._note_restarts(),
            self._guard.watch(),
            self._restart_signals(),
            watch_disk(self.settings.run_folder, self._progress.say),
        ]
        if self.settings.kafka == "embedded":
            watched.append(
                watch_memory(lambda: self.children["broker"].pid, self.settings.broker_memory_mb, self._renew_broker)
            )
        self._tasks += [asyncio.create_task(one) for one in watched]

    def _renew_broker(self) -> None:
        self._progress.say("the in-memory broker has grown past its limit: it begins anew, nothing is lost")
        self.kill("broker")

    async def _note_restarts(self) -> None:
        """Keep the ids that the `handoff` command reads true to what runs."""
        known = self.pids()
        while True:
            await asyncio.sleep(0.5)
            if (found := self.pids()) != known:
                self.instance.note(self.settings, found)
                known = found

    async def _restart_signals(self) -> None:
        """Faust's changelogs are gone with the old log: the live signals begin anew on the new one."""
        while True:
            await self._guard.renewed.wait()
            self._guard.renewed.clear()
            self.kill("signals", signal.SIGTERM)


async def _probe(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.status == 200  # noqa: PLR2004  (HTTP's OK)
    except (aiohttp.ClientError, TimeoutError):
        return False


def roster_file() -> Path:
    return Path(os.environ.get("NOTIFICATIONS_ROSTER_FILE", ROOT / "deploy" / "roster.yaml"))
