"""The API: endpoints and their secrets, acknowledgements, redelivery, thin notices, the roster; each for whom it is."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from standardwebhooks import Webhook

from services.notifications.api import routers
from services.notifications.posting import Poster
from shared.http import Role
from tests.integration.http.running import Client, Tokens, issuing, service
from tests.integration.notifications.house import ROSTER, House
from tests.integration.notifications.recipients import answering, hanging, recipient
from tests.support.story import running
from tests.unit.notifications.stories import Stay


@dataclass
class Desk:
    """The API over the house, and callers of it."""

    house: House
    client: Client
    tokens: Tokens

    async def provider(self, organisation: str, method: str, path: str, **more: Any) -> Any:
        token = self.tokens.of(Role.PROVIDER, organisation=organisation)
        return await self.client.ask(method, path, headers={"authorization": f"Bearer {token}"}, **more)

    async def first(self, organisation: str = "exchange") -> dict[str, Any]:
        page = await self.provider(organisation, "GET", "/deliveries")
        found: dict[str, Any] = page.body["items"][0]
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def issuer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tokens]:
    async with issuing(tmp_path_factory.mktemp("issuer")) as (_, tokens):
        yield tokens


@pytest_asyncio.fixture
async def desk(house: House, issuer: Tokens) -> AsyncIterator[Desk]:
    poster = Poster(private=True, total_seconds=2, connections=10)
    house.posters.append(poster)
    served = routers(house.database, house.box, poster, house.wake, private=True)
    async with service(issuer, served, database=house.database) as client:
        yield Desk(house, client, issuer)


async def test_a_provider_registers_tries_rotates_and_is_told(desk: Desk) -> None:
    async with recipient() as own, running(desk.house.deliverer().run):
        added = await desk.provider("exchange", "POST", "/endpoints", json={"url": own.url})
        assert added.status == 201
        secret, endpoint = added.body["secret"], added.body["id"]
        tried = await desk.provider("exchange", "POST", f"/endpoints/{endpoint}/test")
        assert tried.body["status"] == 204
        Webhook(secret).verify(own.got[0].raw, own.got[0].headers)
        rotated = await desk.provider("exchange", "POST", f"/endpoints/{endpoint}/rotate")
        await desk.house.hear(Stay().discharged())
        await desk.house.become("delivered")
        for known in (secret, rotated.body["secret"]):
            Webhook(known).verify(own.got[1].raw, own.got[1].headers)
        listed = await desk.provider("exchange", "GET", "/endpoints")
        assert "secret" not in listed.text


async def test_an_endpoint_belongs_to_its_organisation(desk: Desk) -> None:
    async with recipient() as own:
        added = await desk.provider("exchange", "POST", "/endpoints", json={"url": own.url})
        endpoint = added.body["id"]
        again = await desk.provider("exchange", "POST", "/endpoints", json={"url": own.url})
        assert (again.status, again.body["endpoint_id"]) == (409, endpoint)
        for method, path in [("GET", ""), ("POST", "/rotate"), ("POST", "/test"), ("POST", "/disable"), ("DELETE", "")]:
            answer = await desk.provider("primary", method, f"/endpoints/{endpoint}{path}")
            assert answer.status == 404
        foreign = await desk.provider(
            "primary", "POST", "/endpoints", json={"url": own.url, "organisation": "exchange"}
        )
        assert foreign.status == 403
        assert (await desk.provider("primary", "GET", "/endpoints")).body == []


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"url": "http://169.254.169.254/latest"}, 422),
        ({"url": "http://user:pass@127.0.0.1/"}, 422),
        ({"url": "nonsense"}, 422),
        ({"url": "http://127.0.0.1:9/", "event_types": ["care.encounter.invented.v1"]}, 422),
        ({"url": "http://127.0.0.1:9/", "body": "medium"}, 422),
        ({"url": "http://127.0.0.1:9/", "surprise": 1}, 422),
        ({}, 422),
    ],
)
async def test_wrong_endpoints_are_refused_by_field_without_an_echo(
    desk: Desk, wrong: dict[str, Any], status: int
) -> None:
    answer = await desk.provider("exchange", "POST", "/endpoints", json=wrong)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "169.254" not in answer.text
    assert "user:pass" not in answer.text


async def test_an_organisation_outside_the_roster_cannot_register(desk: Desk) -> None:
    answer = await desk.provider("strangers", "POST", "/endpoints", json={"url": "http://127.0.0.1:9/"})
    assert (answer.status, answer.body["type"]) == (422, "urn:handoff:problem:no-such-organisation")


async def test_an_acknowledgement_is_kept_once(desk: Desk) -> None:
    async with recipient() as own, running(desk.house.deliverer().run):
        await desk.house.register("exchange", own.url)
        await desk.house.hear(Stay().discharged())
        await desk.house.become("delivered")
        delivery = (await desk.first())["id"]
        path = f"/deliveries/{delivery}/acknowledge"
        assert (await desk.provider("primary", "POST", path)).status == 404
        first = await desk.provider("exchange", "POST", path)
        again = await desk.provider("exchange", "POST", path)
        assert first.body["status"] == again.body["status"] == "acknowledged"
        assert first.body["version"] == again.body["version"]
        assert (await desk.house.said()).count("acknowledged") == 1


async def test_who_acknowledges_before_our_answer_came_has_received_it(desk: Desk) -> None:
    async with recipient(hanging) as own, running(desk.house.deliverer().run):
        await desk.house.register("exchange", own.url)
        stay = Stay()
        await desk.house.hear(stay.admitted(), stay.discharged())
        await desk.house.become("delivering", "waiting")
        delivery = own_id(await desk.house.deliveries())
        answer = await desk.provider("exchange", "POST", f"/deliveries/{delivery}/acknowledge")
        assert answer.body["status"] == "acknowledged"
        await desk.house.become("acknowledged", "delivering")
        assert (await desk.house.said())[-2:] == ["delivered", "acknowledged"]


def own_id(rows: list[dict[str, Any]]) -> str:
    return str(rows[0]["id"])


async def test_what_was_never_sent_cannot_be_acknowledged(desk: Desk) -> None:
    await desk.house.register("exchange", "http://127.0.0.1:1/")
    await desk.house.hear(Stay().discharged())
    delivery = (await desk.first())["id"]
    answer = await desk.provider("exchange", "POST", f"/deliveries/{delivery}/acknowledge")
    assert (answer.status, answer.body["type"]) == (409, "urn:handoff:problem:never-sent")
    assert (await desk.provider("exchange", "POST", f"/deliveries/{uuid4()}/acknowledge")).status == 404


async def test_a_failed_delivery_is_sent_again_under_its_id(desk: Desk) -> None:
    async with recipient(answering("404 Lost", body=b"nothing here")) as own, running(desk.house.deliverer().run):
        await desk.house.register("exchange", own.url)
        await desk.house.hear(Stay().discharged())
        await desk.house.become("failed")
        delivery = (await desk.first())["id"]
        own.manner = answering("200 OK")
        again = await desk.client.ask("POST", f"/deliveries/{delivery}/redeliver", Role.OPS)
        assert again.status == 202
        await desk.house.become("delivered")
        shown = await desk.client.ask("GET", f"/deliveries/{delivery}", Role.OPS)
        assert [(one["number"], one["status"]) for one in shown.body["history"]] == [(1, 404), (2, 200)]
        assert shown.body["history"][0]["answer"] == "nothing here"


async def test_a_thin_notice_is_fetched_whole_and_the_reading_is_on_record(desk: Desk) -> None:
    async with recipient() as own, running(desk.house.deliverer().run):
        await desk.house.register("exchange", own.url, body="thin")
        await desk.house.hear(Stay().discharged())
        await desk.house.become("delivered")
        path = f"/notices/{own.got[0].body['notice_id']}"
        assert (await desk.provider("primary", "GET", path)).status == 404
        assert (await desk.client.ask("GET", path, Role.OPS)).status == 403
        whole = await desk.provider("exchange", "GET", path)
        assert whole.body["encounter"]["patient"]["name"] == "Yellow Canary"
        rows = await desk.house.rows("SELECT action, subjects FROM audit WHERE action = 'notice.read'")
        assert rows == [{"action": "notice.read", "subjects": ["p1"]}]


async def test_disabling_ends_what_waits_and_enabling_starts_afresh(desk: Desk) -> None:
    async with recipient(answering("503 Down")) as own, running(desk.house.deliverer().run):
        endpoint = await desk.house.register("exchange", own.url)
        await desk.house.hear(Stay().discharged())
        assert (await desk.provider("exchange", "POST", f"/endpoints/{endpoint}/disable")).body["status"] == "disabled"
        await desk.house.become("failed")
        own.manner = answering("200 OK")
        assert (await desk.provider("exchange", "POST", f"/endpoints/{endpoint}/enable")).body["status"] == "active"
        await desk.house.hear(Stay("p2").discharged())
        await desk.house.become("failed", "delivered")


async def test_what_was_suppressed_is_listed_with_its_reason(desk: Desk) -> None:
    await desk.house.hear(Stay().discharged())
    page = await desk.client.ask("GET", "/suppressed?reason=no-recipient", Role.OPS)
    assert {one["organisation"] for one in page.body["items"]} == {"hospitalists", "primary"}
    assert (await desk.client.ask("GET", "/suppressed?reason=because", Role.OPS)).status == 422


async def test_deliveries_are_paged_and_bound_to_the_callers_organisation(desk: Desk) -> None:
    await desk.house.register("exchange", "http://127.0.0.1:1/")
    await desk.house.register("primary", "http://127.0.0.1:2/")
    await desk.house.hear(*(Stay(f"p{number}").discharged() for number in range(5)))
    first = await desk.provider("exchange", "GET", "/deliveries?limit=3&organisation=primary")
    second = await desk.provider("exchange", "GET", f"/deliveries?limit=3&before={first.body['next_before']}")
    items = first.body["items"] + second.body["items"]
    assert len(items) == 5
    assert {one["organisation"] for one in items} == {"exchange"}
    assert second.body["next_before"] is None
    assert "Canary" not in first.text


async def test_a_roster_that_removes_too_much_wants_to_be_confirmed(desk: Desk) -> None:
    small = {"organisations": [{"slug": "exchange", "name": "Exchange", "subscriptions": ["*"]}]}
    refused = await desk.client.ask("PUT", "/roster", Role.OPS, json=small)
    assert (refused.status, refused.body["removed"]) == (409, 4)
    done = await desk.client.ask("PUT", "/roster?confirm=true", Role.OPS, json=small)
    assert (done.status, done.body["memberships"]) == (200, 1)
    shown = await desk.client.ask("GET", "/roster", Role.OPS)
    assert len(shown.body["organisations"]) == len(ROSTER.organisations)
    topics = await desk.client.ask("GET", "/provisioning", Role.ADMIN)
    assert topics.body == {"organisations": []}
    assert (await desk.client.ask("GET", "/provisioning", Role.OPS)).status == 403


async def test_provisioning_names_who_has_a_topic(desk: Desk) -> None:
    topics = await desk.client.ask("GET", "/provisioning", Role.ADMIN)
    assert topics.body == {"organisations": [{"organisation": "reader", "topic": "care.provider.reader.v1"}]}


async def test_two_registrations_of_one_url_at_once_make_one_endpoint(desk: Desk) -> None:
    wanted = {"url": "http://127.0.0.1:9/hook"}
    answers = await asyncio.gather(*(desk.provider("exchange", "POST", "/endpoints", json=wanted) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409, 409]
