"""Merges: two records become one, for ever, whatever comes in which order."""

import orjson

from tests.integration.intake.conftest import Intake
from tests.unit.intake.messages import adt


async def test_a_merge_is_said_on_both_keys_and_stays_move(intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(adt("A01", mrn="OLD", visit="V1"))
    await sender.send(adt("A01", mrn="NEW", visit="V2", control_id="2"))
    assert await sender.send(adt("A40", mrn="NEW", retired="OLD", control_id="3", recorded="20260307095900")) == "AA"
    said = await intake.rows(
        "SELECT subject, value, headers FROM outbox WHERE type = 'care.patient.merged.v1' ORDER BY id"
    )
    fact = orjson.loads(said[0]["value"])
    assert [row["subject"] for row in said] == [fact["retired"], fact["survivor"]]
    headers = orjson.loads(said[1]["headers"])
    assert headers["ce_aftersubject"] == fact["retired"]
    patients = await intake.rows("SELECT DISTINCT patient_id FROM encounter")
    assert patients == [{"patient_id": fact["survivor"]}]


async def test_what_comes_later_under_the_retired_number_is_the_survivors(intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(adt("A01", mrn="OLD", visit="V1"))
    await sender.send(adt("A40", mrn="NEW", retired="OLD", control_id="2", recorded="20260307095900"))
    await sender.send(adt("A03", mrn="OLD", visit="V1", control_id="3", recorded="20260308095900"))
    [discharge] = await intake.rows("SELECT subject, value FROM outbox WHERE type ~ 'discharged'")
    [merged] = await intake.rows("SELECT value FROM outbox WHERE type ~ 'merged' AND headers::text !~ 'after' LIMIT 1")
    survivor = orjson.loads(merged["value"])["survivor"]
    assert discharge["subject"] == survivor
    patient = orjson.loads(discharge["value"])["encounter"]["patient"]
    assert patient["id"] == survivor
    assert [one["value"] for one in patient["identifiers"]] == ["NEW"]


async def test_merging_unknown_records_creates_both_and_repeats_change_nothing(intake: Intake) -> None:
    sender = await intake.sender()
    assert await sender.send(adt("A40", mrn="B", retired="A")) == "AA"
    assert await sender.send(adt("A40", mrn="B", retired="A", control_id="2")) == "AA"
    assert await intake.event_types() == ["patient.merged", "patient.merged"]
    await sender.send(adt("A01", mrn="A", visit="V1", control_id="3"))
    await sender.send(adt("A03", mrn="B", visit="V1", control_id="4", recorded="20260303090000"))
    assert (await intake.event_types())[2:] == ["encounter.admitted", "encounter.discharged"]


async def test_chains_collapse_and_cycles_are_held(intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(adt("A01", mrn="A", visit="V1"))
    await sender.send(adt("A40", mrn="B", retired="A", control_id="2"))
    await sender.send(adt("A40", mrn="C", retired="B", control_id="3"))
    assert await sender.send(adt("A40", mrn="A", retired="C", control_id="4")) == "AA"
    assert (await intake.log())[-1] == ("A40", "held", "merge-cycle")
    survivors = await intake.rows(
        "SELECT i.value, coalesce(k.survivor, k.id) AS survivor FROM identifier i "
        "JOIN patient_key k ON k.id = i.patient_id ORDER BY 1"
    )
    assert len({row["survivor"] for row in survivors}) == 1
    [stay] = await intake.rows("SELECT patient_id FROM encounter")
    assert stay["patient_id"] == survivors[0]["survivor"]
