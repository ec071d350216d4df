"""Quality measures from what was heard to the figure, the patients behind it, CSV and MeasureReport."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from services.transitions.quality.api import quality_router
from services.transitions.quality.counter import Counter
from services.transitions.quality.measures import read_measures
from shared.events.encounters import PatientMerged
from shared.http import Role
from tests.integration.http.running import Client, Tokens, issuing, service
from tests.integration.transitions.house import House
from tests.integration.transitions.test_api import get
from tests.unit.transitions.stays import NEW_YORK, StayTold, at, attended, contact, delivered, event_of, reconciled

MEASURES = read_measures()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tokens(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tokens]:
    async with issuing(tmp_path_factory.mktemp("issuer")) as (_, signing):
        yield signing


@pytest_asyncio.fixture(loop_scope="session")
async def client(house: House, tokens: Tokens) -> AsyncIterator[Client]:
    async with service(tokens, [quality_router(house.database, MEASURES)], database=house.database) as served:
        yield served


def counter(house: House) -> Counter:
    return Counter(house.database, MEASURES, share=1.0)


def born(patient: str) -> Any:
    return StayTold(patient=patient).summary(birth_date="1950-02-14")


async def go_home(house: House, patient: str, admitted: str, left: str, **more: Any) -> StayTold:
    """An inpatient who goes home, of whose admission and discharge the primary care provider's system was told."""
    stay = StayTold(patient=patient, **more)
    stay.state["patient"] = born(patient)
    told = [stay.admit(admitted, pcp_organisation="oak"), stay.discharge(left)]
    await house.hear(*told)
    await house.hear(
        *(
            delivered(event, when, bases=("pcp",), encounter_id=stay.id)
            for event, when in zip(told, (admitted, left), strict=True)
        )
    )
    return stay


async def figure_of(client: Client, query: str) -> Any:
    items = (await get(client, f"/quality/figures?since=2026-01&until=2026-12&{query}"))["items"]
    assert len(items) == 1, items
    return items[0]


async def test_from_what_was_heard_to_the_figure_and_who_is_behind_it(
    house: House, client: Client, tokens: Tokens
) -> None:
    await go_home(house, "p1", "2026-03-02 10:00-06:00", "2026-03-06 15:00-06:00")
    await house.hear(contact("2026-03-10 10:00-05:00"), reconciled("2026-03-12 10:00-05:00", by_role="pharmacist"))
    await house.hear(attended("2026-03-13 10:00-05:00"))
    await go_home(house, "p2", "2026-03-02 10:00-06:00", "2026-03-06 15:00-06:00")
    await go_home(house, "p3", "2026-04-02 10:00-04:00", "2026-04-06 15:00-04:00", facility=NEW_YORK)
    assert (await get(client, "/quality/figures"))["waiting"] > 0
    assert await counter(house).count_all() == 3
    assert (await get(client, "/quality/figures"))["waiting"] == 0

    engaged = await figure_of(client, "measure=TRC-3")
    assert (engaged["population"], engaged["denominator"], engaged["numerator"]) == (3, 3, 1)
    assert engaged["rate"] == pytest.approx(1 / 3)
    assert (await figure_of(client, "measure=TRC-1"))["numerator"] == 3
    assert (await figure_of(client, "measure=TRC-2&facility=HUDSON"))["denominator"] == 1
    by_month = (await get(client, "/quality/figures?since=2026-01&until=2026-12&measure=TRC-3&by=month&by=facility"))[
        "items"
    ]
    groups = [(one["group"], one["numerator"], one["denominator"]) for one in by_month]
    assert groups == [
        ({"month": "2026-03", "facility": "LAKE"}, 1, 2),
        ({"month": "2026-04", "facility": "HUDSON"}, 0, 1),
    ]
    whole = await get(client, "/quality/overview?since=2026-01&until=2026-12")
    totals = (await get(client, "/quality/figures?since=2026-01&until=2026-12"))["items"]
    monthly = (await get(client, "/quality/figures?since=2026-01&until=2026-12&by=month"))["items"]
    assert whole["items"] == totals
    assert whole["months"] == [{**one, "median": None, "p90": None} for one in monthly]
    protocols = (await get(client, "/quality/figures?since=2026-01&until=2026-12&measure=TRC-3&by=protocol"))["items"]
    assert [(one["group"]["protocol"], one["denominator"]) for one in protocols] == [("tcm-home", 3)]
    assert (await figure_of(client, "measure=TCM-CONTACT&protocol=tcm-home&organisation=oak"))["numerator"] == 1

    missed = await get(client, "/quality/measures/TRC-3/patients?since=2026-01&until=2026-12&status=missed&limit=1")
    assert [(one["patient_id"], one["status"]) for one in missed["items"]] == [("p3", "missed")]
    rest = await get(client, "/quality/measures/TRC-3/patients", params={
        "since": "2026-01", "until": "2026-12", "status": "missed", "before": missed["next"]})  # fmt: skip
    assert [one["patient_id"] for one in rest["items"]] == ["p2"]
    read = await house.database.pool.fetch(
        "SELECT subjects FROM audit WHERE action = 'quality patients listed' ORDER BY seq"
    )
    assert [row["subjects"] for row in read] == [["p3"], ["p2"]]

    narrow = {"authorization": f"Bearer {tokens.of(Role.CARE_MANAGER, facilities=['HUDSON'])}"}
    path = "/quality/measures/TRC-3/patients?since=2026-01&until=2026-12"
    seen = await client.ask("GET", path, headers=narrow)
    assert [one["patient_id"] for one in seen.body["items"]] == ["p3"]
    ops = await client.ask("GET", path, Role.OPS)
    assert ops.status == 403
    assert (await client.ask("GET", "/quality/figures", Role.OPS)).status == 200


