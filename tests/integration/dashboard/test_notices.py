"""A provider organisation at the console: its own notices and endpoints, beside a real notifications service."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from services.notifications.api import routers
from services.notifications.posting import Poster
from shared.http import Role
from tests.integration.dashboard.conftest import Console, consoled
from tests.integration.dashboard.visiting import Visitor
from tests.integration.http.running import Client, Tokens, service
from tests.integration.notifications.house import House
from tests.integration.notifications.recipients import recipient
from tests.support.databases import Databases
from tests.support.story import running
from tests.unit.notifications.stories import Stay


@dataclass
class Desk:
    console: Console
    house: House
    notifications: Client

    def at(self, organisation: str) -> Visitor:
        return Visitor(self.console, Role.PROVIDER, organisation=organisation)


@pytest_asyncio.fixture(loop_scope="session")
async def desk(databases: Databases, tokens: Tokens) -> AsyncIterator[Desk]:
    house = House(await databases.open("notifications"))
    await house.load()
    poster = Poster(private=True, total_seconds=2, connections=10)
    house.posters.append(poster)
    served = routers(house.database, house.box, poster, house.wake, private=True)
    async with (
        service(tokens, served, database=house.database) as notifications,
        consoled(databases, tokens, notifications=notifications.url) as console,
    ):
        yield Desk(console, house, notifications)
    await house.close()


async def test_a_provider_reads_and_acknowledges_its_own_notices_and_sees_no_others(desk: Desk) -> None:
    async with recipient() as own, running(desk.house.deliverer().run):
        token = desk.console.tokens.of(Role.PROVIDER, organisation="exchange")
        held = {"authorization": f"Bearer {token}"}
        added = await desk.notifications.ask("POST", "/endpoints", headers=held, json={"url": own.url})
        assert added.status == 201, added.text
        stay = Stay()
        await desk.house.hear(stay.discharged())
        await desk.house.become("delivered", within=60)
    delivery = str(await desk.house.database.pool.fetchval("SELECT id FROM delivery WHERE organisation = 'exchange'"))
    name = await desk.house.database.pool.fetchval("SELECT encounter #>> '{patient,name}' FROM notice")
    exchange, primary = desk.at("exchange"), desk.at("primary")
    listed = await exchange.open("/notices")
    assert (listed.status, f"/notices/{delivery}" in listed.text, own.url in listed.text) == (200, True, True)
    assert name not in listed.text
    shown = await exchange.open(f"/notices/{delivery}")
    assert (shown.status, name in shown.text) == (200, True)
    assert name not in (await primary.open("/notices")).text
    assert delivery not in (await primary.open("/notices")).text
    assert own.url not in (await primary.open("/notices")).text
    assert (await primary.open(f"/notices/{delivery}")).status == 404
    await primary.send(f"/notices/{delivery}/acknowledge", {})
    assert primary.said == ("bad", "Not done: No such delivery.")
    await exchange.send(f"/notices/{delivery}/acknowledge", {})
    assert exchange.said[0] == "good", exchange.said
    assert "Acknowledged by" in (await exchange.open(f"/notices/{delivery}")).text
    endpoint = f"/notices/endpoints/{added.body['id']}"
    await primary.send(f"{endpoint}/disable", {})
    assert primary.said[0] == "bad"
    await exchange.send(f"{endpoint}/disable", {})
    assert exchange.said == ("good", "Switched off.")
    assert (await exchange.send(f"{endpoint}/delete", {})).status == 404


@pytest.mark.parametrize("role", [Role.CARE_MANAGER, Role.OPS, Role.AUDITOR, Role.INTEGRATION])
async def test_notices_are_for_providers(desk: Desk, role: Role) -> None:
    assert (await Visitor(desk.console, role).open("/notices")).status == 403


async def test_a_provider_begins_at_its_notices_and_opens_nothing_of_the_house(desk: Desk) -> None:
    primary = desk.at("primary")
    begun = await primary.open("/")
    assert (begun.status, begun.headers["location"]) == (303, "/notices")
    for path in ("/work", "/deliveries", "/monitoring", "/feeds", "/signals", "/messages"):
        assert (await primary.open(path)).status == 403, path
