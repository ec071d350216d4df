"""The console's real application on a socket, on a database of its own, beside a real issuer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import pytest_asyncio

from deploy.local.ports import free_port
from services.dashboard.app import Service, build
from services.dashboard.projecting import project
from services.dashboard.settings import ServiceUrls, Settings
from shared.events import AnyEvent
from shared.http import HttpSettings
from shared.kafka import KafkaSettings
from shared.postgres import Database
from tests.integration.http.running import Client, Tokens, issuing, served
from tests.support.databases import Databases
from tests.support.story import running

NOWHERE = "http://127.0.0.1:9"


@dataclass
class Console:
    """`take` projects events as the consumer would; `client` asks the pages."""

    service: Service
    client: Client
    tokens: Tokens
    database: Database

    async def take(self, *events: AnyEvent) -> None:
        async with self.database.transaction() as tx:
            await tx.lock([event.subject for event in events])
            await project(tx, events)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tokens(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tokens]:
    async with issuing(tmp_path_factory.mktemp("issuer")) as (_, signing):
        yield signing


@asynccontextmanager
async def consoled(databases: Databases, tokens: Tokens, **beside: str) -> AsyncIterator[Console]:
    """The console, and `beside` it those services that a test runs, by name and address; the others are away."""
    http = HttpSettings(port=free_port(), issuer=tokens.issuer, drain_seconds=0)
    others = dict.fromkeys(("intake", "transitions", "careplan", "notifications"), NOWHERE) | beside
    settings = Settings(
        postgres=databases.settings("dashboard"),
        kafka=KafkaSettings(bootstrap="127.0.0.1:9"),
        http=http,
        issuer_login=tokens.issuer,
        services=ServiceUrls(**others, dashboard=f"http://127.0.0.1:{http.port}"),
        hints_every_s=0.1,
    )
    service = await build(settings)
    # Of the background work only the live hints: events are projected by the tests themselves.
    hub = service.background[2]
    async with running(hub), served(service.app, http, tokens) as client:
        yield Console(service, client, tokens, service.database)
    await service.close()


@pytest_asyncio.fixture(loop_scope="session")
async def console(databases: Databases, tokens: Tokens) -> AsyncIterator[Console]:
    async with consoled(databases, tokens) as console:
        yield console
