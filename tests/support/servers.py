"""The session's PostgreSQL and broker, on free ports, ended with the session."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from deploy.local.broker import EmbeddedBroker
from deploy.local.ports import free_port
from deploy.local.postgres import EmbeddedPostgres
from deploy.topics import create_topics
from shared.kafka import KafkaSettings


def reachable_folder() -> Path:
    """A new temporary folder that PostgreSQL's own user may pass through (pytest's are for their maker alone)."""
    folder = Path(tempfile.gettempdir()) / f"handoff-test-{uuid4().hex}"
    folder.mkdir(mode=0o755)
    return folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres_server() -> AsyncIterator[EmbeddedPostgres]:
    """An empty cluster with the services' roles and schemas; fsync off (tests of promises start their own)."""
    folder = reachable_folder()
    server = EmbeddedPostgres(folder, free_port(), durable=False)
    await server.start()
    yield server
    await server.stop()
    server.remove()
    shutil.rmtree(folder)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedBroker]:
    """The session's broker with all topics. Tests share it: use consumer names of your own, or `fresh_broker`."""
    server = EmbeddedBroker(free_port(), tmp_path_factory.mktemp("broker") / "broker.log")
    await server.start()
    await create_topics(server.kafka)
    yield server
    await server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def fresh_broker(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    """A broker of this test alone, with all topics and an empty log; it may be killed and restarted."""
    server = EmbeddedBroker(free_port(), tmp_path / "broker.log")
    await server.start()
    await create_topics(server.kafka)
    yield server
    await server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def kafka(broker: EmbeddedBroker) -> KafkaSettings:
    """Settings of the session's broker."""
    return broker.kafka
