"""The routes of care plans over HTTP: who may, what a stale version gets, and what is left behind."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from services.careplan.api import plans_router
from shared.http import Role
from shared.postgres import Database
from tests.integration.careplan.test_following import hear, said
from tests.integration.http.running import Client, Tokens, issuing, service
from tests.support.databases import Databases
from tests.unit.careplan.stories import Stay


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    opened = await databases.open("careplan")
    stays = [Stay(f"s{n}", patient=f"p{n}") for n in range(3)]
    await hear(opened, [event for stay in stays for event in (stay.opened(), stay.discharged(), stay.task("contact"))])
    yield opened


@pytest_asyncio.fixture
async def tokens(tmp_path: Path) -> AsyncIterator[Tokens]:
    async with issuing(tmp_path) as (_, signing):
        yield signing


@pytest_asyncio.fixture
async def api(tokens: Tokens, database: Database) -> AsyncIterator[Client]:
    async with service(tokens, [plans_router(database)], database=database) as client:
        yield client


async def plan_of(api: Client, patient: str) -> dict[str, Any]:
    answer = await api.ask("GET", f"/plans?patient={patient}", Role.CARE_MANAGER)
    plan: dict[str, Any] = answer.body["items"][0]
    return plan


async def test_pages_hold_every_plan_once(api: Client) -> None:
    seen, path = [], "/plans?limit=1"
    for _ in range(3):
        answer = await api.ask("GET", path, Role.CARE_MANAGER)
        seen += [item["id"] for item in answer.body["items"]]
        path = f"/plans?limit=1&before={answer.body['next']}"
    assert len(set(seen)) == 3
    assert (await api.ask("GET", path, Role.CARE_MANAGER)).body == {"items": [], "next": None}


async def test_a_plan_is_opened_with_its_history_and_the_reading_is_kept(api: Client, database: Database) -> None:
    plan = await plan_of(api, "p1")
    answer = await api.ask("GET", f"/plans/{plan['id']}", Role.CARE_MANAGER)
    assert [version["version"] for version in answer.body["versions"]] == [1]
    actions = await database.pool.fetch("SELECT action, subjects FROM audit ORDER BY seq")
    assert [(row["action"], row["subjects"]) for row in actions][-1] == ("plan opened", ["p1"])


async def test_additions_are_versions_with_reason_and_event(api: Client, database: Database) -> None:
    plan = await plan_of(api, "p1")
    path = f"/plans/{plan['id']}"
    goal = {"version": 1, "text": "Walk to the shop", "reason": "The patient's own wish"}
    added = await api.ask("POST", f"{path}/goals", Role.CARE_MANAGER, json=goal)
    assert (added.status, added.body["version"]) == (201, 2)
    own = added.body["goals"][-1]
    body = {"version": 2, "status": "completed"}
    met = await api.ask("POST", f"{path}/goals/{own['code']}/status", Role.CARE_MANAGER, json=body)
    assert met.body["goals"][-1] == {**own, "status": "completed"}
    body = {"version": 3, "need": "A ride to the clinic"}
    needed = await api.ask("POST", f"{path}/needs", Role.CARE_MANAGER, json=body)
    assert needed.body["needs"][-1] == "A ride to the clinic"
    body = {"version": 4, "status": "completed"}
    taught = await api.ask("POST", f"{path}/activities/teaching/status", Role.CARE_MANAGER, json=body)
    assert {a["code"]: a["status"] for a in taught.body["activities"]}["teaching"] == "completed"
    history = (await api.ask("GET", path, Role.CARE_MANAGER)).body["versions"]
    assert [v["reason"] for v in history][:2] == ["discharged", "The patient's own wish"]
    assert (await said(database)).count(("care.plan.revised.v1", "p1")) == 4


async def test_a_stale_version_is_refused_with_the_current_one(api: Client) -> None:
    plan = await plan_of(api, "p1")
    path, body = f"/plans/{plan['id']}/needs", {"version": 1, "need": "Shoes"}
    assert (await api.ask("POST", path, Role.CARE_MANAGER, json=body)).status == 201
    refused = await api.ask("POST", path, Role.CARE_MANAGER, json=body)
    assert (refused.status, refused.body["type"], refused.body["version"]) == (
        409,
        "urn:handoff:problem:stale-version",
        2,
    )


async def test_an_activity_with_a_task_is_not_done_here(api: Client) -> None:
    plan = await plan_of(api, "p1")
    path = f"/plans/{plan['id']}/activities/phone-reinforcement/status"
    answer = await api.ask("POST", path, Role.CARE_MANAGER, json={"version": 1, "status": "completed"})
    assert answer.status == 404


async def test_wrong_bodies_name_the_field_and_other_roles_are_refused(api: Client) -> None:
    plan = await plan_of(api, "p1")
    path = f"/plans/{plan['id']}/goals"
    wrong = await api.ask("POST", path, Role.CARE_MANAGER, json={"version": 1, "text": ""})
    assert (wrong.status, wrong.body["errors"][0]["field"]) == (422, "body.text")
    assert (await api.ask("POST", path, Role.OPS, json={"version": 1, "text": "x"})).status == 403
    assert (await api.ask("GET", "/plans?before=yesterday", Role.CARE_MANAGER)).status == 422


async def test_another_facilitys_plan_is_as_if_there_were_none(api: Client, tokens: Tokens) -> None:
    plan = await plan_of(api, "p1")
    bearer = {"authorization": f"Bearer {tokens.of(Role.CARE_MANAGER, facilities=['SOUTH'])}"}
    assert (await api.ask("GET", "/plans", headers=bearer)).body["items"] == []
    assert (await api.ask("GET", f"/plans/{plan['id']}", headers=bearer)).status == 404
    body = {"version": 1, "need": "Shoes"}
    assert (await api.ask("POST", f"/plans/{plan['id']}/needs", headers=bearer, json=body)).status == 404
