from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from deploy.local.broker import EmbeddedBroker
from tests.support.databases import Databases
from tests.support.story import Story


@pytest.fixture
def patient() -> str:
    return f"patient-{uuid4().hex[:12]}"


@pytest_asyncio.fixture(loop_scope="session")
async def story(databases: Databases, fresh_broker: EmbeddedBroker) -> AsyncIterator[Story]:
    """Intake tells, careplan's schema hears, over a broker of this test alone."""
    kafka = fresh_broker.kafka.model_copy(update={"assignment": "all"})
    told = Story(await databases.open("intake"), await databases.open("careplan"), kafka)
    await told.prepare()
    yield told
