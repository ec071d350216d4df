"""From the wire to the outbox: what is stored, said and acknowledged."""

import asyncio

import pytest

from services.intake.chart import Chart
from services.intake.sealing import Seal
from tests.integration.intake.conftest import KEY, Intake, StartIntake, full_disk, until
from tests.unit.intake.messages import adt, specimen


async def test_a_stay_is_told_and_its_bytes_are_kept(intake: Intake) -> None:
    sender = await intake.sender()
    for name in ("a01-admission", "a02-transfer", "a03-discharge"):
        assert await sender.send(specimen(name)) == "CA"
    assert await intake.event_types() == ["encounter.admitted", "encounter.transferred", "encounter.discharged"]
    [stay] = await intake.rows("SELECT status, version FROM encounter")
    assert stay == {"status": "finished", "version": 3}
    rows = await intake.rows("SELECT id, raw FROM message ORDER BY id")
    assert [Seal(KEY).open(row["raw"], row["id"]) for row in rows] == [
        specimen(name) for name in ("a01-admission", "a02-transfer", "a03-discharge")
    ]
    assert b"MRN001" not in b"".join(row["raw"] for row in rows)


async def test_no_identifier_leaves_the_value_of_an_event(intake: Intake) -> None:
    await (await intake.sender()).send(specimen("a01-admission"))
    [row] = await intake.rows("SELECT subject, headers FROM outbox WHERE topic = 'care.encounters.v1'")
    said = row["subject"].encode() + row["headers"]
    assert not [secret for secret in (b"MRN001", b"V1001", b"Testa", b"999001", b"ACC900") if secret in said]


async def test_a_duplicate_is_acknowledged_from_the_store_and_says_nothing(intake: Intake) -> None:
    sender = await intake.sender()
    message = adt("A01")
    assert [await sender.send(message) for _ in range(3)] == ["AA"] * 3
    assert await intake.event_types() == ["encounter.admitted"]
    assert await intake.log() == [("A01", "accepted", None)]
    assert await intake.rows("SELECT feed, trigger, count FROM duplicates") == [
        {"feed": "general-hospital", "trigger": "A01", "count": 2}
    ]


async def test_duplicates_in_one_group_take_effect_once(intake: Intake) -> None:
    sender = await intake.sender()
    message = adt("A01")
    sender.write(b"".join(b"\x0b" + message + b"\x1c\x0d" for _ in range(5)))
    assert [(await sender.answer())[1][1] for _ in range(5)] == ["AA"] * 5
    assert await intake.event_types() == ["encounter.admitted"]


async def test_a_recycled_control_id_with_other_bytes_is_taken(intake: Intake) -> None:
    sender = await intake.sender()
    assert await sender.send(adt("A01", control_id="7")) == "AA"
    assert await sender.send(adt("A03", control_id="7", recorded="20260306150500")) == "AA"
    assert await intake.event_types() == ["encounter.admitted", "encounter.discharged"]


async def test_only_positive_acknowledgements_are_answered_from_the_store(intake: Intake) -> None:
    sender = await intake.sender()
    assert [await sender.send(specimen("a01-no-pid")) for _ in range(2)] == ["AE", "AE"]
    assert await intake.log() == [("A01", "rejected", "missing-patient")] * 2


@pytest.mark.parametrize(
    ("message", "code", "logged"),
    [
        (specimen("garbage"), "AR", ("", "rejected", "no-header")),
        (specimen("a01-no-pid"), "AE", ("A01", "rejected", "missing-patient")),
        (adt("A01", version="9.1"), "AR", ("A01", "rejected", "unsupported-version")),
        (adt("A01", processing_id="T"), "AR", ("A01", "rejected", "wrong-processing-id")),
        (adt("A01", version="9.1", modes="AL|NE"), "CR", ("A01", "rejected", "unsupported-version")),
        (adt("A01").replace(b"ADT^A01", b"BAR^P01"), "AA", ("BAR^P01", "skipped", "unsupported-type")),
        (adt("A99"), "AA", ("A99", "skipped", "unsupported-trigger")),
        (adt("A20"), "AA", ("A20", "skipped", "nothing-to-do")),
        (adt("A01", visit="", admitted=""), "AA", ("A01", "held", "no-visit")),
        (specimen("a01-absurd-dates"), "AA", ("A01", "accepted", None)),
        (adt("A01", facility="NOWHERE"), "AA", ("A01", "accepted", None)),
    ],
)
async def test_bad_input_gets_its_acknowledgement_and_its_row_and_the_feed_goes_on(
    intake: Intake, message: bytes, code: str, logged: tuple[str, str, str | None]
) -> None:
    sender = await intake.sender()
    assert await sender.send(message) == code
    assert await intake.log() == [logged]
    assert await sender.send(adt("A01", control_id="next")) == "AA"


