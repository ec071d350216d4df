"""JSON events over real HTTP: one key, one body, one effect, one answer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from services.intake.events_api import events_router
from shared.http import Role
from tests.integration.http.running import Answer, Client, issuing, service
from tests.integration.intake.conftest import Intake
from tests.integration.intake.routers import message_routers
from tests.unit.intake.test_json_events import event

PATH = "/events/general-hospital"


@pytest_asyncio.fixture(loop_scope="session")
async def client(intake: Intake, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    routers = [
        *message_routers(intake),
        events_router(intake.database, intake.feeds, intake.reception),
    ]
    async with (
        issuing(tmp_path_factory.mktemp("issuer")) as (_, tokens),
        service(tokens, routers, database=intake.database) as running,
    ):
        yield running


async def send(client: Client, key: str, body: dict[str, Any] | bytes) -> Answer:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    headers = {"idempotency-key": key, "content-type": "application/json"}
    return await client.ask("POST", PATH, Role.INTEGRATION, data=raw, headers=headers)


async def test_the_same_key_gets_the_same_answer_and_has_one_effect(client: Client, intake: Intake) -> None:
    first = await send(client, "k1", event("admission"))
    assert (first.status, first.body["outcome"], first.headers["idempotent-replayed"]) == (200, "accepted", "false")
    again = await send(client, "k1", event("admission"))
    assert (again.status, again.body, again.headers["idempotent-replayed"]) == (200, first.body, "true")
    other = await send(client, "k1", event("discharge"))
    assert (other.status, other.headers["content-type"]) == (409, "application/problem+json")
    assert other.body["type"] == "urn:handoff:problem:idempotency-key-reused"
    assert (await send(client, "k2", event("discharge"))).status == 200
    assert await intake.event_types() == ["encounter.admitted", "encounter.discharged"]


async def test_a_refusal_is_a_problem_that_is_kept_too(client: Client, intake: Intake) -> None:
    wrong = await send(client, "k3", event("explosion"))
    assert (wrong.status, wrong.body["type"]) == (422, "urn:handoff:problem:invalid-request")
    assert wrong.body["errors"][0]["field"] == "type"
    assert (await send(client, "k3", event("explosion"))).body == wrong.body
    assert await intake.log() == [("JSON", "rejected", "invalid-event")]
    without = await client.ask("POST", PATH, Role.INTEGRATION, data=b"{}")
    assert (without.status, without.body["errors"][0]["field"]) == (422, "header.idempotency-key")


async def test_many_at_once_with_one_key_have_one_effect(client: Client, intake: Intake) -> None:
    answers = await asyncio.gather(*(send(client, "k4", event("admission")) for _ in range(10)))
    assert {answer.status for answer in answers} == {200}
    assert await intake.event_types() == ["encounter.admitted"]


async def test_a_key_whose_answer_was_lost_is_answered_by_the_log(client: Client, intake: Intake) -> None:
    """As after a crash between the effect and the answer: the repeat is known and has no second effect."""
    await send(client, "k5", event("admission"))
    await intake.database.pool.execute("UPDATE idempotency_key SET status = NULL, answer = NULL")
    again = await send(client, "k5", event("admission"))
    assert (again.status, again.body["outcome"]) == (200, "duplicate")
    assert await intake.event_types() == ["encounter.admitted"]


async def test_the_raw_event_is_kept_and_can_be_read_again(client: Client, intake: Intake) -> None:
    await send(client, "k6", event("explosion"))
    [item] = (await client.ask("GET", "/messages", Role.OPS)).body["items"]
    assert (await client.ask("GET", f"/messages/{item['id']}/raw", Role.OPS)).body == event("explosion")
    replayed = await client.ask("POST", f"/messages/{item['id']}/replay", Role.OPS)
    assert (replayed.body["outcome"], replayed.body["reason"]) == ("rejected", "invalid-event")
    assert (await client.ask("GET", "/events/schema", Role.INTEGRATION)).body["title"] == "JsonEvent"
