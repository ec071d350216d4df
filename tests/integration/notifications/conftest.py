from collections.abc import AsyncIterator

import pytest_asyncio

from tests.integration.notifications.house import House
from tests.support.databases import Databases


@pytest_asyncio.fixture
async def house(databases: Databases) -> AsyncIterator[House]:
    one = House(await databases.open("notifications"))
    await one.load()
    yield one
    await one.close()
