"""Swaps, links, moves, account and visit numbers: from the socket to what stands."""

from typing import Any

import orjson

from tests.integration.intake.conftest import Intake
from tests.unit.intake.messages import adt, specimen

T2, T3, T4 = "20260303090000", "20260304090000", "20260305090000"


async def facts(intake: Intake, kind: str) -> list[dict[str, Any]]:
    rows = await intake.rows("SELECT subject, value FROM outbox WHERE type ~ $1 ORDER BY id", kind)
    return [{"subject": row["subject"], **orjson.loads(row["value"])} for row in rows]


def merging(trigger: str, mrg: str, *, pid: str = "MRN001", account: str = "", visit: str = "", at: str = T2) -> bytes:
    lines = [
        f"MSH|^~\\&|ADT1|GENHOSP|HUB|HUB|{at}||ADT^{trigger}|{trigger}{at}|P|2.5.1",
        f"EVN||{at}",
        f"PID|1||{pid}^^^GENHOSP^MR||Testa^Ann|||||||||||||{account}",
        f"MRG|{mrg}",
        f"PV1|1|I|||||||||||||||||{visit}",
    ]
    return ("\r".join(lines) + "\r").encode()


async def stays(intake: Intake) -> dict[str, dict[str, Any]]:
    return {
        row["value"]: row for row in await intake.rows("SELECT id, value, patient_id, status, state FROM encounter")
    }


async def test_a_swap_moves_two_patients(intake: Intake) -> None:
    sender = await intake.sender()
    assert await sender.send(specimen("a17-swap")) == "AA"
    moved = await facts(intake, "encounter.transferred")
    assert len(moved) == len({fact["subject"] for fact in moved}) == 2


async def test_links_are_said_on_both_keys_once_and_taken_back(intake: Intake) -> None:
    def pair(trigger: str, at: str) -> bytes:
        first = adt(trigger, control_id=f"{trigger}{at}", recorded=at).split(b"PV1|")[0]
        return first + b"PID|2||MRN002^^^GENHOSP^MR||Testb^Bea\r"

    sender = await intake.sender()
    for raw in (pair("A24", T2), pair("A24", T3), pair("A37", T4), pair("A24", T2.replace("0000", "0001"))):
        assert await sender.send(raw) == "AA"
    assert len(await facts(intake, "patient.linked")) == 2
    [one, other] = await facts(intake, "patient.unlinked")
    assert (one["subject"], one["other"]) == (other["other"], other["subject"])
    assert await intake.rows("SELECT linked FROM patient_link") == [{"linked": False}]
    assert await sender.send(adt("A24", control_id="alone")) == "AE"


async def test_a_moved_account_takes_its_stays_along_and_no_others(intake: Intake) -> None:
    sender = await intake.sender()
    for visit, account in (("V1", "ACC1"), ("V2", "ACC2")):
        raw = adt("A01", mrn="WRONG", visit=visit, control_id=visit)
        await sender.send(raw.replace(b"19480214|F", b"19480214|F||||||||||" + f"{account}^^^GENHOSP^AN".encode()))
    assert await sender.send(merging("A44", "WRONG^^^GENHOSP^MR||ACC1^^^GENHOSP^AN")) == "AA"
    [moved] = await facts(intake, "encounter.moved")
    found = await stays(intake)
    assert found["V1"]["patient_id"] == moved["subject"] != moved["from_patient"] == found["V2"]["patient_id"]
    assert await sender.send(adt("A03", mrn="MRN001", visit="V1", control_id="9", recorded=T4)) == "AA"
    [ended] = await facts(intake, "encounter.discharged")
    assert ended["subject"] == moved["subject"]


async def test_a_moved_visit_and_a_moved_identifier(intake: Intake) -> None:
    sender = await intake.sender()
    for visit in ("V1", "V2", "V3"):
        await sender.send(adt("A01", mrn="WRONG", visit=visit, control_id=visit))
    assert (
        await sender.send(merging("A45", "WRONG^^^GENHOSP^MR||||V2^^^GENHOSP^VN", account="ACC7", visit="V2")) == "AA"
    )
    target = (await facts(intake, "encounter.moved"))[0]["subject"]
    found = await stays(intake)
    assert [visit for visit, stay in sorted(found.items()) if stay["patient_id"] == target] == ["V2"]
    assert found["V2"]["state"]["said"]["account"]["value"] == "ACC7"
    assert await sender.send(merging("A43", "WRONG^^^GENHOSP^MR", at=T3)) == "AA"
    assert {stay["patient_id"] for stay in (await stays(intake)).values()} == {target}