async def test_sheets_and_reports_say_the_same(house: House, client: Client) -> None:
    await go_home(house, "p1", "2026-03-02 10:00-06:00", "2026-03-06 15:00-06:00")
    await house.hear(contact("2026-03-10 10:00-05:00"))
    back = StayTold(patient="p1")
    await house.hear(back.admit("2026-04-05 09:00-05:00"))
    await counter(house).count_all()
    window = "since=2026-01&until=2026-12"
    sheet = await client.ask("GET", f"/quality/figures.csv?{window}&by=facility", Role.AUDITOR)
    lines = {line["measure"]: line for line in csv.DictReader(io.StringIO(sheet.text))}
    assert (lines["READMISSION-30"]["numerator"], lines["READMISSION-30"]["better"]) == ("1", "lower")
    assert lines["TCM-CONTACT"]["facility"] == "LAKE"
    people = await client.ask("GET", f"/quality/measures/TCM-CONTACT/patients.csv?{window}", Role.CARE_MANAGER)
    [line] = csv.DictReader(io.StringIO(people.text))
    assert (line["patient_id"], line["status"], line["value"]) == ("p1", "met", "4.0")

    path = f"/quality/measures/READMISSION-30/report?{window}"
    summary = await get(client, f"{path}&by=facility&by=month")
    assert (summary["resourceType"], summary["type"], summary["status"]) == ("MeasureReport", "summary", "complete")
    counts = {p["code"]["coding"][0]["code"]: p["count"] for p in summary["group"][0]["population"]}
    assert counts == {"initial-population": 1, "denominator": 1, "denominator-exclusion": 0, "numerator": 1}
    assert summary["group"][0]["measureScore"]["value"] == 1
    assert summary["improvementNotation"]["coding"][0]["code"] == "decrease"
    [stratum] = summary["group"][0]["stratifier"][0]["stratum"]
    assert [part["value"]["text"] for part in stratum["component"]] == ["LAKE", "2026-03"]
    listed = await get(client, f"{path}&type=subject-list")
    lists = {f"#{one['id']}": one for one in listed["contained"]}
    found = {
        p["code"]["coding"][0]["code"]: lists[p["subjectResults"]["reference"]]
        for p in listed["group"][0]["population"]
    }
    assert found["numerator"]["entry"] == [{"item": {"reference": "Patient/p1"}}]
    assert "entry" not in found["denominator-exclusion"]
    for place in ("yesterday", "2026-03-06T00:00:00_00000000-0000-0000-0000-000000000001"):
        nowhere = await client.ask("GET", f"/quality/measures/PCR/patients?before={place}", Role.CARE_MANAGER)
        assert nowhere.status == 422
    unknown = await client.ask("GET", "/quality/measures/NONE/report", Role.CARE_MANAGER)
    assert (unknown.status, unknown.body["type"]) == (404, "urn:handoff:problem:unknown-measure")
    for wrong in ("since=2026-13", "since=2026-05&until=2026-04", "colour=red", "by=weekday", "facility=%00"):
        assert (await client.ask("GET", f"/quality/figures?{wrong}", Role.CARE_MANAGER)).status == 422


