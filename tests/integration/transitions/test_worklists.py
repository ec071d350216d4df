"""Worklists by view, the acts of people, many at once, and what was known when; on a served application."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from services.transitions.referrals.ticking import loop_keeper
from services.transitions.store.tasklists import TasksWanted, View, statement
from shared.events.referrals import ReferralAccepted, ReferralRequested
from shared.events.transitions import TaskCancelled, TaskEscalated, TransitionClosed
from shared.http import Role
from tests.integration.http.running import Client, Tokens, issuing, service
from tests.integration.transitions.house import RULES, House
from tests.integration.transitions.test_api import get, post, routers
from tests.unit.transitions.referrals_told import told
from tests.unit.transitions.stays import PROTOCOLS, StayTold, attended, contact, delivered


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tokens(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tokens]:
    async with issuing(tmp_path_factory.mktemp("issuer")) as (_, signing):
        yield signing


@pytest_asyncio.fixture(loop_scope="session")
async def client(house: House, tokens: Tokens) -> AsyncIterator[Client]:
    async with service(tokens, routers(house), database=house.database) as served:
        yield served


async def codes(client: Client, query: str, **more: Any) -> list[str]:
    return sorted(item["task"]["code"] for item in (await get(client, f"/tasks?{query}", **more))["items"])


async def task_of(client: Client, code: str) -> Any:
    items = (await get(client, "/tasks?limit=200"))["items"]
    return next(item["task"] for item in items if item["task"]["code"] == code)


async def test_views_show_what_they_say(house: House, client: Client) -> None:
    await house.discharge_past_due("p1", timedelta(days=5))
    await house.timekeeper().work_off()
    assert await codes(client, "view=overdue") == ["discharge-information", "interactive-contact"]
    assert await codes(client, "view=escalated") == ["discharge-information", "interactive-contact"]
    assert await codes(client, "view=my-role") == ["interactive-contact"]
    assert len(await codes(client, "view=unassigned")) == 4
    call = await task_of(client, "interactive-contact")
    await post(client, f"/tasks/{call['id']}/claim", {"version": call["version"]})
    assert await codes(client, "view=mine") == ["interactive-contact"]
    assert len(await codes(client, "view=unassigned")) == 3
    answer = await client.ask("GET", "/tasks?view=my-organisation", Role.CARE_MANAGER)
    assert (answer.status, answer.body["type"]) == (422, "urn:handoff:problem:no-organisation")


async def test_ones_role_is_what_the_token_names(house: House, client: Client, tokens: Tokens) -> None:
    await house.discharge_past_due("p1", timedelta(days=5))
    at = (await house.now() - timedelta(days=30)).isoformat()
    await house.hear(told(ReferralRequested, at, priority="urgent"))
    owed: dict[str, set[str]] = {}
    for item in (await get(client, "/tasks?referrals=true"))["items"]:
        told_of = item["task"] or item["referral"]
        owed.setdefault(told_of["owner_role"], set()).add(told_of["id"])
    assert len(owed) > 2

    async def own(*roles: str, **bounds: Any) -> list[str]:
        found: list[str] = []
        after = ""
        while True:
            held = {"authorization": f"Bearer {tokens.of(Role.CARE_MANAGER, care_roles=roles, **bounds)}"}
            page = await client.ask("GET", f"/tasks?view=my-role&referrals=true&limit=1{after}", headers=held)
            assert page.status == 200, page.text
            found += [(item["task"] or item["referral"])["id"] for item in page.body["items"]]
            if page.body["next"] is None:
                return found
            after = f"&after={page.body['next'].replace('+', '%2B')}"

    assert set(await own()) == owed["care-manager"]
    for role, ids in owed.items():
        assert set(await own(role, "farmacist")) == ids, role
    everyones = await own(*owed)
    assert sorted(everyones) == sorted(one for ids in owed.values() for one in ids)
    assert await own(*owed, facilities=["LAKE", "HUDSON"]) == everyones
    held = {"authorization": f"Bearer {tokens.of(Role.CARE_MANAGER, care_roles=['farmacist'])}"}
    refused = await client.ask("GET", "/tasks?view=my-role", headers=held)
    assert (refused.status, refused.body["type"]) == (422, "urn:handoff:problem:no-care-role")
    assert "pharmacist" in refused.body["detail"]
    assert "farmacist" not in refused.text
    assert (await client.ask("GET", "/tasks", headers=held)).status == 200


async def test_what_referrals_wait_for_stands_among_the_tasks(house: House, client: Client) -> None:
    await house.discharge_past_due("p1", timedelta(days=5))
    now = await house.now()
    await house.hear(told(ReferralRequested, (now - timedelta(days=30)).isoformat(), priority="urgent"))
    await house.hear(told(ReferralAccepted, now.isoformat(), identifier=None, service="Dermatology", status="accepted"))
    seen, after = [], ""
    while True:
        page = await get(client, f"/tasks?referrals=true&limit=2{after}")
        seen += [(item.get("referral") or item["task"])["due_at"] for item in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next'].replace('+', '%2B')}"
    assert len(seen) == 4 + 2
    assert seen == sorted(seen)
    for query, waits in (
        ("view=overdue", ["decision"]),
        ("view=escalated", []),
        ("role=referral-coordinator", ["decision", "appointment"]),
        ("organisation=heart-clinic&facility=LAKE", ["decision", "appointment"]),
        ("view=unassigned&escalated=false", ["decision", "appointment"]),
        ("organisation=elm", []),
        ("view=mine", []),
        ("status=completed", []),
        (f"due_before={now.isoformat().replace('+', '%2B')}", ["decision"]),
    ):
        items = (await get(client, f"/tasks?referrals=true&{query}"))["items"]
        assert [item["referral"]["waiting_for"] for item in items if item["task"] is None] == waits, query
    await loop_keeper(house.database, RULES).work_off()
    [escalated] = [
        i["referral"] for i in (await get(client, "/tasks?referrals=true&view=escalated"))["items"] if i["task"] is None
    ]
    assert (escalated["escalation_level"], escalated["state"], escalated["service"]) == (2, "requested", "Cardiology")


async def test_due_today_is_the_facilitys_own_day(house: House, client: Client) -> None:
    await house.discharge_past_due("p1", timedelta(days=2))
    assert await codes(client, "view=due-today") in ([], ["discharge-information"], ["interactive-contact"],
                                                    ["discharge-information", "interactive-contact"])  # fmt: skip
    local = "SELECT count(*) FROM task WHERE (due_at AT TIME ZONE 'America/Chicago')::date = (now() AT TIME ZONE 'America/Chicago')::date"
    assert len(await codes(client, "view=due-today")) == await house.count(local)


async def test_ones_organisation_is_the_one_of_the_primary_care_provider(
    house: House, client: Client, tokens: Tokens
) -> None:
    stay = StayTold()
    left = (await house.now() - timedelta(hours=2)).isoformat(sep=" ")
    await house.hear(stay.discharge(left, pcp_organisation="oak"))
    for organisation, found in (("oak", 4), ("elm", 0)):
        held = {"authorization": f"Bearer {tokens.of(Role.CARE_MANAGER, organisation=organisation)}"}
        for address in ("/tasks?view=my-organisation", "/tasks", "/tasks?organisation=oak"):
            answer = await client.ask("GET", address, headers=held)
            assert len(answer.body["items"]) == found, address


async def test_who_is_bound_to_an_organisation_sees_its_patients_alone(
    house: House, client: Client, tokens: Tokens
) -> None:
    left = (await house.now() - timedelta(hours=2)).isoformat(sep=" ")
    await house.hear(StayTold().discharge(left, pcp_organisation="oak"))
    call = await task_of(client, "interactive-contact")
    [stay] = [item["transition"] for item in (await get(client, "/transitions"))["items"]]
    claim = (f"/tasks/{call['id']}/claim", {"version": call["version"]})
    opened = [
        f"/transitions/{stay['id']}",
        f"/transitions/{stay['id']}/evidence",
        f"/tasks/{call['id']}/why",
    ]
    here = stay["facility"]["code"]
    for bounds, status in (
        ({"organisation": "elm"}, 404),
        ({"organisation": "elm", "facilities": [here]}, 404),
        ({"organisation": "oak", "facilities": ["ELSEWHERE"]}, 404),
        ({"organisation": "oak", "facilities": [here]}, 200),
        ({"organisation": "oak"}, 200),
    ):
        held = {"authorization": f"Bearer {tokens.of(Role.CARE_MANAGER, **bounds)}"}
        assert [(await client.ask("GET", path, headers=held)).status for path in opened] == [status] * 3, bounds
        listed = (await client.ask("GET", "/transitions", headers=held)).body["items"]
        assert len(listed) == (status == 200), bounds
        if status == 404:
            assert (await client.ask("POST", claim[0], headers=held, json=claim[1])).status == 404
    assert (await client.ask("POST", claim[0], headers=held, json=claim[1])).status == 200


async def test_a_task_is_reassigned_snoozed_commented_and_escalated(house: House, client: Client) -> None:
    await house.discharge_past_due("p1", timedelta(hours=3))
    call = await task_of(client, "interactive-contact")
    path = f"/tasks/{call['id']}"
    moved = await post(client, f"{path}/reassign", {"version": 1, "owner": "ann", "role": "nurse"})
    assert (moved.body["owner"], moved.body["owner_role"], moved.body["status"]) == ("ann", "nurse", "accepted")
    until = (await house.now() + timedelta(days=1)).isoformat()
    rested = await post(client, f"{path}/snooze", {"version": 2, "until": until, "reason": "calls back tomorrow"})
    assert rested.body["rests_until"] is not None
    late = (await house.now() + timedelta(days=20)).isoformat()
    refused = await post(client, f"{path}/snooze", {"version": 3, "until": late, "reason": "later"})
    assert (refused.status, refused.body["type"]) == (409, "urn:handoff:problem:not-as-it-stands")
    said = await post(client, f"{path}/comments", {"version": 3, "text": "daughter has the phone"})
    assert (said.status, said.body["version"]) == (201, 3)
    raised = await post(client, f"{path}/escalate", {"version": 3, "reason": "nobody answers"})
    assert raised.body["escalation_level"] == 1
    [told] = await house.facts(TaskEscalated)
    assert (told.level, told.to_role, told.reason) == (1, "care-manager", "escalated-by-person")
    transition = (await house.facts(TaskEscalated))[0].transition.id
    texts = [note["text"] for note in (await get(client, f"/transitions/{transition}"))["comments"]]
    assert texts == ["calls back tomorrow", "daughter has the phone", "nobody answers"]


async def test_a_waived_task_says_who_and_why_and_the_transition_can_close(house: House, client: Client) -> None:
    stay = await house.discharge_past_due("p1", timedelta(hours=3))
    for item in (await get(client, "/tasks"))["items"]:
        task = item["task"]
        answer = await post(client, f"/tasks/{task['id']}/waive", {"version": task["version"], "reason": "declined"})
        assert (answer.body["closure"], answer.body["outcome"]) == ("waived", "declined")
        assert answer.body["settled_by"]
    assert len(await house.facts(TransitionClosed)) == 1
    assert (await house.facts(TransitionClosed))[0].transition.encounter_id == stay.id


async def test_a_window_that_passed_ends_the_task_as_late_and_closes(house: House) -> None:
    await house.discharge_past_due("p1", timedelta(days=29))
    await house.database.pool.execute("UPDATE task_timer SET due_at = now() - interval '1 hour' WHERE level = 1000")
    await house.timekeeper().work_off()
    ended = {fact.task.code: (fact.task.closure, fact.reason) for fact in await house.facts(TaskCancelled)}
    assert set(ended.values()) == {("late", "window-passed")}
    assert len(ended) == 4
    assert len(await house.facts(TransitionClosed)) == 1
    # What was done in time but heard of late still counts.
    left = (await house.now() - timedelta(days=28)).isoformat(sep=" ")
    await house.hear(contact(left))
    assert (await house.tasks())["interactive-contact"][0] == "completed"


async def test_prerequisites_bind_people_and_not_evidence(house: House, client: Client) -> None:
    stay = StayTold()
    left = (await house.now() - timedelta(minutes=5)).isoformat(sep=" ")
    discharge = stay.discharge(left, "03")
    await house.hear(discharge)
    task = await task_of(client, "handoff-synthesis")
    refused = await post(client, f"/tasks/{task['id']}/complete", {"version": 1})
    assert (refused.status, refused.body["detail"]) == (409, "first comes discharge-information")
    body = {"received_by": "night nurse", "synthesis": "all five parts", "illness_severity": "watcher"}
    transition = (await get(client, "/transitions"))["items"][0]["transition"]["id"]
    body["at"] = (await house.now()).isoformat()
    assert (await post(client, f"/transitions/{transition}/handoff", body)).status == 201
    assert (await house.tasks())["handoff-synthesis"][0] == "completed"


async def test_many_at_once_with_a_preview_that_changes_nothing(house: House, client: Client) -> None:
    for n in range(3):
        await house.discharge_past_due(f"p{n}", timedelta(hours=3))
    items = [item["task"] for item in (await get(client, "/tasks?role=care-manager"))["items"]]
    chosen = [{"id": task["id"], "version": task["version"]} for task in items]
    chosen[2]["version"] = 9
    body = {"action": "claim", "tasks": [*chosen, {"id": str(uuid4()), "version": 1}]}
    before = await house.count("SELECT count(*) FROM outbox")
    foreseen = (await post(client, "/tasks/bulk", body | {"preview": True})).body
    assert [item["outcome"] for item in foreseen["items"]] == ["done", "done", "stale-version", "unknown"]
    assert foreseen["items"][2]["version"] == 1
    assert await house.count("SELECT count(*) FROM outbox") == before
    key = str(uuid4())
    done = [(await post(client, "/tasks/bulk", body, key)).body for _ in range(2)]
    assert [answer["done"] for answer in done] == [2, 2]
    assert await house.count("SELECT count(*) FROM task WHERE status = 'accepted'") == 2
    assert await house.count("SELECT count(*) FROM outbox") == before + 2


async def test_one_can_ask_what_was_known_then(house: House, client: Client) -> None:
    nine = await house.now()
    stay = StayTold()
    left = (await house.now() - timedelta(hours=3)).isoformat(sep=" ")
    discharge = stay.discharge(left)
    await house.hear(discharge)
    ten = await house.now()
    await house.hear(contact((await house.now() - timedelta(hours=1)).isoformat(sep=" ")))
    identity = (await get(client, "/transitions"))["items"][0]["transition"]["id"]
    path = f"/transitions/{identity}"
    unknown = await client.ask("GET", path, Role.CARE_MANAGER, params={"known_at": nine.isoformat()})
    assert (unknown.status, unknown.body["type"]) == (404, "urn:handoff:problem:not-known-then")
    then = await get(client, path, params={"known_at": ten.isoformat()})
    now = await get(client, path)
    statuses = [{t["code"]: t["status"] for t in told["tasks"]}["interactive-contact"] for told in (then, now)]
    assert statuses == ["requested", "completed"]
    assert len(then["history"]) < len(now["history"])
    heard = [
        await get(client, f"{path}/evidence", params={"known_at": at.isoformat()}) for at in (ten, await house.now())
    ]
    assert [len(answer["items"]) for answer in heard] == [0, 1]
    [deed] = heard[1]["items"]
    assert deed["at"] < ten.isoformat() < deed["known_at"].replace("Z", "+00:00")


async def test_why_a_task_is_due_when_it_is(house: House, client: Client) -> None:
    stay = StayTold()
    await house.hear(stay.discharge("2026-05-22 15:00-05:00"))
    call = await task_of(client, "interactive-contact")
    told = await get(client, f"/tasks/{call['id']}/why")
    assert [(day["day"], day["counted"], day["why"]) for day in told["days"]] == [
        ("2026-05-22", 0, "day of the discharge"),
        ("2026-05-23", None, "Saturday"),
        ("2026-05-24", None, "Sunday"),
        ("2026-05-25", None, "Memorial Day"),
        ("2026-05-26", 1, None),
        ("2026-05-27", 2, None),
    ]
    assert told["rule"] == {"anchor": "discharge", "business_days": 2}
    assert told["source"].startswith("TCM")


async def test_a_draft_is_simulated_on_what_was_recorded(house: House, client: Client) -> None:
    for n in range(3):
        await house.discharge_past_due(f"p{n}", timedelta(days=5))
    discharge = StayTold(patient="p9").discharge((await house.now() - timedelta(days=5)).isoformat(sep=" "))
    await house.hear(
        discharge, delivered(discharge, (await house.now()).isoformat(sep=" ")), attended("2026-03-09 10:00")
    )
    text = (PROTOCOLS / "tcm-home.yaml").read_text(encoding="utf-8").replace("2026.3", "2099.1")
    text = text.replace("business_days: 2", "business_days: 20")
    before = await house.count("SELECT count(*) FROM outbox")
    told = (await simulated(client, text)).body
    assert told["protocol"] == {"name": "tcm-home", "version": "2099.1"}
    assert (told["stays"], told["tasks"], told["overdue"]) == (4, 0, -4)
    assert told["summary"] == f"would create 0 tasks, {-told['escalations']} fewer escalations"
    assert set(told["by_task"]) == {"interactive-contact"}
    assert await house.count("SELECT count(*) FROM outbox") == before
    red = (await simulated(client, (PROTOCOLS / "project-red.yaml").read_text(encoding="utf-8"))).body
    # Eleven of the twelve components: nobody told of the admission, so that nothing is counted from it.
    assert red["tasks"] == 4 * 11
    wrong = await simulated(client, "{name: a, version: '1', title: t, source: s, applies: {colour: red}}")
    assert (wrong.status, wrong.body["detail"]) == (422, "draft.yaml: applies.colour: Extra inputs are not permitted")


async def simulated(client: Client, text: str) -> Any:
    return await client.ask("POST", "/protocols/simulate", Role.OPS, json={"text": text})


@pytest.mark.parametrize("view", [*View, None])
def test_a_statement_holds_only_what_is_asked_for(view: View | None) -> None:
    sql, given = statement(TasksWanted(view=view, facility="LAKE"))
    assert given == ["LAKE", 50]
    assert "$1" in sql
    assert "CASE" not in sql


async def test_a_level_told_in_between_makes_no_act_stale_and_anothers_act_does(house: House, client: Client) -> None:
    await house.discharge_past_due("p1", timedelta(days=5))
    seen = (await task_of(client, "interactive-contact"))["version"]
    await house.timekeeper().work_off()
    told = await task_of(client, "interactive-contact")
    assert told["version"] > seen
    path = f"/tasks/{told['id']}"
    # Who escalates decides on the level, which is another one now.
    raised = await post(client, f"{path}/escalate", {"version": seen, "reason": "nobody answers"})
    assert (raised.status, raised.body["type"]) == (409, "urn:handoff:problem:stale-version")
    acknowledged = await post(client, f"{path}/acknowledge", {"version": seen})
    assert (acknowledged.status, acknowledged.body["version"]) == (200, told["version"] + 1)
    assert (await post(client, f"{path}/claim", {"version": seen})).status == 409
    claimed = await post(client, f"{path}/claim", {"version": told["version"] + 1})
    assert claimed.status == 200
    late = await post(client, f"{path}/complete", {"version": told["version"] + 1})
    assert (late.status, late.body["detail"]) == (409, f"{claimed.body['owner']} has claimed it")
