"""FHIR over real HTTP: the same stays and events as HL7, OperationOutcomes, and answers only for what is durable."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from services.intake.fhir.api import fhir_router
from shared.http import Role
from tests.integration.http.running import Answer, Client, Tokens, issuing, service
from tests.integration.intake.conftest import Intake
from tests.integration.intake.routers import message_routers
from tests.unit.intake.bundles import (
    admission,
    appointment,
    discharge,
    discharged,
    encounter,
    patient,
    referral,
    summary,
    task,
    weight,
)
from tests.unit.intake.messages import specimen

BASE = "/fhir/general-hospital"
FHIR = {"content-type": "application/fhir+json"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tokens(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tokens]:
    async with issuing(tmp_path_factory.mktemp("issuer")) as (_, signing):
        yield signing


@pytest_asyncio.fixture(loop_scope="session")
async def client(intake: Intake, tokens: Tokens) -> AsyncIterator[Client]:
    routers = [
        *message_routers(intake),
        fhir_router(intake.feeds, intake.reception),
    ]
    async with service(tokens, routers, database=intake.database) as running:
        yield running


async def post(client: Client, path: str, body: bytes | dict[str, Any], method: str = "POST") -> Answer:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return await client.ask(method, BASE + path, Role.INTEGRATION, data=raw, headers=FHIR)


async def test_alerts_and_hl7_tell_of_one_stay(client: Client, intake: Intake) -> None:
    """The admission comes by FHIR, the transfer by HL7, the discharge by FHIR: one stay, three events."""
    admitted = await post(client, "/$process-message", admission())
    assert (admitted.status, admitted.body["issue"][0]["code"]) == (200, "informational")
    assert await (await intake.sender()).send(specimen("a02-transfer")) == "CA"
    assert (await post(client, "/$process-message", discharge())).status == 200
    told = [kind for kind in await intake.event_types() if kind.startswith("encounter")]
    assert told == ["encounter.admitted", "encounter.transferred", "encounter.discharged"]
    [row] = await intake.rows("SELECT status, state->'said'->'disposition'->>'nubc' AS nubc FROM encounter")
    assert (row["status"], row["nubc"]) == ("finished", "01")
    assert [row["trigger"] for row in await intake.rows("SELECT trigger FROM message ORDER BY id")] == [
        "FHIR^notification-admit",
        "A02",
        "FHIR^notification-discharge",
    ]


async def test_a_repeat_has_no_second_effect(client: Client, intake: Intake) -> None:
    await post(client, "/$process-message", admission())
    again = await post(client, "/$process-message", admission())
    assert (again.status, again.body["issue"][0]["code"]) == (200, "duplicate")
    assert await intake.event_types() == ["encounter.admitted"]


async def test_single_encounters_say_how_things_stand(client: Client, intake: Intake) -> None:
    def at(clock: str) -> dict[str, Any]:
        return {"meta": {"lastUpdated": f"2026-03-0{clock}:00Z"}}

    for body in (
        encounter("planned", **at("1T08:00")),
        encounter("in-progress", **at("2T16:00")),
        discharged(**at("6T22:00")),
        encounter("in-progress", **at("6T23:00")),
    ):
        assert (await post(client, "/Encounter/e1", body, "PUT")).status == 200
    assert await intake.event_types() == [
        "encounter.preadmitted",
        "encounter.admitted",
        "encounter.discharged",
        "encounter.discharge-cancelled",
    ]
    [row] = await intake.rows("SELECT status FROM encounter")
    assert row["status"] == "in-progress"


async def test_patients_are_merged_by_link_and_by_operation(client: Client, intake: Intake) -> None:
    """Three records become one; what comes under the retired numbers later is the survivor's."""
    for one, number in (("p1", "MRN001"), ("p2", "MRN002"), ("p3", "MRN003")):
        said = await post(client, "/Patient", {**patient(id=one), "identifier": [{"value": number}]})
        assert said.status == 200, said.text
    assert (await post(client, "/Patient/p9", patient(id="p1"), "PUT")).status == 422
    gone = patient(id="p2", identifier=[{"value": "MRN002"}])
    gone |= {"active": False, "link": [{"other": {"reference": "Patient/p1"}, "type": "replaced-by"}]}
    assert (await post(client, "/Patient/p2", gone, "PUT")).status == 200
    asked = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "source-patient", "valueReference": {"reference": "Patient/p3"}},
            {"name": "target-patient", "valueReference": {"reference": "Patient/p1"}},
        ],
    }
    assert (await post(client, "/Patient/$merge", asked)).status == 200
    assert (await intake.event_types()).count("patient.merged") == 4  # each on both keys
    again = await post(client, "/Patient/$merge", asked)
    assert again.body["issue"][0]["code"] == "duplicate"
    late = encounter(subject={"reference": "Patient/p2"})
    assert (await post(client, "/Encounter", late)).status == 200
    [stay] = await intake.rows("SELECT patient_id FROM encounter")
    [survivor] = await intake.rows("SELECT DISTINCT survivor FROM patient_key WHERE survivor IS NOT NULL")
    assert stay["patient_id"] == survivor["survivor"]


