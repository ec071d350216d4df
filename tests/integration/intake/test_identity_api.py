"""Review, undo and `$match` over HTTP, on a real store: who may, what is told, what is written down."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from services.intake.api import patients_router
from services.intake.identity.api import identity_router
from services.intake.identity.fhir_match import GRADE_URL
from services.intake.identity.match_api import match_router
from services.intake.identity.weights import read_weights
from services.intake.sealing import Seal
from shared.http import Role
from tests.integration.http.running import Client, issuing, service
from tests.integration.intake.conftest import KEY, Intake
from tests.integration.intake.test_matching import match, pairs, patients_of, told
from tests.unit.intake.messages import adt

OTHER = {"family": "Quill", "given": "Robert", "born": "19900730", "sex": "M"}


@pytest_asyncio.fixture(loop_scope="session")
async def client(intake: Intake, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    routers = [
        identity_router(intake.database, intake.feeds, intake.reception, Seal(KEY)),
        match_router(intake.database, intake.feeds, read_weights()),
        patients_router(intake.database),
    ]
    async with (
        issuing(tmp_path_factory.mktemp("issuer")) as (_, tokens),
        service(tokens, routers, database=intake.database) as running,
    ):
        yield running


async def ask(client: Client, path: str, body: dict[str, Any], role: Role = Role.OPS) -> Any:
    return await client.ask("POST", path, role, data=orjson.dumps(body), headers={"content-type": "application/json"})


async def a_pair(intake: Intake, client: Client) -> dict[str, Any]:
    """Two who are alike, waiting for a person."""
    sender = await intake.sender()
    await sender.send(told("A01", mrn="1001", visit="V1", facility="GENHOSP"))
    await sender.send(told("A01", mrn="7702", visit="V2", facility="LAKESIDE", given="Elenor", control_id="2"))
    await match(intake)
    [found] = (await client.ask("GET", "/identity/pairs", Role.OPS)).body["items"]
    return dict(found)


async def said(intake: Intake, kind: str) -> list[dict[str, Any]]:
    rows = await intake.rows(
        "SELECT subject, headers, value FROM outbox WHERE type = $1 ORDER BY id", f"care.{kind}.v1"
    )
    return [{**row, "value": orjson.loads(row["value"]), "headers": orjson.loads(row["headers"])} for row in rows]


async def test_a_person_sees_both_side_by_side_and_that_is_written_down(client: Client, intake: Intake) -> None:
    found = await a_pair(intake, client)
    assert "Marsh" not in orjson.dumps(found).decode()
    explained = (await client.ask("GET", f"/identity/pairs/{found['id']}", Role.AUDITOR)).body
    assert {part["field"]: part["level"] for part in explained["parts"]}["given"] == "near"
    shown = (await client.ask("GET", f"/identity/pairs/{found['id']}/people", Role.OPS)).body
    assert {side["patient"]["name"]["given"] for side in shown["people"]} == {"Eleanor", "Elenor"}
    [row] = await intake.rows("SELECT action, subjects FROM audit")
    assert (row["action"], set(row["subjects"])) == ("identity.pair", {found["one"], found["other"]})
    assert (await client.ask("GET", f"/identity/pairs/{found['id']}", Role.AUDITOR)).status == 200
    assert (await client.ask("GET", f"/identity/pairs/{found['id']}/people", Role.AUDITOR)).status == 403


async def test_decisions_stand_and_a_stale_one_is_refused(client: Client, intake: Intake) -> None:
    found = await a_pair(intake, client)
    path = f"/identity/pairs/{found['id']}/decide"
    later = await ask(client, path, {"decision": "later", "version": found["version"]})
    assert (later.status, later.body["version"]) == (200, found["version"] + 1)
    assert (await ask(client, path, {"decision": "distinct", "version": found["version"]})).status == 409
    assert (await ask(client, path, {"decision": "distinct", "version": found["version"] + 1})).status == 200
    # Whatever the score becomes, and however often they are told again.
    sender = await intake.sender()
    again = told("A08", mrn="7702", visit="V2", facility="LAKESIDE", control_id="3", recorded="20260302101800")
    await sender.send(again)
    await match(intake)
    assert [state for state, _ in await pairs(intake)] == ["distinct"]
    assert len(set((await patients_of(intake)).values())) == 2
    figures = (await client.ask("GET", "/identity/figures", Role.AUDITOR)).body
    assert figures["pairs distinct"] == 1


async def test_a_link_can_be_undone_and_nothing_is_lost(client: Client, intake: Intake) -> None:
    found = await a_pair(intake, client)
    before = await patients_of(intake)
    await ask(client, f"/identity/pairs/{found['id']}/decide", {"decision": "link", "version": found["version"]})
    assert len(set((await patients_of(intake)).values())) == 1
    sender = await intake.sender()
    # What comes while they are one: under each number a new stay, and new demographics.
    await sender.send(told("A01", mrn="1001", visit="V3", facility="GENHOSP", control_id="4", phone="3125550199"))
    lakeside = {"facility": "LAKESIDE", "given": "Elenor", "mrn": "7702"}
    await sender.send(told("A01", visit="V4", control_id="5", recorded="20260303101800", **lakeside))
    [joined] = (await client.ask("GET", "/identity/joins", Role.OPS)).body["items"]
    undone = await ask(client, f"/identity/joins/{joined['id']}/undo", {"version": 1, "reason": "two sisters"})
    assert undone.status == 200
    restored, survivor = undone.body["restored"], joined["survivor"]
    assert restored not in before.values()
    now = await patients_of(intake)
    assert {now["V1"], now["V3"]} & {now["V2"], now["V4"]} == set()
    assert now["V1"] == now["V3"]
    assert now["V2"] == now["V4"]
    assert set(now.values()) == {restored, survivor}
    # Every stay is told again under the right patient, after the survivor's own word, taking back what was told.
    unmerged = await said(intake, "patient.unmerged")
    assert [one["subject"] for one in unmerged] == [survivor, restored]
    moved = await said(intake, "encounter.moved")
    assert {one["subject"] for one in moved} == {restored}
    assert len(moved) == 2
    assert all(one["headers"]["ce_aftersubject"] == restored for one in moved)
    assert all(one["value"]["retracts"] for one in moved)
    assert {one["value"]["encounter"]["patient"]["id"] for one in moved} == {restored}
    names = {one["value"]["patient"]["id"]: one["value"]["patient"]["name"]["given"] for one in unmerged}
    whose = {restored: "Eleanor" if now["V1"] == restored else "Elenor"}
    assert names[restored] == whose[restored]
    assert names[survivor] != names[restored]
    # Both numbers go on, each with its own patient; and they are never linked again by themselves.
    await sender.send(told("A03", visit="V4", control_id="6", recorded="20260304101800", **lakeside))
    assert (await intake.log())[-1] == ("A03", "accepted", None)
    assert (await said(intake, "encounter.discharged"))[-1]["subject"] == now["V4"]
    await match(intake)
    assert len(set((await patients_of(intake)).values())) == 2
    again = await ask(client, f"/identity/joins/{joined['id']}/undo", {"version": 1, "reason": "two sisters"})
    assert again.status == 409


async def test_a_hospitals_merge_can_be_undone_with_its_chain(client: Client, intake: Intake) -> None:
    sender = await intake.sender()
    for nth, number in enumerate("ABC"):
        await sender.send(told("A01", mrn=number, visit=f"V{number}", control_id=f"{nth}", given=f"Given{number}"))
    await sender.send(adt("A40", mrn="B", retired="A", control_id="7", family="Marsh"))
    await sender.send(adt("A40", mrn="C", retired="B", control_id="8", family="Marsh"))
    joined = (await client.ask("GET", "/identity/joins", Role.OPS)).body["items"]
    assert [one["basis"] for one in joined] == ["merge", "merge"]
    undone = await ask(client, f"/identity/joins/{joined[0]['id']}/undo", {"version": 1, "reason": "wrong patient"})
    now = await patients_of(intake)
    # B takes A along, which had been merged into it before.
    assert now["VA"] == now["VB"] == undone.body["restored"]
    assert now["VC"] == joined[0]["survivor"]


async def test_an_overlay_is_a_persons_to_decide(client: Client, intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(told("A01", mrn="1001", visit="V1"))
    for nth in ("2", "3"):
        await sender.send(told("A08", mrn="1001", visit="V1", control_id=nth, recorded=f"2026030210180{nth}", **OTHER))
    held = await intake.rows("SELECT id, version FROM message WHERE outcome = 'held' ORDER BY id")
    assert len(held) == 2
    path = f"/identity/overlays/{held[0]['id']}/decide"
    stale = await ask(client, path, {"decision": "another-person", "version": 9, "note": "wrong chart"})
    assert stale.status == 409
    decided = await ask(client, path, {"decision": "same-person", "version": held[0]["version"], "note": "corrected"})
    assert decided.body["outcome"] == "accepted"
    # What waited behind it names the corrected person, and passes.
    assert await intake.rows("SELECT id FROM message WHERE outcome = 'held'") == []
    assert (await said(intake, "patient.updated"))[0]["value"]["patient"]["name"]["family"] == "Quill"


def parameters(**patient: Any) -> dict[str, Any]:
    marsh = {
        "resourceType": "Patient",
        "name": [{"family": "Marsh", "given": ["Eleanor"]}],
        "birthDate": "1948-02-14",
        "gender": "female",
        "telecom": [{"system": "phone", "value": "312-555-0142"}],
    }
    return {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": marsh | patient}]}


async def test_match_answers_a_searchset_with_score_and_grade(client: Client, intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(told("A01", mrn="1001", visit="V1"))
    await sender.send(told("A01", mrn="1002", visit="V2", control_id="2", given="Miriam"))
    await match(intake)
    answer = await ask(client, "/patients/$match", parameters(), Role.INTEGRATION)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/fhir+json")
    body = answer.body
    assert (body["type"], body["total"]) == ("searchset", 2)
    first, second = body["entry"]
    assert first["resource"]["name"][0]["given"] == ["Eleanor"]
    assert first["search"]["extension"] == [{"url": GRADE_URL, "valueCode": "certain"}]
    assert first["search"]["mode"] == "match"
    assert 0.99 < first["search"]["score"] <= 1
    assert second["search"]["extension"][0]["valueCode"] == "probable"
    rows = await intake.rows("SELECT action, subjects FROM audit")
    assert [(row["action"], len(row["subjects"])) for row in rows] == [("patient.match", 2)]
    only = parameters()
    only["parameter"].append({"name": "onlyCertainMatches", "valueBoolean": True})
    assert (await ask(client, "/patients/$match", only, Role.OPS)).body["total"] == 1


async def test_match_by_number_is_certain_and_a_placeholder_matches_nobody(client: Client, intake: Intake) -> None:
    await (await intake.sender()).send(told("A01", mrn="1001", visit="V1"))
    await match(intake)
    number = {"system": "urn:handoff:authority:GENHOSP", "value": "1001"}
    by_number = await ask(client, "/patients/$match", parameters(name=[], identifier=[number]), Role.INTEGRATION)
    assert [one["search"]["score"] for one in by_number.body["entry"]] == [1.0]
    nobody = parameters(name=[{"family": "Doe", "given": ["Jane"]}])
    assert (await ask(client, "/patients/$match", nobody, Role.INTEGRATION)).body["total"] == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"resourceType": "Patient"},
        {"resourceType": "Parameters", "parameter": [{"name": "resource"}]},
        parameters(birthDate="sometime"),
        {**parameters(), "parameter": [*parameters()["parameter"], {"name": "count", "valueInteger": 0}]},
    ],
)
async def test_a_wrong_request_to_match_is_an_outcome_that_echoes_nothing(client: Client, body: dict[str, Any]) -> None:
    answer = await ask(client, "/patients/$match", body, Role.INTEGRATION)
    assert (answer.status, answer.body["resourceType"]) == (400, "OperationOutcome")
    assert "sometime" not in answer.text


async def test_a_caller_bound_to_facilities_is_answered_patients_of_theirs(client: Client, intake: Intake) -> None:
    await (await intake.sender()).send(told("A01", mrn="1001", visit="V1"))
    await match(intake)
    for facility, total in (("LAKESIDE", 0), ("GENHOSP", 1)):
        assert client._tokens is not None
        token = client._tokens.of(Role.CARE_MANAGER, facilities=[facility])
        headers = {"authorization": f"Bearer {token}"}
        answer = await client.ask("POST", "/patients/$match", headers=headers, data=orjson.dumps(parameters()))
        assert answer.body["total"] == total


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "/identity/pairs", Role.CARE_MANAGER),
        ("GET", "/identity/joins", Role.INTEGRATION),
        ("POST", "/identity/joins/0192d5a0-0000-7000-8000-00000000beef/undo", Role.AUDITOR),
        ("POST", "/patients/$match", Role.PROVIDER),
        ("POST", "/patients/$match", Role.AUDITOR),
    ],
)
async def test_roles(client: Client, method: str, path: str, role: Role) -> None:
    assert (await client.ask(method, path, role)).status == 403
