from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.http.running import Client, Tokens, issuing


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def issuer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Client, Tokens]]:
    async with issuing(tmp_path_factory.mktemp("issuer")) as running:
        yield running


@pytest.fixture(scope="module")
def tokens(issuer: tuple[Client, Tokens]) -> Tokens:
    return issuer[1]
