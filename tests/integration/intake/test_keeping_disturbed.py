"""Between the acknowledgement and the rules, with what goes wrong there: broken connections, rows that can't be opened or
are locked, other feeds, long messages, senders who hang up.
"""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from services.intake import keep_store, working_off
from services.intake.arrival import judge_arrival
from services.intake.feeds import Feeds
from services.intake.sealing import Seal
from shared.events import uuid7
from tests.integration.intake.conftest import KEY, Intake, StartIntake, full_disk, until
from tests.support.databases import Databases
from tests.unit.intake.messages import adt

SENDERS, EACH, BREAKS = 5, 24, 20
BREAK = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


def _stay(sender: int, n: int) -> bytes:
    """One stay after the other: admitted, moved, discharged."""
    person = n // 3
    trigger = ("A01", "A02", "A03")[n % 3]
    hour = f"202603{n % 3 + 3:02}100000"
    names = {"control_id": f"{sender}-{n}", "mrn": f"M{sender}-{person}", "visit": f"V{sender}-{person}"}
    return adt(trigger, recorded=hour, location="W2^1^A" if n % 3 else "4W^401^A", **names)


async def _send_lock_step(intake: Intake, sender: int) -> None:
    """Whoever is cut off sends again, as senders do."""
    connection = await intake.sender()
    for n in range(EACH):
        while True:
            connection.write(b"\x0b" + _stay(sender, n) + b"\x1c\x0d")
            try:
                answer = await connection.answer()
            except (asyncio.IncompleteReadError, ConnectionError):
                connection = await intake.sender()
                continue
            assert answer[1][1:3] == ["AA", f"{sender}-{n}"]
            break


async def test_whatever_connection_breaks_each_message_takes_effect_once(intake: Intake, databases: Databases) -> None:
    breaking = await databases.server.connect(databases.name)
    try:
        async with asyncio.TaskGroup() as work:
            sending = [work.create_task(_send_lock_step(intake, sender)) for sender in range(SENDERS)]
            for _ in range(BREAKS):
                await breaking.execute(BREAK)
                await asyncio.wait(sending, timeout=0.05)
    finally:
        await breaking.close()
    await intake.interpreted()
    await until(lambda: _is_empty(intake))
    assert await intake.rows("SELECT outcome, count(*) FROM message GROUP BY 1") == [
        {"outcome": "accepted", "count": SENDERS * EACH}
    ]
    for kind in ("admitted", "discharged"):
        assert (await intake.event_types()).count(f"encounter.{kind}") == SENDERS * EACH // 3


async def test_what_was_kept_without_our_hearing_of_it_is_kept_once(intake: Intake) -> None:
    """A connection may break after the commit and before we are told."""
    arrivals = [judge_arrival(adt("A01", control_id=str(n)), intake.feeds, "127.0.0.1") for n in range(3)]
    async with intake.database.pool.acquire() as connection:
        await keep_store.keep(connection, arrivals[:2], Seal(KEY))
        await keep_store.keep(connection, arrivals, Seal(KEY))
        assert len(await keep_store.waiting(connection, timedelta(), None, 10, 1_000_000)) == 3


async def test_a_refusal_kept_without_our_hearing_of_it_is_the_answer(intake: Intake) -> None:
    arrivals = [
        judge_arrival(adt("A01", control_id=str(n), version="9.9"), intake.feeds, "127.0.0.1") for n in range(3)
    ]
    ids = {arrival.id for arrival in arrivals}
    async with intake.database.pool.acquire() as connection:
        assert await keep_store.keep(connection, arrivals[:2], Seal(KEY)) == ids - {arrivals[2].id}
        assert await keep_store.keep(connection, arrivals, Seal(KEY)) == ids
        kept = await keep_store.waiting(connection, timedelta(), None, 10, 1_000_000)
    assert {row.id for row in kept if row.refusal} == ids


