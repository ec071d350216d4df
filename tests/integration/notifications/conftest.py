from collections.abc import AsyncIterator
from uuid import uuid4

import pytest_asyncio

from deploy.local.postgres import EmbeddedPostgres
from shared.postgres import Database
from tests.integration.notifications.house import House
from tests.support.databases import Databases

EMPTY = (
    "TRUNCATE attempt, delivery, suppression, notice, endpoint, membership, organisation, roster_load, outbox, stream,"
    " patient_key RESTART IDENTITY CASCADE"
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def notifications(postgres_server: EmbeddedPostgres, template_database: str) -> AsyncIterator[Database]:
    """One clone for the tests of a module: making one takes longer than most of them."""
    name = f"test_{uuid4().hex}"
    connection = await postgres_server.connect("postgres")
    try:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {template_database}')
    finally:
        await connection.close()
    clone = Databases(postgres_server, name)
    yield await clone.open("notifications")
    await clone.close()


@pytest_asyncio.fixture
async def house(notifications: Database) -> AsyncIterator[House]:
    await notifications.pool.execute(EMPTY)
    one = House(notifications)
    await one.load()
    yield one
    await one.close()