async def test_what_changes_is_counted_anew_and_what_is_taken_back_is_gone(house: House, client: Client) -> None:
    stay = await go_home(house, "p1", "2026-03-02 10:00-06:00", "2026-03-06 15:00-06:00")
    await counter(house).count_all()
    assert (await figure_of(client, "measure=TRC-3"))["numerator"] == 0
    # Heard of late: it was in time all the same.
    await house.hear(contact("2026-03-20 10:00-05:00"))
    await counter(house).count_all()
    assert (await figure_of(client, "measure=TRC-3"))["numerator"] == 1
    await house.hear(stay.delete("2026-03-21 10:00-05:00"))
    await counter(house).count_all()
    assert await house.count("SELECT count(*) FROM quality_outcome WHERE measure = 'TRC-3'") == 0
    # Nothing that is counted changes when the stay only moves on, and nobody is counted twice.
    assert await counter(house).count_all() == 0


async def test_what_was_expected_follows_the_score_that_is_kept(house: House, client: Client) -> None:
    await go_home(house, "p1", "2026-03-02 10:00-06:00", "2026-03-06 15:00-06:00")
    against = StayTold(patient="p2")
    against.state["patient"] = born("p2")
    await house.hear(against.admit("2026-03-02 10:00-06:00"), against.discharge("2026-03-06 15:00-06:00", "07"))
    await counter(house).count_all()
    before = (await figure_of(client, "measure=PCR"))["expected"]
    assert (before["known"], before["unknown"], before["incomplete"]) == (1, 1, 1)
    assert (before["count"], before["count_at_most"]) == (0.058, 0.119)
    # A late result changes the score alone: the patient is counted anew all the same.
    changed = "UPDATE transition SET risk = jsonb_set(risk, '{scores,1,points}', '7') WHERE patient_id = 'p1'"
    await house.database.pool.execute(changed)
    await counter(house).count_all()
    assert (await figure_of(client, "measure=PCR"))["expected"]["count"] == pytest.approx(0.228)
    back = StayTold(patient="p1")
    back.state["patient"] = born("p1")
    await house.hear(back.admit("2026-04-05 09:00-05:00"))
    await counter(house).count_all()
    whole = await get(client, "/quality/overview?since=2026-01&until=2026-12")
    [told] = [one["expected"] for one in whole["items"] if one["measure"] == "PCR"]
    assert (told["observed"], told["unknown"]) == (1, 1)
    by_facility = await figure_of(client, "measure=PCR&by=facility")
    assert by_facility["expected"] == told
    assert [one["expected"] for one in whole["items"] if one["measure"] == "TRC-3"] == [None]
    listed = await get(client, "/quality/measures/PCR/patients?since=2026-01&until=2026-12")
    by = {one["patient_id"]: (one["expected"], one["expected_by"]) for one in listed["items"]}
    assert by["p2"] == (None, None)
    assert by["p1"][1] == "hospital-2016-classes 2026.1"
    measure = await get(client, "/quality/measures/PCR")
    assert [one["name"] for one in measure["expected"]] == ["hospital-2016-classes"]


