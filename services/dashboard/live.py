"""Tells open pages that something changed: PostgreSQL's notifications in, server-sent events out.

A hint says which page changed and by how many rows, never what: the page fetches itself again, with its own policy
and audit. Hints come at commit, so what they announce can be read.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import asyncpg
import orjson
from fastapi import APIRouter, Header, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from services.dashboard.projecting import ANY_NOTICE, ANY_STAY
from services.dashboard.store import operations
from shared.http import Caller, Role, allow
from shared.lasting import lasting
from shared.postgres import Database
from shared.telemetry import log

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

CHANNEL = "dashboard_live"
PING_S = 15
RELISTEN_S = 1.0
# A stream ends after this long; the browser opens the next one, whose token is then checked again.
STREAM_S = 600.0
Topics = Annotated[list[str], Query(max_length=8)]
AnyRole = Annotated[Caller, allow(*Role)]


class Watcher:
    """One open page's share of what changed since it was last told."""

    def __init__(self, topics: frozenset[str]) -> None:
        self._topics = topics
        self._watches_stays = any(topic.startswith("stay:") for topic in topics)
        self.woken = asyncio.Event()
        self.pending: Counter[str] = Counter()

    def hear(self, touched: Counter[str]) -> None:
        for topic in self._topics & touched.keys():
            self.pending[topic] += touched[topic]
        if self._watches_stays and ANY_STAY in touched:
            self.pending[ANY_STAY] += touched[ANY_STAY]
        if self.pending:
            self.woken.set()

    def miss(self) -> None:
        """Something may have changed unheard."""
        self.hear(Counter(dict.fromkeys(self._topics, 1)))

    def take(self) -> Counter[str]:
        taken, self.pending = self.pending, Counter()
        self.woken.clear()
        return taken


class Hub:
    """Hears what every console process projected, and passes it on at most once in `every_s` seconds."""

    def __init__(self, database: Database, every_s: float) -> None:
        self._database = database
        self._every_s = every_s
        self._watchers: set[Watcher] = set()
        self._touched: Counter[str] = Counter()
        self.revision = 0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(lasting(self._listen()))
            tasks.create_task(lasting(self._pass_on()))

    @contextmanager
    def watch(self, topics: frozenset[str]) -> Iterator[Watcher]:
        watcher = Watcher(topics)
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    async def _listen(self) -> None:
        while True:
            try:
                async with self._database.pool.acquire() as connection:
                    await self._hear(connection)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("live hints interrupted", exc_info=error)
            await asyncio.sleep(RELISTEN_S)

    async def _hear(self, connection: "PoolConnectionProxy[asyncpg.Record]") -> None:
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        await connection.add_listener(CHANNEL, self._note)
        try:
            self.revision = max(self.revision, await operations.revision(connection))
            for watcher in self._watchers:
                watcher.miss()
            await lost.wait()
        finally:
            if not connection.is_closed():
                await connection.remove_listener(CHANNEL, self._note)

    def _note(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        said: dict[str, Any] = orjson.loads(str(payload))
        self.revision = max(self.revision, int(said["r"]))
        self._touched.update(said["t"])

    async def _pass_on(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            if not self._touched:
                continue
            touched, self._touched = self._touched, Counter()
            for watcher in self._watchers:
                watcher.hear(touched)


def live_router(hub: Hub) -> APIRouter:
    router = APIRouter(tags=["live"])

    @router.get("/live", include_in_schema=False)
    async def live(
        request: Request, caller: AnyRole, watch: Topics, last_event_id: Annotated[str | None, Header()] = None
    ) -> EventSourceResponse:
        """Hints for the topics; to a provider's system only those of its own organisation."""
        stopping: asyncio.Event = getattr(request.app.state, "stopping", None) or asyncio.Event()
        hints = _hints(hub, watchable(caller, watch), last_event_id, stopping)
        return EventSourceResponse(hints, ping=PING_S, headers={"x-accel-buffering": "no"})

    return router


def watchable(caller: Caller, topics: Iterable[str]) -> frozenset[str]:
    """What the caller may hear of: how much goes on elsewhere is not a provider's to know."""
    if caller.roles - {Role.PROVIDER}:
        return frozenset(topics)
    return frozenset(topics) & {f"notices:{caller.organisation}", ANY_NOTICE, "referrals"}


async def _hints(
    hub: Hub, topics: frozenset[str], last_event_id: str | None, stopping: asyncio.Event
) -> AsyncIterator[ServerSentEvent]:
    missed = last_event_id is not None and last_event_id != str(hub.revision)
    stops_at = asyncio.get_running_loop().time() + STREAM_S
    with hub.watch(topics) as watcher:
        yield _event(hub.revision, "hello", {"missed": missed})
        while await _woken(watcher, stopping, stops_at):
            yield _event(hub.revision, "changed", dict(watcher.take()))


async def _woken(watcher: Watcher, stopping: asyncio.Event, stops_at: float) -> bool:
    """Whether there is something to say; False when the stream must end."""
    waiting = [asyncio.ensure_future(watcher.woken.wait()), asyncio.ensure_future(stopping.wait())]
    try:
        left = max(0.0, stops_at - asyncio.get_running_loop().time())
        await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiting:
            waiter.cancel()
    return watcher.woken.is_set() and not stopping.is_set()


def _event(revision: int, kind: str, said: object) -> ServerSentEvent:
    return ServerSentEvent(id=str(revision), event=kind, data=orjson.dumps(said).decode(), retry=1000)