async def test_a_visit_of_another_patient_is_held_and_nobody_is_told(intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(adt("A01", mrn="MRN001"))
    assert await sender.send(adt("A03", mrn="MRN002", recorded="20260306150500")) == "AA"
    assert await intake.event_types() == ["encounter.admitted"]
    assert (await intake.log())[1] == ("A03", "held", "visit-of-another-patient")


async def test_late_messages_refold_the_stay_and_say_so(intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(adt("A03", control_id="1", recorded="20260306150500"))
    await sender.send(adt("A13", control_id="2", recorded="20260306153000"))
    await sender.send(adt("A01", control_id="3", recorded="20260302091800"))
    assert await intake.event_types() == [
        "encounter.discharged",
        "encounter.discharge-cancelled",
        "encounter.admitted",
    ]
    [headers] = [r["headers"] for r in await intake.rows("SELECT headers FROM outbox WHERE type ~ 'admitted'")]
    assert b'"ce_late":"true"' in headers
    assert len(await intake.rows("SELECT 1 FROM encounter_fact")) == 3


async def test_many_messages_of_one_stay_in_one_group(intake: Intake) -> None:
    """Pipelined and out of order, against a stay that is already known."""
    sender = await intake.sender()
    await sender.send(adt("A01"))
    moves = [adt("A02", control_id=str(n), recorded=f"202603021{n}0000", location=f"W{n}^1^A") for n in (5, 3, 4, 1, 2)]
    sender.write(b"".join(b"\x0b" + move + b"\x1c\x0d" for move in moves))
    assert [(await sender.answer())[1][2] for _ in moves] == ["5", "3", "4", "1", "2"]
    [stay] = await intake.rows("SELECT state FROM encounter")
    assert [m.get("whereto") for m in stay["state"]["milestones"]] == [None, *(f"W{n}^1^A" for n in range(1, 6))]


async def test_what_no_broker_would_take_is_held_alone(intake: Intake) -> None:
    """Said, it would stand before everything else in the outbox for ever."""
    sender = await intake.sender()
    names = {"1": "Testa", "huge": "x" * 900_000, "2": "Testa"}
    told = [adt("A01", control_id=one, mrn=one, visit=f"V{one}", family=family) for one, family in names.items()]
    sender.write(b"".join(b"\x0b" + message + b"\x1c\x0d" for message in told))
    assert [(await sender.answer())[1][1:3] for _ in names] == [["AA", one] for one in names]
    assert await intake.event_types() == ["encounter.admitted"] * 2
    assert await intake.rows("SELECT control_id, reason FROM message WHERE outcome = 'held'") == [
        {"control_id": "huge", "reason": "rule-failed"}
    ]


async def test_one_poison_message_among_good_ones_is_held_alone(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule that fails for one message costs neither its bytes nor anybody else's message."""
    take = Chart.take

    def fail_for_one(chart: Chart, arrival, record_id: str):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        if arrival.control_id == "poison":
            raise ZeroDivisionError
        return take(chart, arrival, record_id)

    monkeypatch.setattr(Chart, "take", fail_for_one)
    sender = await intake.sender()
    ids = [*(str(n) for n in range(20)), "poison", *(str(n) for n in range(20, 30))]
    messages = [adt("A01", control_id=name, mrn=f"M{name}", visit=f"V{name}") for name in ids]
    sender.write(b"".join(b"\x0b" + message + b"\x1c\x0d" for message in messages))
    assert [(await sender.answer())[1][1:3] for _ in ids] == [["AA", name] for name in ids]
    assert await intake.event_types() == ["encounter.admitted"] * 30
    assert await intake.rows("SELECT control_id, reason FROM message WHERE outcome = 'held'") == [
        {"control_id": "poison", "reason": "rule-failed"}
    ]


async def test_a_store_that_is_away_gets_nobody_acknowledged(intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(adt("A01"))
    async with full_disk(intake, "arrival"):
        waiting = asyncio.create_task(sender.send(adt("A03", recorded="20260306150500")))
        await until(lambda: _failing(intake))
        assert not waiting.done()
    assert await waiting == "AA"
    assert await intake.event_types() == ["encounter.admitted", "encounter.discharged"]


async def _failing(intake: Intake) -> bool:
    return intake.listener.keeping.store_failures >= 2


async def test_the_connection_to_the_store_is_taken_anew_when_it_breaks(intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(adt("A01"))
    await intake.database.pool.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
        "AND datname = current_database() AND usename = current_user"
    )
    assert await sender.send(adt("A03", recorded="20260306150500")) == "AA"
    assert await intake.event_types() == ["encounter.admitted", "encounter.discharged"]


async def test_a_sender_that_saw_no_acknowledgement_sends_again_and_nothing_doubles(
    intake: Intake, start_intake: StartIntake
) -> None:
    """The process ends between commit and acknowledgement: the next one answers from the store."""
    first = await intake.sender()
    first.write(b"\x0b" + adt("A01") + b"\x1c\x0d")
    await first.writer.drain()
    first.writer.transport.abort()
    await until(lambda: _stored(intake))
    again = await (await start_intake()).sender()
    assert await again.send(adt("A01")) == "AA"
    assert await intake.event_types() == ["encounter.admitted"]


async def _stored(intake: Intake) -> bool:
    return bool(await intake.rows("SELECT 1 FROM message WHERE outcome = 'accepted'"))


async def test_what_was_read_is_answered_before_the_listener_ends(intake: Intake) -> None:
    sender = await intake.sender()
    messages = [adt("A01", control_id=str(n), mrn=f"M{n}", visit=f"V{n}") for n in range(30)]
    sender.write(b"".join(b"\x0b" + message + b"\x1c\x0d" for message in messages))
    assert (await sender.answer())[1][2] == "0"
    stopping = asyncio.create_task(intake.stop())
    answered = 1
    while not sender.reader.at_eof():
        try:
            answered += (await sender.answer())[1][1] == "AA"
        except (asyncio.IncompleteReadError, ConnectionError):
            break
    await stopping
    stored = await intake.rows("SELECT 1 FROM message WHERE outcome = 'accepted'")
    assert answered == len(stored)