async def test_an_account_number_changes_on_all_its_stays(intake: Intake) -> None:
    sender = await intake.sender()
    raw = adt("A01", visit="V1").replace(b"19480214|F", b"19480214|F||||||||||ACC1^^^GENHOSP^AN")
    await sender.send(raw)
    assert await sender.send(merging("A41", "MRN001^^^GENHOSP^MR||ACC1^^^GENHOSP^AN", account="ACC9^^^GENHOSP")) == "AA"
    [updated] = await facts(intake, "encounter.updated")
    assert (updated["changed"], updated["encounter"]["account"]["value"]) == (["account"], "ACC9")
    assert await sender.send(merging("A49", "MRN001^^^GENHOSP^MR", at=T3)) == "AE"


async def test_a_renumbered_visit_keeps_its_id_whatever_number_comes_later(intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(adt("A01", visit="OLD"))
    rename = merging("A50", "MRN001^^^GENHOSP^MR||||OLD^^^GENHOSP^VN", visit="NEW^^^GENHOSP^VN")
    assert await sender.send(rename) == "AA"
    await sender.send(adt("A02", visit="OLD", location="ICU^2^B", control_id="2", recorded=T3))
    await sender.send(adt("A03", visit="NEW", control_id="3", recorded=T4))
    said = [kind for kind in await intake.event_types() if kind.startswith("encounter")]
    assert said == ["encounter.admitted", "encounter.transferred", "encounter.discharged"]
    ids = {fact["encounter"]["id"] for fact in await facts(intake, "care.encounter")}
    assert len(ids) == 1
    found = await stays(intake)
    assert (found["NEW"]["status"], found["OLD"]["state"]["merged_into"]["value"]) == ("finished", "NEW")


async def test_two_records_of_one_visit_become_one(intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(adt("A01", visit="V1"))
    await sender.send(adt("A02", visit="V2", location="ICU^2^B", control_id="2", recorded=T2))
    merge = merging("A42", "MRN001^^^GENHOSP^MR||||V1^^^GENHOSP^VN", visit="V2^^^GENHOSP^VN", at=T3)
    assert [await sender.send(merge), await sender.send(merge)] == ["AA", "AA"]
    [deleted] = await facts(intake, "encounter.deleted")
    found = await stays(intake)
    assert deleted["merged_into"] == str(found["V2"]["id"])
    assert len(deleted["retracts"]) == 1
    assert [m["kind"] for m in found["V2"]["state"]["milestones"]] == ["admitted", "transferred"]
    await sender.send(adt("A03", visit="V1", control_id="4", recorded=T4))
    [ended] = await facts(intake, "encounter.discharged")
    assert ended["encounter"]["id"] == str(found["V2"]["id"])


async def test_a_rename_that_comes_before_its_visit_still_counts(intake: Intake) -> None:
    sender = await intake.sender()
    rename = merging("A50", "MRN001^^^GENHOSP^MR||||OLD^^^GENHOSP^VN", visit="NEW^^^GENHOSP^VN", at=T2)
    await sender.send(rename)
    await sender.send(adt("A01", visit="OLD", control_id="2"))
    found = await stays(intake)
    assert found["NEW"]["status"] == "in-progress"


async def test_several_merges_in_one_message(intake: Intake) -> None:
    sender = await intake.sender()
    both = adt("A40", mrn="B", retired="A") + b"PID|2||C^^^GENHOSP^MR||Testa^Ann\rMRG|B^^^GENHOSP^MR\r"
    assert await sender.send(both) == "AA"
    survivors = await intake.rows("SELECT DISTINCT coalesce(survivor, id) AS id FROM patient_key")
    assert len(survivors) == 1


async def test_a_changed_number_and_a_deleted_person(intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(adt("A01", mrn="A"))
    assert await sender.send(adt("A47", mrn="B", retired="A", control_id="2", recorded=T2)) == "AA"
    assert await sender.send(adt("A29", mrn="B", control_id="3", recorded=T3)) == "AA"
    [gone] = [fact for fact in await facts(intake, "patient.updated") if "is_active" in fact["changed"]]
    assert gone["patient"]["is_active"] is False
    assert len(await stays(intake)) == 1
