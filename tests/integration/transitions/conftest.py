import pytest_asyncio

from tests.integration.transitions.house import House
from tests.support.databases import Databases


@pytest_asyncio.fixture(loop_scope="session")
async def house(databases: Databases) -> House:
    return await House.open(databases)
