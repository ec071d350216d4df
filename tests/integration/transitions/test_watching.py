"""Remote monitoring in the database: an alert is a task, a correction takes it back, silence is asked after."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from services.transitions.api import transitions_router
from services.transitions.monitoring.api import monitoring_router
from services.transitions.monitoring.rules import read_rules
from services.transitions.monitoring.showing import showing_router
from services.transitions.monitoring.watching import watcher
from services.transitions.risk.api import risk_router
from shared.events import AnyEvent
from shared.events.followups import ObservationRecorded
from shared.events.monitoring import AlertRaised, AlertWithdrawn
from shared.events.transitions import TaskCancelled
from shared.http import Role
from tests.integration.http.running import Client, Tokens, issuing, service
from tests.integration.transitions.house import House
from tests.unit.transitions.stays import StayTold, follow_up

RULES = read_rules()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tokens(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tokens]:
    async with issuing(tmp_path_factory.mktemp("issuer")) as (_, signing):
        yield signing


@pytest_asyncio.fixture(loop_scope="session")
async def client(house: House, tokens: Tokens) -> AsyncIterator[Client]:
    database, library = house.database, house.library
    routers = [
        transitions_router(database, library),
        monitoring_router(database, library, RULES),
        showing_router(database, RULES),
        risk_router(database, library),
    ]
    async with service(tokens, routers, database=database) as served:
        yield served


async def watched(house: House, client: Client, **more: Any) -> tuple[StayTold, str]:
    stay = await house.discharge_past_due("p1", timedelta(hours=3))
    listed = await client.ask("GET", "/transitions", Role.CARE_MANAGER)
    path = f"/transitions/{listed.body['items'][0]['transition']['id']}/monitoring"
    body = {"signals": ["oxygen-saturation", "weight"], **more}
    answer = await client.ask("PUT", path, Role.CARE_MANAGER, json=body)
    assert answer.status == 200, answer.text
    return stay, path


async def measured(
    house: House, value: str, key: UUID | None = None, ago: timedelta = timedelta(), **more: Any
) -> AnyEvent:
    time = (await house.now() - ago).isoformat()
    said: dict[str, Any] = {"code": "59408-5", "value": Decimal(value), "unit": "%"} | more
    told = follow_up(ObservationRecorded, time, **said)
    event = replace(told, fact=told.fact.model_copy(update={"followup_id": key or uuid4()}))
    await house.hear(event)
    return event


async def open_alerts(client: Client) -> Any:
    answer = await client.ask("GET", "/monitoring/alerts", Role.CARE_MANAGER)
    assert answer.status == 200, answer.text
    return answer.body["items"]


async def test_an_alert_opens_a_task_that_answering_closes(house: House, client: Client) -> None:
    await watched(house, client)
    await measured(house, "87")
    await measured(house, "86")
    [raised] = await house.facts(AlertRaised)
    assert (raised.severity, raised.proposes_visit) == ("urgent", True)
    tasks = await house.tasks()
    assert tasks["monitoring-urgent"][0] == tasks["telehealth-visit"][0] == "requested"
    [alert] = await open_alerts(client)
    done = await client.ask(
        "POST", f"/monitoring/alerts/{alert['id']}/acknowledge", Role.CARE_MANAGER, json={"outcome": "called"}
    )
    assert done.status == 200, done.text
    assert (await house.tasks())["monitoring-urgent"][0] == "completed"
    assert await open_alerts(client) == []
    await measured(house, "86")
    assert len(await house.facts(AlertRaised)) == 2


async def test_a_patients_own_limits_stand_in_place_of_the_usual_ones_until_they_are_taken_away(
    house: House, client: Client
) -> None:
    own = {"rule": "own-low", "below": "85", "severity": "urgent", "source": "Dr. Diaz, for this patient"}
    stay, path = await watched(house, client, limits={"oxygen-saturation": {"limits": [own]}})
    await measured(house, "87")  # urgent by the usual limits
    await measured(house, "85")
    assert await open_alerts(client) == []
    await measured(house, "84.9")
    [alert] = await open_alerts(client)
    assert (alert["rule"], alert["severity"], alert["patient_id"]) == ("own-low", "urgent", stay.patient)
    unknown = {"signals": ["weight"], "limits": {"oxygen-saturation": {"limits": [own]}}, "version": 1}
    assert (await client.ask("PUT", path, Role.CARE_MANAGER, json=unknown)).status == 422
    usual = {"signals": ["oxygen-saturation", "weight"], "version": 0}
    assert (await client.ask("PUT", path, Role.CARE_MANAGER, json=usual)).status == 409
    assert (await client.ask("PUT", path, Role.CARE_MANAGER, json=usual | {"version": 1})).status == 200
    answer = {"outcome": "called"}
    await client.ask("POST", f"/monitoring/alerts/{alert['id']}/acknowledge", Role.CARE_MANAGER, json=answer)
    await measured(house, "87")
    assert [one["rule"] for one in await open_alerts(client)] == ["very-low"]


async def test_a_correction_takes_alert_and_task_back(house: House, client: Client) -> None:
    await watched(house, client)
    key = uuid4()
    await measured(house, "91", key)
    await measured(house, "97", key, status="C")
    assert [f.reason for f in await house.facts(AlertWithdrawn)] == ["the reading was corrected"]
    assert [f.task.code for f in await house.facts(TaskCancelled)] == ["monitoring-advisory"]
    assert await open_alerts(client) == []


async def test_a_visit_that_was_proposed_ends_with_its_last_alert(house: House, client: Client) -> None:
    await watched(house, client)
    first, second = uuid4(), uuid4()
    await measured(house, "87", first)
    await measured(house, "40", second, code="8480-6", unit="mm[Hg]")  # not watched
    assert (await house.tasks())["telehealth-visit"][0] == "requested"
    await measured(house, "97", first, status="C")
    assert (await house.tasks())["telehealth-visit"][0] == "cancelled"


async def silent(house: House, client: Client) -> None:
    """Watched for three days without a weight, and asked after."""
    _, path = await watched(house, client)
    await house.database.pool.execute("UPDATE monitoring SET since = since - interval '3 days'")
    await client.ask("PUT", path, Role.CARE_MANAGER, json={"signals": ["weight"], "version": 1})
    for _ in range(2):
        await watcher(house.database, house.library, RULES).work_off()
    [raised] = await house.facts(AlertRaised)
    assert raised.text == "Weight: no reading for 36 hours"


async def test_silence_is_asked_after_once(house: House, client: Client) -> None:
    await silent(house, client)
    await measured(house, "180", code="29463-7", unit="[lb_av]")
    assert [f.reason for f in await house.facts(AlertWithdrawn)] == ["readings came"]
    assert (await house.tasks())["monitoring-outreach"][0] == "cancelled"


@pytest.mark.parametrize(("hours", "withdrawn"), [(35, ["readings came"]), (37, [])])
async def test_what_was_measured_in_time_and_told_late_ends_the_silence(
    house: House, client: Client, hours: int, withdrawn: list[str]
) -> None:
    await silent(house, client)
    await measured(house, "180", ago=timedelta(hours=hours), code="29463-7", unit="[lb_av]")
    assert [f.reason for f in await house.facts(AlertWithdrawn)] == withdrawn


async def test_what_cannot_be_judged_is_listed_and_alerts_to_nothing(house: House, client: Client) -> None:
    await watched(house, client)
    await measured(house, "8")
    await measured(house, "98", unit="furlong")
    assert await house.facts(AlertRaised) == []
    listed = await client.ask("GET", "/monitoring/doubtful", Role.CARE_MANAGER)
    assert {item["quality"] for item in listed.body["items"]} == {"implausible", "unit-unknown"}


async def test_nobody_is_watched_unasked_and_none_while_in_hospital(house: House, client: Client) -> None:
    await measured(house, "80")
    assert await house.count("SELECT count(*) FROM reading") == 0
    _, path = await watched(house, client)
    await house.hear(StayTold(patient="p1").admit((await house.now()).isoformat()))
    await measured(house, "80")
    assert await house.facts(AlertRaised) == []
    assert (await client.ask("DELETE", path, Role.CARE_MANAGER)).status == 204


@pytest.mark.parametrize(
    ("body", "field"),
    [({"signals": ["mood"]}, "body.signals"), ({"signals": ["weight"], "variant": "x"}, "body.variant")],
)
async def test_what_is_not_known_is_told_by_field(client: Client, body: dict[str, object], field: str) -> None:
    answer = await client.ask("PUT", f"/transitions/{uuid4()}/monitoring", Role.CARE_MANAGER, json=body)
    assert (answer.status, answer.body["field"]) == (422, field)


async def test_limits_set_on_top_of_anothers_are_refused_and_said_twice_are_said_once(
    house: House, client: Client
) -> None:
    _, path = await watched(house, client)

    async def put(seen: int, *signals: str) -> Any:
        body = {"signals": signals, "version": seen}
        answer = await client.ask("PUT", path, Role.CARE_MANAGER, json=body)
        return answer.status, answer.body.get("version"), answer.body.get("type")

    assert await put(0, "weight", "oxygen-saturation") == (200, 1, None)  # as it is watched already
    assert await put(1, "weight") == (200, 2, None)
    stale = (409, 2, "urn:handoff:problem:stale-version")
    assert await put(1, "oxygen-saturation") == stale
    assert await put(0, "oxygen-saturation") == stale
    assert (await client.ask("DELETE", path, Role.CARE_MANAGER)).status == 204
    assert await put(2, "weight") == (409, 0, "urn:handoff:problem:stale-version")
    assert await put(0, "weight") == (200, 3, None)


async def test_a_score_is_provisional_until_its_inputs_are_known(house: House, client: Client) -> None:
    stay = StayTold(patient="p1", diagnoses=("I50.9",))
    came, left = await house.now() - timedelta(days=5), await house.now()
    await house.hear(stay.admit(came.isoformat()), stay.discharge(left.isoformat()))
    listed = await client.ask("GET", "/transitions", Role.CARE_MANAGER)
    path = f"/transitions/{listed.body['items'][0]['transition']['id']}/risk"
    before = (await client.ask("GET", path, Role.CARE_MANAGER)).body["scores"]["lace"]
    assert (before["points"], before["missing"], before["highest"]) == (6, ["acute"], 9)
    after = await client.ask("PUT", path, Role.CARE_MANAGER, json={"acute": True, "sodium": "133"})
    assert after.status == 200, after.text
    lace, hospital = after.body["scores"]["lace"], after.body["scores"]["hospital-2016"]
    assert (lace["points"], lace["provisional"], hospital["points"]) == (9, False, 4)


async def test_who_is_watched_is_shown_with_readings_limits_and_alerts(house: House, client: Client) -> None:
    own = {
        "oxygen-saturation": {"limits": [{"rule": "own-low", "below": 90, "severity": "urgent", "source": "Dr Lin"}]}
    }
    _, path = await watched(house, client, limits=own)
    await measured(house, "95")
    await measured(house, "89")
    [item] = (await client.ask("GET", "/monitoring", Role.CARE_MANAGER)).body["items"]
    assert (item["open"], item["worst"], item["signals"]) == (1, "urgent", ["oxygen-saturation", "weight"])
    found = (await client.ask("GET", path, Role.CARE_MANAGER)).body
    oxygen, weight = found["signals"]["oxygen-saturation"], found["signals"]["weight"]
    assert (oxygen["is_own"], weight["is_own"], oxygen["unit"]) == (True, False, "%")
    assert [(limit["rule"], float(limit["below"]), limit["severity"]) for limit in oxygen["limits"]] == [
        ("own-low", 90, "urgent")
    ]
    assert [float(reading["value"]) for reading in found["readings"]] == [95, 89]
    [alert] = found["alerts"]
    assert (alert["severity"], alert["acknowledged_at"]) == ("urgent", None)
    [listed] = await open_alerts(client)
    assert path == f"/transitions/{listed['transition_id']}/monitoring"
    assert (await client.ask("DELETE", path, Role.CARE_MANAGER)).status == 204
    assert (await client.ask("GET", path, Role.CARE_MANAGER)).body["monitoring"] is None
    assert (await client.ask("GET", "/monitoring", Role.CARE_MANAGER)).body["items"] == []
    assert (await client.ask("GET", f"/transitions/{uuid4()}/monitoring", Role.CARE_MANAGER)).status == 404