async def test_errors_are_outcomes_with_their_place(client: Client, intake: Intake) -> None:
    wrong = await post(client, "/Encounter", encounter("gone"))
    assert (wrong.status, wrong.headers["content-type"]) == (422, "application/fhir+json")
    assert wrong.body["issue"][0]["expression"] == ["Encounter.status"]
    assert (await post(client, "/Encounter", b"{")).status == 400
    assert (await post(client, "/Medication", encounter())).body["resourceType"] == "OperationOutcome"
    text = await client.ask(
        "POST", f"{BASE}/Encounter", Role.INTEGRATION, data=b"x", headers={"content-type": "text/csv"}
    )
    assert (text.status, text.body["issue"][0]["code"]) == (415, "not-supported")
    nobody = await client.ask("POST", f"{BASE}/Encounter", data=b"{}", headers=FHIR)
    assert (nobody.status, nobody.body["issue"][0]["code"]) == (401, "login")
    unknown = await client.ask("POST", "/fhir/nowhere/Encounter", Role.INTEGRATION, data=b"{}", headers=FHIR)
    assert (unknown.status, unknown.body["issue"][0]["code"]) == (404, "not-found")
    assert [row[1:] for row in await intake.log()] == [
        ("rejected", "invalid-resource"),
        ("rejected", "unreadable-json"),
    ]


async def test_a_caller_of_another_facility_does_not_get_in(client: Client, tokens: Tokens) -> None:
    headers = FHIR | {"authorization": f"Bearer {tokens.of(Role.INTEGRATION, facilities=['LAKESIDE'])}"}
    said = await client.ask("POST", f"{BASE}/Encounter", data=orjson.dumps(encounter()), headers=headers)
    assert (said.status, said.body["issue"][0]["code"]) == (403, "forbidden")


async def test_what_is_too_large_is_refused(client: Client) -> None:
    padded = encounter(text={"div": "x" * (1 << 20)})
    said = await post(client, "/Encounter", padded)
    assert said.status == 413


async def test_the_raw_request_is_kept_and_read_again(client: Client, intake: Intake) -> None:
    await post(client, "/Encounter", encounter("gone"))
    [item] = (await client.ask("GET", "/messages", Role.OPS)).body["items"]
    raw = await client.ask("GET", f"/messages/{item['id']}/raw", Role.OPS)
    assert (raw.body["status"], raw.headers["content-type"]) == ("gone", "application/json")
    replayed = await client.ask("POST", f"/messages/{item['id']}/replay", Role.OPS)
    assert (replayed.body["outcome"], replayed.body["reason"]) == ("rejected", "invalid-resource")


async def test_followups_and_referrals_are_told(client: Client, intake: Intake) -> None:
    for resource in (appointment(), weight(), summary(), referral(), task()):
        said = await post(client, f"/{resource['resourceType']}", resource)
        assert said.status == 200, said.text
    rows = await intake.rows("SELECT type FROM outbox WHERE topic <> 'care.encounters.v1' ORDER BY id")
    assert [row["type"].removeprefix("care.").removesuffix(".v1") for row in rows] == [
        "followup.appointment-booked",
        "followup.observation-recorded",
        "followup.document-available",
        "referral.requested",
        "referral.accepted",
    ]
    assert len(await intake.rows("SELECT 1 FROM patient")) == 1
