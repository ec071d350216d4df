"""The routes on a served application: worklists, acts guarded by version, and who may see what."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from fastapi import APIRouter

from services.transitions.api import transitions_router
from services.transitions.protocol_api import protocols_router
from services.transitions.worklist_api import worklist_router
from shared.events.followups import ContactMade
from shared.events.transitions import TaskClaimed, TaskCompleted
from shared.http import Role
from tests.integration.http.running import Answer, Client, Tokens, issuing, service
from tests.integration.transitions.house import RULES, House
from tests.unit.transitions.stays import StayTold


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tokens(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tokens]:
    async with issuing(tmp_path_factory.mktemp("issuer")) as (_, signing):
        yield signing


@pytest_asyncio.fixture(loop_scope="session")
async def client(house: House, tokens: Tokens) -> AsyncIterator[Client]:
    async with service(tokens, routers(house), database=house.database) as served:
        yield served


def routers(house: House) -> list[APIRouter]:
    both = (house.database, house.library)
    return [transitions_router(*both), worklist_router(*both, RULES), protocols_router(*both)]


async def discharged(house: House, patient: str = "p1") -> StayTold:
    return await house.discharge_past_due(patient, timedelta(hours=3))


async def get(client: Client, path: str, **more: Any) -> Any:
    answer = await client.ask("GET", path, Role.CARE_MANAGER, **more)
    assert answer.status == 200, answer.text
    return answer.body


async def post(client: Client, path: str, body: object, key: str | None = None) -> Answer:
    headers = {"idempotency-key": key} if key else {}
    return await client.ask("POST", path, Role.CARE_MANAGER, json=body, headers=headers)


async def call_of(client: Client) -> Any:
    items = (await get(client, "/tasks?role=care-manager"))["items"]
    return next(item for item in items if item["task"]["code"] == "interactive-contact")


async def test_a_transition_is_shown_with_its_tasks_and_history(house: House, client: Client) -> None:
    await discharged(house)
    [item] = (await get(client, "/transitions?status=following"))["items"]
    shown = await get(client, f"/transitions/{item['transition']['id']}")
    assert len(shown["tasks"]) == 4
    assert [entry["type"] for entry in shown["history"]][-1] == "care.transition.opened.v1"
    assert await house.count("SELECT count(*) FROM audit WHERE outcome = 'read'") == 2


async def test_pages_follow_each_other_without_loss_or_repeat(house: House, client: Client) -> None:
    for n in range(5):
        await discharged(house, f"p{n}")
    for path, size in (("/transitions", 5), ("/tasks", 20)):
        seen: list[str] = []
        cursor = ""
        while True:
            page = await get(
                client,
                path,
                params={"limit": "3"} | ({"before" if path == "/transitions" else "after": cursor} if cursor else {}),
            )
            seen += [(item.get("task") or item["transition"])["id"] for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == size


async def test_claiming_and_completing_carry_the_version_that_was_seen(house: House, client: Client) -> None:
    await discharged(house)
    task = (await call_of(client))["task"]
    claimed = await post(client, f"/tasks/{task['id']}/claim", {"version": task["version"]})
    assert (claimed.status, claimed.body["status"], claimed.body["version"]) == (200, "accepted", 2)
    stale = await post(client, f"/tasks/{task['id']}/complete", {"version": 1})
    assert (stale.status, stale.body["type"], stale.body["version"]) == (409, "urn:handoff:problem:stale-version", 2)
    done = await post(client, f"/tasks/{task['id']}/complete", {"version": 2, "outcome": "spoke with the daughter"})
    assert (done.status, done.body["status"]) == (200, "completed")
    again = await post(client, f"/tasks/{task['id']}/claim", {"version": 3})
    assert (again.status, again.body["type"]) == (409, "urn:handoff:problem:not-as-it-stands")
    assert len(await house.facts(TaskClaimed)) == len(await house.facts(TaskCompleted)) == 1
    assert await house.count("SELECT count(*) FROM task_timer WHERE task_id::text = $1", task["id"]) == 0


async def test_a_key_is_its_callers_own(house: House, client: Client) -> None:
    await discharged(house)
    task = (await call_of(client))["task"]
    key, note = {"idempotency-key": "the same word"}, {"version": task["version"], "text": "rang twice"}
    for role in (Role.CARE_MANAGER, Role.CARE_MANAGER, Role.ADMIN, Role.ADMIN):
        path = f"/tasks/{task['id']}/comments"
        assert (await client.ask("POST", path, role, json=note, headers=key)).status == 201
    actors = await house.database.pool.fetch("SELECT actor FROM task_comment ORDER BY at")
    assert [row["actor"] for row in actors] == ["local-care-manager", "local-admin"]


async def test_what_a_person_cancelled_stays_cancelled(house: House, client: Client) -> None:
    stay = await discharged(house)
    task = (await call_of(client))["task"]
    answer = await post(client, f"/tasks/{task['id']}/cancel", {"version": 1, "reason": "patient does not want it"})
    assert (answer.status, answer.body["status"]) == (200, "cancelled")
    await house.hear(stay.correct("2026-03-06 18:00", hospital_service="MED"))
    assert (await house.tasks())["interactive-contact"][0] == "cancelled"


async def test_a_recorded_contact_is_said_and_completes_the_task_once(house: House, client: Client) -> None:
    await discharged(house)
    found = await call_of(client)
    path = f"/transitions/{found['transition']['id']}/contacts"
    body = {"kind": "made", "channel": "phone", "with_whom": "caregiver", "at": (await house.now()).isoformat()}
    key = str(uuid4())
    assert [(await post(client, path, body, key)).status for _ in range(2)] == [201, 201]
    [contact] = await house.facts(ContactMade)
    assert (contact.with_whom, str(contact.transition_id)) == ("caregiver", found["transition"]["id"])
    [done] = await house.facts(TaskCompleted)
    said = [event for event in await house.events() if isinstance(event.fact, ContactMade)]
    assert done.task.evidence_event_id == said[0].id
    # Heard on its own topic, it is not news.
    before = await house.count("SELECT count(*) FROM outbox")
    await house.hear(*said)
    assert await house.count("SELECT count(*) FROM outbox") == before


async def test_two_attempts_stand_on_the_task(house: House, client: Client) -> None:
    await discharged(house)
    found = await call_of(client)
    now = await house.now()
    for minutes in (60, 30):
        at = (now - timedelta(minutes=minutes)).isoformat()
        answer = await post(
            client, f"/transitions/{found['transition']['id']}/contacts", {"kind": "attempted", "at": at}
        )
        assert answer.status == 201
    assert (await call_of(client))["task"]["outcome"] == "attempts-documented"


async def test_a_reconciliation_is_recorded_with_who_did_it(house: House, client: Client) -> None:
    await discharged(house)
    found = await call_of(client)
    path = f"/transitions/{found['transition']['id']}/medication-reconciliation"
    answer = await post(client, path, {"by_role": "pharmacist", "at": (await house.now()).isoformat()})
    assert answer.status == 201
    assert (await house.tasks())["medication-reconciliation"][0] == "completed"


async def test_old_news_waits_on_the_review_list_until_someone_looked(house: House, client: Client) -> None:
    stay = StayTold()
    await house.hear(stay.discharge("2020-01-06 15:00", recorded="2026-03-06 15:00"))
    [item] = (await get(client, "/transitions?review=true"))["items"]
    identity, version = item["transition"]["id"], item["transition"]["version"]
    answer = await post(client, f"/transitions/{identity}/review", {"version": version})
    assert (answer.status, answer.body["status"]) == (200, "closed")
    assert (await get(client, "/transitions?review=true"))["items"] == []
    assert (await post(client, f"/transitions/{identity}/review", {"version": version})).status == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "shouted", "at": "2026-03-06T15:00:00Z"}, "body.kind"),
        ({"kind": "made", "at": "2026-03-06T15:00:00"}, "body.at"),
        ({"kind": "made", "at": "2026-03-06T15:00:00Z", "colour": "red"}, "body.colour"),
    ],
)
async def test_a_wrong_body_is_told_by_field(client: Client, body: dict[str, str], field: str) -> None:
    answer = await post(client, f"/transitions/{uuid4()}/contacts", body)
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, field)


async def test_what_lies_in_the_future_was_not_done(house: House, client: Client) -> None:
    await discharged(house)
    found = await call_of(client)
    at = (await house.now() + timedelta(hours=1)).isoformat()
    answer = await post(client, f"/transitions/{found['transition']['id']}/contacts", {"kind": "made", "at": at})
    assert (answer.status, answer.body["field"]) == (422, "body.at")


async def test_another_facilitys_transition_is_not_told_from_none(house: House, client: Client, tokens: Tokens) -> None:
    await discharged(house)
    found = await call_of(client)
    elsewhere = {"authorization": f"Bearer {tokens.of(Role.CARE_MANAGER, facilities=['HUDSON'])}"}
    identity, task = found["transition"]["id"], found["task"]["id"]
    answers = [
        await client.ask("GET", f"/transitions/{identity}", headers=elsewhere),
        await client.ask("POST", f"/tasks/{task}/claim", headers=elsewhere, json={"version": 1}),
        await client.ask("GET", f"/transitions/{uuid4()}", headers=elsewhere),
        await client.ask("POST", f"/tasks/{uuid4()}/claim", headers=elsewhere, json={"version": 1}),
    ]
    assert [answer.status for answer in answers] == [404] * 4
    assert len({answer.body["title"] for answer in answers}) == 1
    assert (await client.ask("GET", "/tasks", headers=elsewhere)).body["items"] == []
    assert (await client.ask("POST", f"/tasks/{task}/claim", Role.AUDITOR, json={"version": 1})).status == 403