async def test_a_merge_counts_both_stays_under_the_survivor(house: House) -> None:
    await go_home(house, "p1", "2026-03-02 10:00-06:00", "2026-03-06 15:00-06:00")
    other = StayTold(patient="p2")
    await house.hear(other.admit("2026-03-20 10:00-05:00"))
    await counter(house).count_all()
    survivor = StayTold(patient="p1").summary()
    for key in ("p2", "p1"):
        fact = PatientMerged(retired="p2", survivor="p1", patient=survivor)
        await house.hear(event_of(fact, key, at("2026-03-25 10:00-05:00")))
    await counter(house).count_all()
    assert await house.count("SELECT count(*) FROM quality_outcome WHERE patient_id = 'p2'") == 0
    assert await house.count("SELECT count(*) FROM quality_outcome WHERE measure = 'READMISSION-30' AND met") == 1


async def test_levels_and_tasks_are_counted_and_other_measures_count_everybody_anew(
    house: House, client: Client
) -> None:
    await house.discharge_past_due("p1", timedelta(days=5))
    await house.timekeeper().work_off()
    await counter(house).count_all()
    levels = (await get(client, "/quality/figures?since=2020-01&until=2099-12&measure=ESCALATION-PROMPT"))["items"][0]
    assert levels["denominator"] > 0
    # The service was down across the due times: they were told, and late.
    assert levels["numerator"] == 0
    assert levels["median"] > 30
    late = (await get(client, "/quality/figures?since=2020-01&until=2099-12&measure=TASKS-IN-TIME"))["items"][0]
    assert (late["denominator"], late["numerator"], late["pending"]) == (2, 0, 2)
    await counter(house).note_edition()
    assert await counter(house).count_all() == 1
    await counter(house).note_edition()
    assert await counter(house).count_all() == 0


async def test_what_closed_years_ago_stands_as_it_was_counted(house: House) -> None:
    met = "SELECT count(*) FROM quality_outcome WHERE measure = 'TRC-3' AND met AND patient_id = $1"
    for patient, year in (("p1", "2010"), ("p2", "2026")):
        await go_home(house, patient, f"{year}-03-02 10:00-06:00", f"{year}-03-06 15:00-06:00")
        await house.hear(contact(f"{year}-03-10 10:00-06:00", patient=patient))
    await counter(house).count_all()
    # Evidence is forgotten after years; then the patient is counted anew, and merged.
    await house.database.pool.execute("DELETE FROM evidence")
    await house.database.pool.execute("UPDATE transition SET readmission_indicator = 'R'")
    await counter(house).count_all()
    assert (await house.count(met, "p1"), await house.count(met, "p2")) == (1, 0)
    for key in ("p1", "p9"):
        fact = PatientMerged(retired="p1", survivor="p9", patient=StayTold(patient="p9").summary())
        await house.hear(event_of(fact, key, at("2026-05-25 10:00-05:00")))
    await counter(house).count_all()
    assert (await house.count(met, "p1"), await house.count(met, "p9")) == (0, 1)


async def test_a_patient_whom_the_rules_fail_on_holds_up_nobody(house: House, client: Client) -> None:
    for patient in ("p1", "p2", "p3"):
        await go_home(house, patient, "2026-03-02 10:00-06:00", "2026-03-06 15:00-06:00")
    broken = "UPDATE transition SET body = jsonb_set(body, '{facility,time_zone}', $1) WHERE patient_id = 'p2'"
    await house.database.pool.execute(broken, "Nowhere/None")
    counting = counter(house)
    await counting.count_all()
    assert await house.count("SELECT count(DISTINCT patient_id) FROM quality_outcome") == 2
    # Still on the list: once the row can be read it is counted.
    assert await house.count("SELECT count(*) FROM quality_uncounted WHERE patient_id = 'p2'") > 0
    await house.database.pool.execute(broken, "America/Chicago")
    await counter(house).count_all()
    assert (await figure_of(client, "measure=TRC-3"))["denominator"] == 3
