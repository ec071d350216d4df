"""Between the acknowledgement and the rules: what was answered takes effect once, whatever ends in between."""

from tests.integration.intake.conftest import Intake, StartIntake, full_disk, until
from tests.unit.intake.messages import adt

ADMITTED = adt("A01", control_id="1")
MOVED = adt("A02", control_id="2", recorded="20260303100000", location="W2^1^A")
DISCHARGED = adt("A03", control_id="3", recorded="20260306150500")
TOLD = ["encounter.admitted", "encounter.transferred", "encounter.discharged"]


async def _send(intake: Intake, *messages: bytes) -> list[str]:
    """All at once; the acknowledgements, without waiting for any effect."""
    sender = await intake.sender()
    sender.write(b"".join(b"\x0b" + message + b"\x1c\x0d" for message in messages))
    return [(await sender.answer())[1][1] for _ in messages]


async def test_a_rule_that_has_to_wait_keeps_no_sender_waiting(intake: Intake) -> None:
    async with full_disk(intake, "message_key"):
        assert await _send(intake, ADMITTED, MOVED, DISCHARGED) == ["AA"] * 3
        assert await intake.database.pool.fetchval("SELECT count(*) FROM arrival") == 3
        assert await intake.database.pool.fetchval("SELECT count(*) FROM message") == 0
    assert await intake.event_types() == TOLD
    assert await intake.rows("SELECT 1 FROM arrival") == []


async def test_the_next_process_interprets_what_this_one_has_only_acknowledged(start_intake: StartIntake) -> None:
    first = await start_intake(drain_timeout_s=0.2)
    async with full_disk(first, "message_key"):
        assert await _send(first, ADMITTED, MOVED, DISCHARGED) == ["AA"] * 3
        await first.stop()
    second = await start_intake()
    await until(lambda: _interpreted(second))
    assert await second.event_types() == TOLD
    # As read the first time: the sender's repetition is one.
    assert await _send(second, DISCHARGED) == ["AA"]
    assert await second.event_types() == TOLD


async def test_two_processes_that_take_up_the_same_messages_apply_each_once(start_intake: StartIntake) -> None:
    first = await start_intake(drain_timeout_s=0.2)
    stays = [adt("A01", control_id=str(n), mrn=f"M{n}", visit=f"V{n}") for n in range(40)]
    async with full_disk(first, "message_key"):
        assert await _send(first, *stays, adt("A03", control_id="gone", mrn="M0", visit="V0")) == ["AA"] * 41
        await first.stop()
    replicas = [await start_intake() for _ in range(2)]
    await until(lambda: _interpreted(replicas[0]))
    for replica in replicas:
        await replica.interpreted()
    assert sorted(await replicas[0].event_types()) == ["encounter.admitted"] * 40 + ["encounter.discharged"]
    assert await replicas[0].rows("SELECT outcome, count(*) FROM message GROUP BY 1") == [
        {"outcome": "accepted", "count": 41}
    ]


async def test_who_sends_more_than_may_wait_is_not_answered_before_there_is_room(start_intake: StartIntake) -> None:
    intake = await start_intake(most_ahead=2)
    sender = await intake.sender()
    async with full_disk(intake, "message_key"):
        for message in (ADMITTED, MOVED):
            sender.write(b"\x0b" + message + b"\x1c\x0d")
            assert (await sender.answer())[1][1] == "AA"
        sender.write(b"\x0b" + DISCHARGED + b"\x1c\x0d")
        await until(lambda: _failing(intake))
        assert await intake.database.pool.fetchval("SELECT count(*) FROM arrival") == 2
    assert (await sender.answer())[1][1:3] == ["AA", "3"]
    assert await intake.event_types() == TOLD


async def _interpreted(intake: Intake) -> bool:
    return not await intake.database.pool.fetchval("SELECT count(*) FROM arrival")


async def _failing(intake: Intake) -> bool:
    return intake.reception.store_failures >= 2
