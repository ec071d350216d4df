"""The routes: sending over HTTP, looking, deciding, and who may."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.intake.api import patients_router
from services.intake.chart import Chart
from services.intake.log_api import HL7
from shared.http import Role
from tests.integration.http.running import Client, issuing, service
from tests.integration.intake.conftest import Intake
from tests.integration.intake.routers import message_routers, runs_of
from tests.unit.intake.messages import adt, specimen


@pytest_asyncio.fixture(loop_scope="session")
async def client(intake: Intake, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    routers = [*message_routers(intake), patients_router(intake.database)]
    async with (
        issuing(tmp_path_factory.mktemp("issuer")) as (_, tokens),
        service(tokens, routers, database=intake.database) as running,
    ):
        yield running


async def test_http_goes_the_same_way_as_mllp(client: Client, intake: Intake) -> None:
    said = await client.ask("POST", "/messages", Role.INTEGRATION, data=adt("A01", control_id="77"))
    assert (said.status, said.headers["content-type"]) == (200, HL7)
    assert "MSA|AA|77" in said.text
    repeated = await client.ask("POST", "/messages", Role.INTEGRATION, data=adt("A01", control_id="77"))
    assert "MSA|AA|77" in repeated.text
    refused = await client.ask("POST", "/messages", Role.INTEGRATION, data=specimen("a01-no-pid"))
    assert (refused.status, "MSA|AE|N1" in refused.text) == (422, True)
    assert await intake.event_types() == ["encounter.admitted"]


async def test_bad_http_is_a_problem_that_echoes_nothing(client: Client) -> None:
    assert (await client.ask("POST", "/messages", Role.INTEGRATION)).body["type"] == "urn:handoff:problem:empty-body"
    wrong = await client.ask("GET", "/messages?since=Testa&limit=9999", Role.OPS)
    assert wrong.status == 422
    assert [error["field"] for error in wrong.body["errors"]] == ["query.since", "query.limit"]
    assert "Testa" not in wrong.text
    assert (await client.ask("GET", "/messages/0192d5a0-0000-7000-8000-00000000beef", Role.OPS)).status == 404


async def test_a_bound_caller_sends_for_and_looks_at_its_own_facilities_alone(client: Client, intake: Intake) -> None:
    tokens = client._tokens
    assert tokens is not None
    own, foreign = ({"facilities": [code]} for code in ("GENHOSP", "LAKESIDE"))
    organised = {"organisation": "lakeside-primary-care"}

    def held(role: Role, bounds: dict[str, Any]) -> dict[str, str]:
        return {"authorization": f"Bearer {tokens.of(role, **bounds)}"}

    for bounds, status in ((foreign, 403), (organised, 403), (own, 200)):
        said = await client.ask("POST", "/messages", headers=held(Role.INTEGRATION, bounds), data=adt("A01"))
        assert said.status == status, bounds
    [item] = (await client.ask("GET", "/messages", Role.OPS)).body["items"]
    paths = [f"/messages/{item['id']}{part}" for part in ("", "/raw", "/sides")]
    for bounds, status in ((foreign, 404), (organised, 404), (own, 200)):
        headers = held(Role.OPS, bounds)
        assert [(await client.ask("GET", path, headers=headers)).status for path in paths] == [status] * 3, bounds
        for found in (
            await client.ask("GET", "/messages", headers=headers),
            await client.ask("POST", "/messages/search", headers=headers, json={}),
        ):
            assert len(found.body["items"]) == (status == 200), bounds
        assert (await client.ask("GET", "/replays", headers=headers)).status == 403
    stay, patient = f"/encounters/{item['encounter_id']}", f"/patients/{item['patient_id']}"
    for bounds, status in ((foreign, 404), (organised, 404), (own, 200)):
        headers = held(Role.CARE_MANAGER, bounds)
        assert [(await client.ask("GET", path, headers=headers)).status for path in (stay, patient)] == [status] * 2


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("POST", "/messages", Role.OPS),
        ("GET", "/messages", Role.CARE_MANAGER),
        ("GET", "/messages", Role.PROVIDER),
        ("POST", "/messages/0192d5a0-0000-7000-8000-00000000beef/replay", Role.AUDITOR),
        ("GET", "/patients/x", Role.INTEGRATION),
    ],
)
async def test_roles(client: Client, method: str, path: str, role: Role) -> None:
    assert (await client.ask(method, path, role)).status == 403


async def test_the_log_is_browsed_page_by_page(client: Client, intake: Intake) -> None:
    sender = await intake.sender()
    for number in range(5):
        await sender.send(adt("A08", control_id=str(number), recorded=f"2026030209000{number}"))
    first = (await client.ask("GET", "/messages?limit=3&trigger=A08", Role.OPS)).body
    rest = (await client.ask("GET", f"/messages?limit=3&trigger=A08&before={first['next']}", Role.OPS)).body
    assert [item["control_id"] for item in first["items"] + rest["items"]] == ["4", "3", "2", "1", "0"]
    assert rest["next"] is None
    by_visit = first["items"][0]["encounter_id"]
    assert len((await client.ask("GET", f"/messages?visit={by_visit}&outcome=accepted", Role.OPS)).body["items"]) == 5


async def test_a_message_tells_its_effects_and_a_look_at_its_bytes_is_audited(client: Client, intake: Intake) -> None:
    await (await intake.sender()).send(adt("A01"))
    [item] = (await client.ask("GET", "/messages", Role.OPS)).body["items"]
    shown = (await client.ask("GET", f"/messages/{item['id']}", Role.AUDITOR)).body
    assert [effect["type"] for effect in shown["effects"]] == ["care.encounter.admitted.v1"]
    assert (await client.ask("GET", f"/messages/{item['id']}/raw", Role.OPS)).text == adt("A01").decode()
    assert await intake.rows("SELECT action, subjects FROM audit") == [
        {"action": "message.raw", "subjects": [item["patient_id"]]}
    ]


async def test_a_held_message_is_replayed_once_the_rule_is_right(
    client: Client, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = await intake.sender()
    with monkeypatch.context() as broken:
        broken.delattr(Chart, "take")
        assert await sender.send(adt("A01")) == "AA"
    [item] = (await client.ask("GET", "/held", Role.OPS)).body["items"]
    assert item["reason"] == "rule-failed"
    stale = await client.ask("POST", f"/messages/{item['id']}/replay", Role.OPS, json={"version": 9})
    assert stale.status == 409
    done = await client.ask("POST", f"/messages/{item['id']}/replay", Role.OPS, json={"version": item["version"]})
    assert (done.body["outcome"], done.body["effects"][0]["type"]) == ("accepted", "care.encounter.admitted.v1")
    again = await client.ask("POST", f"/messages/{item['id']}/replay", Role.OPS)
    assert (again.status, again.body["version"]) == (200, done.body["version"])
    assert await intake.event_types() == ["encounter.admitted"]


async def test_a_held_message_is_skipped_with_a_reason(client: Client, intake: Intake) -> None:
    await (await intake.sender()).send(adt("A01", visit="", admitted=""))
    [item] = (await client.ask("GET", "/held", Role.OPS)).body["items"]
    assert (await client.ask("POST", f"/messages/{item['id']}/skip", Role.OPS, json={})).status == 422
    skip = {"reason": "the ward sent it by mistake", "version": item["version"]}
    assert (await client.ask("POST", f"/messages/{item['id']}/skip", Role.OPS, json=skip)).status == 200
    assert (await client.ask("POST", f"/messages/{item['id']}/skip", Role.OPS, json=skip)).status == 409
    assert (await client.ask("GET", "/held", Role.OPS)).body["items"] == []


async def test_patients_and_encounters_are_shown_and_audited(client: Client, intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(adt("A01", mrn="OLD"))
    [item] = (await client.ask("GET", "/messages", Role.OPS)).body["items"]
    await sender.send(adt("A40", mrn="NEW", retired="OLD", control_id="2"))
    patient = (await client.ask("GET", f"/patients/{item['patient_id']}", Role.CARE_MANAGER)).body
    assert (patient["merged_into"], patient["encounters"]) == (patient["patient"]["id"], [item["encounter_id"]])
    shown = (await client.ask("GET", f"/encounters/{item['encounter_id']}", Role.CARE_MANAGER)).body
    assert (shown["encounter"]["status"], shown["announced"][0]["kind"]) == ("in-progress", "admitted")
    assert [row["action"] for row in await intake.rows("SELECT action FROM audit ORDER BY seq")] == [
        "patient.read",
        "encounter.read",
    ]


async def test_a_person_and_a_visit_are_found_by_their_numbers_and_the_search_is_audited(
    client: Client, intake: Intake
) -> None:
    sender = await intake.sender()
    await sender.send(adt("A01", control_id="1", mrn="OLD", visit="V1"))
    await sender.send(adt("A01", control_id="2", mrn="SOMEBODY", visit="V2"))
    await sender.send(adt("A40", control_id="3", mrn="NEW", visit="", retired="OLD", recorded="20260302160000"))
    for asked, found in (
        ({"patient_identifier": "NEW"}, ["3", "1"]),
        ({"patient_identifier": "OLD", "trigger": "A01"}, ["1"]),
        ({"visit_number": "V2"}, ["2"]),
        ({"patient_identifier": "nobody"}, []),
    ):
        page = await client.ask("POST", "/messages/search", Role.OPS, json=asked)
        assert [item["control_id"] for item in page.body["items"]] == found
    actions = await intake.rows("SELECT action, count(*) FROM audit GROUP BY 1")
    assert actions == [{"action": "message.search", "count": 4}]


async def test_the_sides_of_a_message_are_masked_until_they_are_revealed(client: Client, intake: Intake) -> None:
    await (await intake.sender()).send(adt("A03", disposition="HOME"))
    [item] = (await client.ask("GET", "/messages", Role.OPS)).body["items"]
    masked = await client.ask("GET", f"/messages/{item['id']}/sides", Role.OPS)
    for secret in ("Testa", "MRN001", "V1001", "1948"):
        assert secret not in masked.text
    values = {value["place"]: value["value"] for value in masked.body["read"]}
    assert (values["trigger"], values["stay: disposition"][:7]) == ("A03", "nubc 01")
    assert await intake.rows("SELECT * FROM audit") == []
    shown = await client.ask("GET", f"/messages/{item['id']}/sides?revealed=true", Role.AUDITOR)
    fields = {f["place"]: f["value"] for one in shown.body["split"] for f in one["fields"]}
    assert fields["PID-5"].startswith("Testa^Ann")
    assert any("Testa" in value["value"] for value in shown.body["read"] if value["place"].startswith("patient: "))
    [row] = await intake.rows("SELECT action, subjects FROM audit")
    assert row == {"action": "message.sides", "subjects": [item["patient_id"]]}


async def test_held_messages_are_counted_by_reason_and_feed(client: Client, intake: Intake) -> None:
    sender = await intake.sender()
    for n, facility in enumerate(("GENHOSP", "GENHOSP", "LAKESIDE")):
        await sender.send(adt("A01", control_id=str(n), visit="", admitted="", facility=facility))
    counts = (await client.ask("GET", "/held/counts", Role.OPS)).body["items"]
    assert [(one["reason"], one["feed"], one["count"]) for one in counts] == [
        ("no-visit", "general-hospital", 2),
        ("no-visit", "lakeside", 1),
    ]
    assert all("PV1-19" in one["meaning"] for one in counts)
    held = await client.ask("GET", "/held?reason=no-visit&feed=lakeside", Role.OPS)
    assert [item["control_id"] for item in held.body["items"]] == ["2"]


async def test_a_range_is_looked_at_first_and_then_carried_out(client: Client, intake: Intake) -> None:
    await (await intake.sender()).send(adt("A01"))
    asked = await client.ask("POST", "/replays", Role.OPS, json={"trigger": "A01"})
    assert (asked.status, asked.body["total"], asked.body["is_dry"]) == (202, 1, True)
    early = await client.ask("POST", f"/replays/{asked.body['id']}/carry-out", Role.OPS)
    assert (early.status, early.body["type"]) == (409, "urn:handoff:problem:not-a-finished-dry-run")
    runs = runs_of(intake)
    while await runs.carry_on():
        pass
    done = (await client.ask("GET", f"/replays/{asked.body['id']}", Role.AUDITOR)).body
    assert (done["state"], done["unchanged"], done["events"]) == ("done", 1, [])
    carried = await client.ask("POST", f"/replays/{asked.body['id']}/carry-out", Role.OPS)
    assert carried.status == 202
    assert (await client.ask("POST", f"/replays/{carried.body['id']}/cancel", Role.OPS)).status == 200
    assert (await client.ask("GET", f"/replays/{carried.body['id']}/differences", Role.OPS)).body["items"] == []
    audit = [row["outcome"] for row in await intake.rows("SELECT outcome FROM audit ORDER BY seq")]
    assert audit == ["dry", "asked", "cancelled"]
