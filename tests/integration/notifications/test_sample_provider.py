"""The sample provider beside a real notifications service: subscribes, receives once, forgets nothing; and the README's
receiver as its own process.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.ports import free_port
from deploy.sample_provider.app import build
from deploy.sample_provider.inbox import Inbox
from deploy.sample_provider.settings import ProviderSettings
from deploy.sample_provider.subscribing import Subscription
from services.notifications.api import routers
from services.notifications.posting import Poster
from services.notifications.roster import Roster
from services.notifications.signing import headers_for, shown
from shared.events import uuid7
from shared.http import Role
from tests.integration.http.running import Client, Tokens, issuing, served, service
from tests.integration.notifications.house import House
from tests.support.story import running, until
from tests.unit.notifications.stories import NOW, Stay

EXCHANGE = {"slug": "community-health-exchange", "name": "Exchange", "subscriptions": ["*"]}
RECEIVER = Path(__file__).parents[3] / "examples" / "receiver.py"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def issuer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Client, Tokens]]:
    async with issuing(tmp_path_factory.mktemp("issuer")) as running_issuer:
        yield running_issuer


@pytest_asyncio.fixture
async def api(house: House, issuer: tuple[Client, Tokens]) -> AsyncIterator[Client]:
    await house.load(Roster.model_validate({"organisations": [EXCHANGE]}))
    poster = Poster(private=True, total_seconds=2, connections=10)
    house.posters.append(poster)
    parts = routers(house.database, house.box, poster, house.wake, private=True)
    async with service(issuer[1], parts, database=house.database) as client:
        yield client


@asynccontextmanager
async def provider(folder: Path, port: int, api: Client, issuer: Client) -> AsyncIterator[Client]:
    settings = ProviderSettings(port=port, notifications=api.url, issuer=issuer.url, folder=folder)
    inbox, subscription = Inbox(folder / "received.jsonl"), Subscription(settings)
    app, http = build(settings, inbox, subscription)
    try:
        async with served(app, http) as client:
            await subscription.register()
            yield client
    finally:
        inbox.close()


async def arrived(client: Client, count: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []

    async def all_there() -> bool:
        found[:] = (await client.ask("GET", "/received")).body["items"]
        return len(found) >= count

    await until(all_there, f"{count} notices arrive")
    return found


async def test_it_subscribes_and_receives_over_a_restart(
    house: House, api: Client, issuer: tuple[Client, Tokens], tmp_path: Path
) -> None:
    port = free_port()
    async with running(house.deliverer().run):
        async with provider(tmp_path, port, api, issuer[0]) as one:
            first = Stay().discharged()
            await house.hear(first)
            [notice] = await arrived(one, 1)
            assert notice["event_id"] == str(first.id)
        await house.hear(Stay("p2").discharged())
        async with provider(tmp_path, port, api, issuer[0]) as one:
            assert [row["order"] for row in await arrived(one, 2)] == [1, 2]
            page = await one.ask("GET", "/latest")
            assert {row["patient"] for row in page.body["items"]} == {"Yellow Canary"}
            assert (await one.ask("GET", "/")).status == 200
        assert len(await house.rows("SELECT id FROM endpoint WHERE channel = 'webhook'")) == 1


async def test_a_cleared_folder_makes_the_known_endpoint_its_own_again(
    house: House, api: Client, issuer: tuple[Client, Tokens], tmp_path: Path
) -> None:
    port = free_port()
    async with running(house.deliverer().run):
        async with provider(tmp_path / "a", port, api, issuer[0]):
            pass
        async with provider(tmp_path / "b", port, api, issuer[0]) as one:
            await house.hear(Stay().discharged())
            await arrived(one, 1)
        assert len(await house.rows("SELECT id FROM endpoint WHERE channel = 'webhook'")) == 1


async def test_it_keeps_a_repeated_notice_once_and_refuses_a_forged_one(
    house: House, api: Client, issuer: tuple[Client, Tokens], tmp_path: Path
) -> None:
    async with running(house.deliverer().run), provider(tmp_path, free_port(), api, issuer[0]) as one:
        await house.hear(Stay().discharged())
        await arrived(one, 1)
        [row] = await house.rows("SELECT id FROM delivery")

        async def asked_again() -> bool:
            """What was received a moment ago is not written down yet."""
            return (await api.ask("POST", f"/deliveries/{row['id']}/redeliver", Role.OPS)).status < 400

        async def repeated() -> bool:
            return bool((await one.ask("GET", "/received")).body["repeated"] == 1)

        await until(asked_again, "the delivery is closed")
        await until(repeated, "the repetition is counted")
        forged = await one.ask("POST", "/hook", data=b"{}", headers=headers_for([b"x" * 32], "id", NOW, b"{}"))
        assert forged.status == 401
        assert len((await one.ask("GET", "/received")).body["items"]) == 1


def test_a_line_cut_short_by_a_kill_is_left_out_and_written_over(tmp_path: Path) -> None:
    file = tmp_path / "received.jsonl"
    first = Inbox(file)
    assert first.keep("a", {"event_id": str(uuid7())})
    first.close()
    with file.open("ab") as out:
        out.write(b'{"webhook_id": "b", "ord')
    second = Inbox(file)
    assert second.keep("b", {"event_id": str(uuid7())})
    assert not second.keep("a", {})
    second.close()
    assert [one["webhook_id"] for one in Inbox(file).notices] == ["a", "b"]


async def test_the_receiver_of_the_readme_works(house: House) -> None:
    port = free_port()
    endpoint = await house.register("exchange", f"http://127.0.0.1:{port}/")
    environment = {**os.environ, "WEBHOOK_SECRET": shown(house.secrets[endpoint]), "PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(RECEIVER), env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        await until(lambda: _listening(port), "the receiver listens")
        async with running(house.deliverer().run):
            await house.hear(Stay().discharged())
            await house.become("delivered")
        assert process.stdout is not None
        assert await process.stdout.readline() == b"genuine care.encounter.discharged.v1\n"
    finally:
        process.kill()
        await process.wait()


async def _listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
