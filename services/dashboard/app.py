"""Puts the console together: pool, consumer, relay, live hints, pages."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
from fastapi import FastAPI

from services.dashboard.api import api_router
from services.dashboard.consumers import HANDLERS
from services.dashboard.forgetting import forget_old_events
from services.dashboard.live import Hub, live_router
from services.dashboard.pages import (
    board,
    connect,
    deliveries,
    feeds,
    files,
    held,
    identity,
    messages,
    monitoring,
    notices,
    pipeline,
    quality,
    referrals,
    requesting,
    risk,
    transition,
    work,
)
from services.dashboard.pages.mistakes import install_pages_for_problems
from services.dashboard.pages.page import STATIC, Console, make_templates
from services.dashboard.peers import Peers
from services.dashboard.serving import StaticFiles
from services.dashboard.session import SESSION_COOKIE, session_router
from services.dashboard.settings import Settings
from shared.http import create_app, operations_router
from shared.kafka import Consumer, Relay
from shared.lasting import end
from shared.postgres import Database, open_database
from shared.retention import Forgetting

SERVICE = "dashboard"
# Small batches begin no closer together: a page is told of changes no more often anyway.
GATHER_S = 0.4
PAGES = (
    *(board, work, transition, risk, requesting, referrals, monitoring, notices, quality),
    *(feeds, connect, files, pipeline, deliveries, messages, held, identity),
)


@dataclass(frozen=True, slots=True)
class Service:
    """What runs: the application, and beside it the background work. Whoever built it calls `close`."""

    app: FastAPI
    database: Database
    background: tuple[Callable[[], Awaitable[None]], ...]
    http: aiohttp.ClientSession

    async def close(self) -> None:
        await self.http.close()
        await self.database.close()


async def build(settings: Settings) -> Service:
    """Raises OSError or asyncpg.PostgresError when PostgreSQL can't be reached."""
    database = await open_database(SERVICE, settings.postgres)
    consumer = Consumer(
        database=database,
        kafka=settings.kafka,
        name=SERVICE,
        handlers=HANDLERS,
        instance=settings.instance,
        joins_late=True,
        gather_s=GATHER_S,
    )
    relay = Relay(database=database, kafka=settings.kafka, instance=settings.instance)
    restart = asyncio.Event()
    hub = Hub(database, settings.hints_every_s)
    http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
    routers = [
        operations_router(database, consumer=consumer, relay=relay, snapshot=None),
        api_router(restart),
        live_router(hub),
        session_router(),
        *(page.router for page in PAGES),
    ]
    app = create_app(
        SERVICE,
        database=database,
        settings=settings.http,
        routers=routers,
        session_cookie=SESSION_COOKIE,
        body_limits={"/connect": connect.UPLOAD_BYTES, "/files": files.UPLOAD_BYTES},
    )
    app.mount("/static", StaticFiles(STATIC), name="static")
    app.state.console = Console(database, Peers(settings.services.named(), http), http, settings, make_templates())
    install_pages_for_problems(app)

    forgetting = Forgetting.of(database, settings.retention, {})

    async def consume() -> None:
        await consume_anew_when_told(consumer, restart)

    async def forget() -> None:
        await forget_old_events(database, settings.events_kept_days)

    return Service(app, database, (consume, relay.run, hub.run, forget, forgetting.run), http)


async def consume_anew_when_told(consumer: Consumer, restart: asyncio.Event) -> None:
    """Consumes; after a rebuild starts anew at once, from the positions as they then stand."""
    while True:
        restart.clear()
        consuming = asyncio.create_task(consumer.run())
        told = asyncio.create_task(restart.wait())
        try:
            await asyncio.wait({consuming, told}, return_when=asyncio.FIRST_COMPLETED)
            if consuming.done():
                return consuming.result()
        finally:
            told.cancel()
            await end([consuming])
