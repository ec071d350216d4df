from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
import pytest_asyncio

from deploy.local.postgres import EmbeddedPostgres
from shared.telemetry import configure
from tests.integration.http.running import Tokens, issuing, served
from tests.integration.security.applications import SERVICES, Running, application
from tests.support.databases import Databases


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tokens(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tokens]:
    async with issuing(tmp_path_factory.mktemp("issuer")) as (_, signing):
        yield signing


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(postgres_server: EmbeddedPostgres, template_database: str, tokens: Tokens) -> AsyncIterator[Running]:
    """All services' applications on one database; routes here are asked, nothing is expected of what they do."""
    configure("policies")
    connection = await postgres_server.connect("postgres")
    name = f"test_{uuid4().hex}"
    await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {template_database}')
    await connection.close()
    clone = Databases(postgres_server, name)
    async with AsyncExitStack() as ends:
        ends.push_async_callback(clone.close)
        started: Running = {}
        for service in SERVICES:
            app, http = await ends.enter_async_context(application(service, clone, tokens.issuer))
            started[service] = (app, await ends.enter_async_context(served(app, http, tokens)))
        yield started
