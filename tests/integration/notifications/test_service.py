"""The service as it is started: from an event on the broker to a recipient's server, and out to its own topics."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.local.broker import EmbeddedBroker
from deploy.local.ports import free_port
from deploy.topics import create_topics
from services.notifications.app import Service, build
from services.notifications.settings import Settings
from services.notifications.signing import SecretBox, new_secret
from services.notifications.store import endpoints
from shared.events import AnyEvent, Draft, uuid7
from shared.http import HttpSettings, serve
from shared.kafka import Relay
from shared.postgres import Database
from tests.integration.notifications.house import KEY
from tests.integration.notifications.recipients import recipient
from tests.support.databases import Databases
from tests.support.story import running, until
from tests.unit.notifications.stories import Stay

ROSTER = """
organisations:
  - {slug: exchange, name: Exchange, kafka: true, subscriptions: ["*"]}
"""
LEFT = "SELECT count(*) FROM outbox WHERE published_at IS NULL"


@pytest.fixture
def settings(databases: Databases, fresh_broker: EmbeddedBroker, tmp_path: Path) -> Settings:
    file = tmp_path / "roster.yaml"
    file.write_text(ROSTER)
    return Settings(
        postgres=databases.settings("notifications"),
        kafka=fresh_broker.kafka,
        http=HttpSettings(port=free_port(), drain_seconds=1),
        roster_file=file,
        allow_private_endpoints=True,
        secret_key=base64.b64encode(KEY).decode(),
    )


async def test_an_event_on_the_broker_reaches_the_recipient(
    settings: Settings, databases: Databases, fresh_broker: EmbeddedBroker
) -> None:
    await create_topics(fresh_broker.kafka, ["exchange"])
    intake = await databases.open("intake")
    service = await build(settings)
    async with service.resources, recipient() as own:
        await _register(service.database, own.url)
        relay = Relay(database=intake, kafka=settings.kafka)
        async with running(relay.run), serving(service, settings):
            stay = Stay()
            await _say(intake, stay.admitted(), stay.discharged())

            async def told() -> bool:
                return len(own.got) == 2

            await until(told, "the recipient is told", 60)
            assert own.types() == ["admitted", "discharged"]

            async def published() -> bool:
                return bool(await service.database.pool.fetchval(LEFT) == 0)

            await until(published, "everything said is published", 60)
            rows = await service.database.pool.fetch("SELECT DISTINCT topic FROM outbox ORDER BY 1")
            assert [row["topic"] for row in rows] == ["care.notifications.v1", "care.provider.exchange.v1"]


@asynccontextmanager
async def serving(service: Service, settings: Settings) -> AsyncIterator[None]:
    """Ended as by a signal: a server that is cancelled leaves its sockets in the loop's selector."""
    task = asyncio.create_task(serve(service.app, settings.http, *service.background))
    try:
        yield
    finally:
        service.app.state.stopping.set()
        await task


async def _register(database: Database, url: str) -> None:
    endpoint_id = uuid7()
    sealed = SecretBox(KEY).seal(endpoint_id, new_secret())
    await endpoints.add(database.pool, (endpoint_id, "exchange", url, [], "full", "", 8, sealed))


async def _say(intake: Database, *events: AnyEvent) -> None:
    async with intake.transaction() as tx:
        await tx.lock({event.subject for event in events})
        await tx.publish(
            [
                Draft(
                    id=event.id,
                    fact=event.fact,
                    subject=event.subject,
                    time=event.time,
                    correlation_id=event.correlation_id,
                    causation_id="message",
                    version=event.version,
                )
                for event in events
            ]
        )
