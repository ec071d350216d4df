"""Groups read without locks and write in one statement: what happens when something changes in between."""

import asyncio

from tests.integration.intake.conftest import Intake, Sender, StartIntake, until
from tests.unit.intake.messages import adt

PATIENTS = 3
MESSAGES = 12


def _message(patient: int, number: int) -> bytes:
    trigger = "A01" if number == 0 else "A08"
    return adt(trigger, mrn=f"G{patient}", visit=f"GV{patient}", recorded=f"2026030610{number:02d}00")


async def _send(sender: Sender, numbers: range) -> list[str]:
    return [await sender.send(_message(patient, number)) for number in numbers for patient in range(PATIENTS)]


async def test_two_replicas_that_take_the_same_patients_lose_and_double_nothing(start_intake: StartIntake) -> None:
    replicas = [await start_intake() for _ in range(2)]
    senders = [await replica.sender() for replica in replicas for _ in range(2)]
    answers = await asyncio.gather(
        *(_send(sender, range(first, MESSAGES, len(senders))) for first, sender in enumerate(senders))
    )
    assert {code for codes in answers for code in codes} == {"AA"}
    intake = replicas[0]
    assert await intake.rows("SELECT DISTINCT outcome FROM message") == [{"outcome": "accepted"}]
    stays = await intake.rows("SELECT version FROM encounter")
    assert [stay["version"] for stay in stays] == [MESSAGES] * PATIENTS
    assert len(await intake.rows("SELECT 1 FROM encounter_fact")) == MESSAGES * PATIENTS
    said = await intake.rows(
        "SELECT subject, array_agg(sequence ORDER BY id) AS numbers FROM outbox"
        " WHERE topic = 'care.encounters.v1' GROUP BY subject"
    )
    assert len(said) == PATIENTS
    assert all(row["numbers"] == list(range(1, len(row["numbers"]) + 1)) for row in said)


async def test_a_busy_patient_waits_and_holds_up_nobody_else(intake: Intake) -> None:
    busy, other = await intake.sender(), await intake.sender()
    assert await _send(busy, range(1)) == ["AA"] * PATIENTS
    [row] = await intake.rows("SELECT patient_id FROM identifier WHERE value = 'G0'")
    async with intake.database.transaction() as tx:
        await tx.lock([row["patient_id"]])
        for sender, patient in ((busy, 0), (other, 1)):
            sender.write(b"\x0b" + _message(patient, 1) + b"\x1c\x0d")
            assert (await sender.answer())[1][1] == "AA"
        await until(lambda: _applied(intake, 4))
        [locked] = await intake.database.pool.fetch("SELECT version FROM encounter WHERE value = 'GV0'")
        assert locked["version"] == 1
    assert {row["version"] for row in await intake.rows("SELECT version FROM encounter WHERE value <> 'GV2'")} == {2}


async def _applied(intake: Intake, messages: int) -> bool:
    return bool(await intake.database.pool.fetchval("SELECT count(*) >= $1 FROM message", messages))
