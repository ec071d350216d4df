"""Scores in the database: kept with their inputs, said when they change, and what they put in order."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from services.transitions.followed import transition_id
from services.transitions.risk.api import risk_router
from services.transitions.risk.weighing import recounter
from services.transitions.worklist_api import worklist_router
from shared.events.encounters import PatientMerged
from shared.events.followups import ObservationRecorded
from shared.events.people import EncounterClass, PatientSummary
from shared.events.transitions import RiskScored, TaskChanged
from shared.http import Role
from tests.integration.http.running import Client, Tokens, issuing, service
from tests.integration.transitions.house import RULES, House
from tests.unit.transitions.stays import StayTold, event_of, follow_up

UNTIL = timedelta(hours=1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tokens(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tokens]:
    async with issuing(tmp_path_factory.mktemp("issuer")) as (_, signing):
        yield signing


@pytest_asyncio.fixture(loop_scope="session")
async def client(house: House, tokens: Tokens) -> AsyncIterator[Client]:
    routers = [worklist_router(house.database, house.library, RULES), risk_router(house.database, house.library)]
    async with service(tokens, routers, database=house.database) as served:
        yield served


async def sampled(house: House, value: str, when: datetime, key: UUID | None = None, **more: Any) -> None:
    said: dict[str, Any] = {"code": "2951-2", "value": Decimal(value), "unit": "mmol/L", "observed_at": when} | more
    told = follow_up(ObservationRecorded, (await house.now()).isoformat(), **said)
    await house.hear(replace(told, fact=told.fact.model_copy(update={"followup_id": key or uuid4()})))


async def points(house: House, score: str = "hospital-2016") -> list[int]:
    return [s.points for f in await house.facts(RiskScored) for s in f.scores if s.name == score]


async def test_laboratory_values_count_whatever_comes_first_and_until_they_are_withdrawn(house: House) -> None:
    now = await house.now()
    key = uuid4()
    await sampled(house, "130", now - timedelta(days=1), key)  # before anything is known of the stay
    stay = StayTold()
    stay.state |= {"admission_type": "E"}
    left = now - UNTIL
    await house.hear(stay.admit((now - timedelta(days=2)).isoformat()), stay.discharge(left.isoformat()))
    assert (await points(house))[-1] == 2
    await sampled(house, "9", now - timedelta(hours=3), code="718-7", unit="g/dL")
    assert (await points(house))[-1] == 3
    said = len(await points(house))
    await sampled(house, "131", now - timedelta(hours=20))  # changes nothing
    assert len(await points(house)) == said
    await sampled(house, "138", now - timedelta(hours=2))
    assert (await points(house))[-1] == 2
    rows = "SELECT count(*) FROM risk_score WHERE transition_id = $1 AND score = 'hospital-2016'"
    assert await house.count(rows, transition_id(stay.id)) == said + 1


async def test_of_one_result_the_word_recorded_last_holds(house: House) -> None:
    now = await house.now()
    stay = StayTold()
    await house.hear(stay.admit((now - timedelta(days=2)).isoformat()), stay.discharge((now - UNTIL).isoformat()))
    key, taken = uuid4(), now - timedelta(days=1)
    corrected = follow_up(ObservationRecorded, now.isoformat(), code="2951-2", value=Decimal(140), unit="mmol/L")
    first = replace(corrected, recorded=now - timedelta(hours=1))
    said = {"followup_id": key, "observed_at": taken}
    await house.hear(replace(corrected, fact=corrected.fact.model_copy(update=said | {"status": "C"})))
    await house.hear(replace(first, fact=first.fact.model_copy(update=said | {"value": Decimal(120)})))
    assert await house.count("SELECT value::int FROM laboratory") == 140


async def test_among_tasks_due_at_the_same_time_those_at_higher_risk_come_first(house: House, client: Client) -> None:
    now = await house.now()
    kinds: dict[str, dict[str, Any]] = {
        "low": {"diagnoses": ()},
        "high": {"diagnoses": ("I50.9", "J44.1"), "admission_type": "E"},
        "moderate": {"diagnoses": (), "admission_type": "E"},
    }
    for patient, said in kinds.items():
        stay = StayTold(patient=patient, diagnoses=said["diagnoses"])
        stay.state |= {name: value for name, value in said.items() if name != "diagnoses"}
        came = (now - timedelta(days=4)).isoformat()
        await house.hear(stay.admit(came), stay.discharge(now.isoformat()))
    seen: list[str] = []
    path = "/tasks?role=care-manager&limit=2"
    after = ""
    while True:
        page = (await client.ask("GET", path + after, Role.CARE_MANAGER)).body
        calls = [item for item in page["items"] if item["task"]["code"] == "interactive-contact"]
        seen += [item["transition"]["patient"]["id"] for item in calls]
        if page["next"] is None:
            break
        after = f"&after={page['next'].replace('+', '%2B')}"
    assert seen == ["high", "moderate", "low"]
    high = (await client.ask("GET", "/tasks?view=high-risk&limit=200", Role.CARE_MANAGER)).body["items"]
    assert {item["transition"]["patient"]["id"] for item in high} == {"high"}
    assert {item["transition"]["risk"]["band"] for item in high} == {"high"}


async def test_what_a_person_adds_moves_tasks_in_order_and_says_nothing_of_them(house: House, client: Client) -> None:
    now = await house.now()
    stay = StayTold(diagnoses=("I50.9", "J44.1"))
    await house.hear(stay.admit((now - timedelta(days=4)).isoformat()), stay.discharge(now.isoformat()))
    path = f"/transitions/{transition_id(stay.id)}/risk"
    before = (await client.ask("GET", path, Role.CARE_MANAGER)).body
    assert (before["steers"]["points"], before["steers"]["provisional"], before["steers"]["priority"]) == (9, True, 2)
    changed = len(await house.facts(TaskChanged))
    after = await client.ask("PUT", path, Role.CARE_MANAGER, json={"acute": True})
    assert after.status == 200, after.text
    assert (after.body["steers"]["points"], after.body["steers"]["priority"]) == (12, 1)
    assert await house.count("SELECT count(DISTINCT priority) FROM task WHERE priority = 1") == 1
    assert await house.count("SELECT count(*) FROM task WHERE priority <> 1") == 0
    assert len(await house.facts(TaskChanged)) == changed
    kept = (await client.ask("GET", path, Role.CARE_MANAGER)).body["kept"]
    newest = next(one for one in kept if one["score"] == "lace")
    assert (newest["points"], newest["inputs"]["acute"]) == (12, True)
    assert (await client.ask("PUT", f"/transitions/{uuid4()}/risk", Role.CARE_MANAGER, json={})).status == 404


async def test_a_stay_is_scored_anew_when_it_has_lasted_another_day_that_counts(house: House) -> None:
    stay = StayTold()
    await house.hear(stay.admit((await house.now()).isoformat()))
    assert (await points(house, "lace"))[-1] == 0
    await house.database.pool.execute(
        """UPDATE transition SET recount_at = clock_timestamp() - interval '1 s', admitted_at = now() - interval '7 days',
           body = jsonb_set(body, '{admitted_at}', to_jsonb(now() - interval '7 days'))"""
    )
    clock = recounter(house.database, house.library)
    await clock.work_off()
    await clock.work_off()
    assert (await points(house, "lace"))[-1] == 5
    assert len(await points(house, "lace")) == 2
    assert await house.count("SELECT count(*) FROM transition WHERE recount_at > clock_timestamp()") == 1
    await house.hear(stay.discharge((await house.now()).isoformat(), admitted_at=await house.now()))
    assert await house.count("SELECT count(*) FROM transition WHERE recount_at IS NOT NULL") == 0


async def test_a_merge_joins_what_the_scores_of_both_are_made_of(house: House) -> None:
    now = await house.now()
    visit = StayTold(patient="p2", encounter_class=EncounterClass.EMERGENCY)
    came = now - timedelta(days=100)
    await house.hear(visit.arrive(came.isoformat()), visit.discharge((came + UNTIL).isoformat(), admitted_at=came))
    stay = StayTold(patient="p1")
    await house.hear(stay.admit((now - timedelta(days=2)).isoformat()), stay.discharge((now - UNTIL).isoformat()))
    assert (await points(house, "lace"))[-1] == 2
    await house.hear(event_of(PatientMerged(patient=PatientSummary(id="p1"), retired="p2", survivor="p1"), "p2", now))
    assert (await points(house, "lace"))[-1] == 3
