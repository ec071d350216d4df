"""Appointments, results, documents and referrals from the socket to the outbox."""

import orjson

from tests.integration.intake.conftest import Intake
from tests.unit.intake.messages import adt
from tests.unit.intake.statements import mdm, oru, ref, siu

T1, T2, T3 = "20260307090000", "20260307100000", "20260308090000"
PV1 = b"PV1|1|I|||||||||||||||||V1001^^^GENHOSP^VN\r"
SAID = "SELECT subject, type, value FROM outbox WHERE topic ~ 'followups|referrals' ORDER BY id"


async def said(intake: Intake) -> list[tuple[str, str]]:
    rows = await intake.rows(SAID)
    return [(row["subject"], row["type"].removeprefix("care.").removesuffix(".v1")) for row in rows]


async def test_each_kind_becomes_an_event_of_its_patient_and_stay(intake: Intake) -> None:
    sender = await intake.sender()
    assert await sender.send(adt("A01")) == "AA"
    results = oru(T1, "OBX|1|NM|2951-2^Sodium^LN||138|mmol/L|||||F", "OBX|2|NM|2823-3^K^LN||4.1|mmol/L|||||F")
    for raw in (results, siu("S12", T1), mdm("T02", T1), ref("I12", T1)):
        head, rest = raw.split(b"19480214|F\r")
        assert await sender.send(head + b"19480214|F\r" + PV1 + rest) == "AA"
    [stay] = await intake.rows("SELECT id, patient_id FROM encounter")
    told = await intake.rows(SAID)
    assert [row["type"].split(".")[1:3] for row in told] == [
        ["followup", "observation-recorded"],
        ["followup", "observation-recorded"],
        ["followup", "appointment-booked"],
        ["followup", "document-available"],
        ["referral", "requested"],
    ]
    assert {row["subject"] for row in told} == {stay["patient_id"]}
    assert {orjson.loads(row["value"])["encounter_id"] for row in told} == {str(stay["id"])}
    assert await intake.rows("SELECT 1 FROM message WHERE outcome <> 'accepted' OR encounter_id IS NULL") == []


async def test_later_words_meet_the_earlier_ones_whatever_comes_first(intake: Intake) -> None:
    sender = await intake.sender()
    for raw in (
        siu("S13", T2, "20260312090000"),
        siu("S12", T1),
        siu("S15", T3, "20260312090000"),
        siu("S13", T2, "20260312090000"),
    ):
        assert await sender.send(raw) == "AA"
    told = [orjson.loads(row["value"]) for row in await intake.rows(SAID)]
    assert [kind for _, kind in await said(intake)] == [
        "followup.appointment-booked",
        "followup.appointment-cancelled",
    ]
    assert len({fact["followup_id"] for fact in told}) == 1
    assert {fact["starts_at"] for fact in told} == {"2026-03-12T14:00:00Z"}


async def test_a_group_may_say_several_things_of_the_same_appointment(intake: Intake) -> None:
    sender = await intake.sender()
    messages = (siu("S12", T1), siu("S13", T2, "20260312090000"), siu("S26", T3))
    sender.write(b"".join(b"\x0b" + one + b"\x1c\x0d" for one in messages))
    assert [(await sender.answer())[1][1] for _ in messages] == ["AA"] * 3
    assert [kind.split("-", 1)[1] for _, kind in await said(intake)] == ["booked", "moved", "no-show"]


async def test_what_stands_follows_a_merge_and_is_never_anothers(intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(siu("S12", T1))
    assert await sender.send(siu("S15", T2).replace(b"MRN001", b"MRN002")) == "AA"
    assert (await intake.log())[-1] == ("SIU^S15", "held", "stated-of-another-patient")
    await sender.send(adt("A40", mrn="MRN002", retired="MRN001", recorded=T2))
    assert await sender.send(siu("S15", T3).replace(b"MRN001", b"MRN002")) == "AA"
    survivor, kind = (await said(intake))[-1]
    assert kind == "followup.appointment-cancelled"
    assert await intake.rows("SELECT DISTINCT patient_id FROM standing") == [{"patient_id": survivor}]


async def test_results_of_two_patients_in_one_message(intake: Intake) -> None:
    both = oru(T1, "OBX|1|NM|2951-2^Sodium^LN||138|mmol/L|||||F") + (
        b"PID|2||MRN002^^^GENHOSP^MR||Testb^Bea\rOBR|1|P2|F2|1^x\rOBX|1|NM|2951-2^Sodium^LN||139|mmol/L|||||F\r"
    )
    assert await (await intake.sender()).send(both) == "AA"
    assert len({subject for subject, _ in await said(intake)}) == 2


async def test_a_batch_in_one_frame_is_stored_one_by_one_and_answered_as_one(intake: Intake) -> None:
    sender = await intake.sender()
    batch = b"FHS|^~\\&\rBHS|^~\\&\r" + adt("A01") + siu("S12", T1) + b"BTS|2\rFTS|1\r"
    sender.write(b"\x0b" + batch + b"\x1c\x0d")
    answer = await sender.answer()
    assert [line[0] for line in answer] == ["BHS", "MSH", "MSA", "MSH", "MSA", "BTS"]
    assert [line[1] for line in answer if line[0] == "MSA"] == ["AA", "AA"]
    assert await intake.log() == [("A01", "accepted", None), ("SIU^S12", "accepted", None)]