async def test_rows_that_cannot_be_opened_stay_and_hold_nobody_up(start_intake: StartIntake) -> None:
    first = await start_intake(drain_timeout_s=0.2)
    spoiled = [uuid7(), uuid7()]
    await _lay_down(first, spoiled[0], b"")
    await _lay_down(first, spoiled[1], b"sealed with the key of another year")
    async with full_disk(first, "message_key"):
        await _acknowledged(first, adt("A01", control_id="after"))
        await first.stop()
    second = await start_intake()
    await until(lambda: _is_logged(second, 1))
    assert await second.event_types() == ["encounter.admitted"]
    assert [row["id"] for row in await second.rows("SELECT id FROM arrival ORDER BY id")] == spoiled
    async with second.database.pool.acquire() as connection:
        assert await keep_store.oldest_waiting_s(connection) > 0


async def test_what_was_acknowledged_and_would_be_refused_now_is_held(start_intake: StartIntake) -> None:
    first = await start_intake(drain_timeout_s=0.2)
    async with full_disk(first, "message_key"):
        await _acknowledged(first, adt("A01"))
        await first.database.pool.execute("UPDATE arrival SET host = '192.0.2.1'")
        await first.stop()
    second = await start_intake(Feeds())
    await until(lambda: _is_empty(second))
    assert await second.log() == [("A01", "held", "unknown-sender")]
    assert await second.rows("SELECT code FROM message") == [{"code": "AA"}]


async def test_what_somebody_else_interprets_for_long_is_waited_for(start_intake: StartIntake) -> None:
    first = await start_intake(drain_timeout_s=0.2)
    async with full_disk(first, "message_key"):
        for n in range(3):
            await _acknowledged(first, adt("A01", control_id=str(n), mrn=f"M{n}", visit=f"V{n}"))
        await first.stop()
    async with first.database.pool.acquire() as elsewhere, elsewhere.transaction():
        await elsewhere.execute("SELECT 1 FROM arrival ORDER BY id LIMIT 1 FOR UPDATE")
        second = await start_intake()
        await until(lambda: _is_logged(second, 2))
    await until(lambda: _is_empty(second))
    assert await second.log() == [("A01", "accepted", None)] * 3


async def test_long_messages_wait_at_the_sender_before_they_fill_memory(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working_off, "MOST_BYTES_AHEAD", 100_000)
    long = b"\rNTE|1||" + b"x" * 60_000
    sender = await intake.sender()
    async with full_disk(intake, "message_key"):
        for n in range(2):
            sender.write(b"\x0b" + adt("A08", control_id=str(n)) + long + b"\x1c\x0d")
            assert (await sender.answer())[1][1] == "AA"
        sender.write(b"\x0b" + adt("A08", control_id="2") + long + b"\x1c\x0d")
        await until(lambda: _has_failed(intake))
        assert await intake.database.pool.fetchval("SELECT count(*) FROM arrival") == 2
    assert (await sender.answer())[1][1:3] == ["AA", "2"]
    assert len(await intake.log()) == 3


async def test_readiness_returns_though_nobody_sends_again(intake: Intake) -> None:
    sender = await intake.sender()
    async with full_disk(intake, "arrival"):
        sender.write(b"\x0b" + adt("A01") + b"\x1c\x0d")
        await until(lambda: _cannot_keep(intake))
        sender.writer.close()
    await until(lambda: _is_well(intake))


async def _acknowledged(intake: Intake, message: bytes) -> None:
    sender = await intake.sender()
    sender.write(b"\x0b" + message + b"\x1c\x0d")
    assert (await sender.answer())[1][1] == "AA"


async def _lay_down(intake: Intake, message_id: UUID, sealed: bytes) -> None:
    await intake.database.pool.execute("INSERT INTO arrival VALUES ($1, now(), '127.0.0.1', $2)", message_id, sealed)


async def _is_empty(intake: Intake) -> bool:
    return not await intake.database.pool.fetchval("SELECT count(*) FROM arrival")


async def _is_logged(intake: Intake, count: int) -> bool:
    return bool(await intake.database.pool.fetchval("SELECT count(*) >= $1 FROM message", count))


async def _has_failed(intake: Intake) -> bool:
    return intake.reception.store_failures >= 2


async def _cannot_keep(intake: Intake) -> bool:
    return intake.listener.keeping.store_failures >= 1


async def _is_well(intake: Intake) -> bool:
    return not intake.listener.keeping.store_failures
