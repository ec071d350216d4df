"""The console's real application on a socket, on a database of its own, beside a real issuer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from deploy.local.ports import free_port
from services.dashboard.app import Service, build
from services.dashboard.projecting import project
from services.dashboard.settings import ServiceUrls, Settings
from services.transitions.api import transitions_router
from services.transitions.monitoring.api import monitoring_router
from services.transitions.monitoring.showing import showing_router
from services.transitions.referrals.api import referrals_router
from services.transitions.risk.api import risk_router
from services.transitions.worklist_api import worklist_router
from shared.events import AnyEvent
from shared.events.referrals import ReferralRequested
from shared.http import HttpSettings
from shared.kafka import KafkaSettings
from shared.postgres import Database
from tests.integration.http.running import Client, Tokens, issuing, served, service
from tests.integration.transitions.house import RULES, WATCH, House
from tests.support.databases import Databases
from tests.support.story import running
from tests.unit.transitions import referrals_told

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


@dataclass
class Desk:
    """The console beside the transitions service: what that says, `follow` projects."""

    console: Console
    house: House

    async def follow(self) -> None:
        await self.console.take(*await self.house.events())

    async def call(self) -> tuple[str, str, int]:
        """Transition, id and version of the open task of the call."""
        row = await self.house.database.pool.fetchrow(
            "SELECT transition_id, id, version FROM task WHERE code = 'interactive-contact' ORDER BY number DESC LIMIT 1"
        )
        assert row is not None
        return str(row["transition_id"]), str(row["id"]), row["version"]

    async def referral(self, service: str = "Cardiology", **more: Any) -> UUID:
        asked_at = (await self.house.now() - timedelta(hours=2)).isoformat()
        event = referrals_told.told(ReferralRequested, asked_at, service=service, **more)
        await self.house.hear(event)
        return event.fact.referral_id  # type: ignore[attr-defined,no-any-return]

    async def version(self, referral: UUID) -> str:
        query = "SELECT version FROM referral WHERE id = $1"
        return str(await self.house.database.pool.fetchval(query, referral))


@pytest_asyncio.fixture(loop_scope="session")
async def desk(databases: Databases, tokens: Tokens) -> AsyncIterator[Desk]:
    house = await House.open(databases)
    both = (house.database, house.library)
    routers = [
        transitions_router(*both),
        worklist_router(*both, RULES),
        risk_router(*both),
        referrals_router(house.database, RULES),
        monitoring_router(*both, WATCH),
        showing_router(house.database, WATCH),
    ]
    async with (
        service(tokens, routers, database=house.database) as transitions,
        consoled(databases, tokens, transitions=transitions.url) as console,
    ):
        yield Desk(console, house)
