"""What senders and strangers do to the listener."""

import asyncio
import os

import psutil
import pytest

from services.intake.connection import MOST_IN_BATCH, MOST_SPOILED
from tests.integration.intake.conftest import Intake, StartIntake, until
from tests.unit.intake.messages import adt


async def test_every_split_of_a_frame(intake: Intake) -> None:
    sender = await intake.sender()
    frame = b"\x0b" + adt("A08") + b"\x1c\x0d"
    for cut in range(1, len(frame), 7):
        sender.write(frame[:cut])
        await sender.writer.drain()
        await asyncio.sleep(0)
        sender.write(frame[cut:])
        assert (await sender.answer())[1][1] == "AA"
    assert len(await intake.log()) == 1


async def test_pipelined_messages_are_answered_in_their_order(start_intake: StartIntake) -> None:
    intake = await start_intake(max_unanswered=4)
    sender = await intake.sender()
    ids = [str(n) for n in range(60)]
    sender.write(b"".join(b"\x0b" + adt("A01", control_id=n, mrn=f"M{n}", visit=f"V{n}") + b"\x1c\x0d" for n in ids))
    assert [(await sender.answer())[1][2] for _ in ids] == ids


async def test_a_frame_inside_a_frame_is_logged_and_the_whole_one_answered(intake: Intake) -> None:
    sender = await intake.sender()
    sender.write(b"\x0b" + adt("A01")[:80] + b"\x0b" + adt("A01", control_id="whole") + b"\x1c\x0d")
    assert (await sender.answer())[1][1:3] == ["AA", "whole"]
    await until(lambda: _logged(intake, ("A01", "rejected", "truncated-frame")))


async def test_a_cut_frame_is_logged_and_never_acknowledged(intake: Intake) -> None:
    sender = await intake.sender()
    sender.write(b"\x0b" + adt("A01")[:100])
    await sender.writer.drain()
    sender.writer.close()
    await until(lambda: _logged(intake, ("A01", "rejected", "truncated-frame")))


async def test_who_sends_broken_frames_alone_is_cut_off(intake: Intake) -> None:
    sender = await intake.sender()
    sender.write(b"\x0bMSH" * 1000)
    assert await sender.is_closed()
    assert len(await intake.log()) <= MOST_SPOILED


async def test_a_batch_of_too_many_messages_is_refused_as_one(intake: Intake) -> None:
    sender = await intake.sender()
    sender.write(b"\x0b" + b"MSH|\r" * (MOST_IN_BATCH + 1) + b"\x1c\x0d")
    await sender.reader.read()
    assert [row[1:] for row in await intake.log()] == [("rejected", "frame-too-large")]


async def test_a_slow_drip_ends_by_the_frames_timeout(start_intake: StartIntake) -> None:
    intake = await start_intake(frame_timeout_s=0.3)
    sender = await intake.sender()
    closed = asyncio.create_task(sender.is_closed())
    for byte in b"\x0b" + adt("A01"):
        if closed.done():
            break
        sender.write(bytes([byte]))
        await asyncio.wait({closed}, timeout=0.05)
    assert await closed
    await until(lambda: _logged(intake, ("", "rejected", "frame-timeout")))


async def test_idle_connections_are_closed_even_when_they_chatter(start_intake: StartIntake) -> None:
    intake = await start_intake(idle_timeout_s=0.3)
    silent, chattering = await intake.sender(), await intake.sender()
    chattering.write(b"no start block, ever")
    assert all(await asyncio.gather(silent.is_closed(), chattering.is_closed()))


async def test_a_hundred_megabytes_are_refused_from_the_beginning_and_never_kept(intake: Intake) -> None:
    before = psutil.Process().memory_info().rss
    sender = await intake.sender()
    sender.write(b"\x0b" + adt("A01", control_id="huge"))
    chunk = os.urandom(1 << 20).replace(b"\x0b", b"x").replace(b"\x1c", b"x")
    try:
        for _ in range(100):
            sender.write(chunk)
            await sender.writer.drain()
    except ConnectionError:
        pass
    assert psutil.Process().memory_info().rss - before < 60 * (1 << 20)
    await until(lambda: _logged(intake, ("A01", "rejected", "frame-too-large")))
    [row] = await intake.rows("SELECT size FROM message")
    assert row["size"] == 4096


async def test_a_frame_just_over_the_limit_gets_its_rejection_and_the_connection_ends(
    start_intake: StartIntake,
) -> None:
    intake = await start_intake(max_frame_bytes=5000)
    sender = await intake.sender()
    sender.write(b"\x0b" + adt("A01", control_id="big") + b"NTE|1||" + b"x" * 5000 + b"\x1c\x0d")
    assert (await sender.answer())[1][1:3] == ["AR", "big"]
    assert await sender.is_closed()


@pytest.mark.parametrize("noise", [b"\x00" * 500, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"])
async def test_noise_between_frames_is_dropped(intake: Intake, noise: bytes) -> None:
    sender = await intake.sender()
    sender.write(noise)
    assert await sender.send(adt("A01")) == "AA"


async def test_nuls_inside_a_message_do_not_reach_the_store(intake: Intake) -> None:
    sender = await intake.sender()
    assert await sender.send(adt("A01").replace(b"Testa", b"Te\x00sta")) == "AA"
    [row] = await intake.rows("SELECT doubts, outcome FROM message")
    assert row == {"doubts": "NUL", "outcome": "accepted"}


async def test_more_connections_than_allowed_are_closed_and_others_go_on(start_intake: StartIntake) -> None:
    intake = await start_intake(max_connections=2)
    first, second = await intake.sender(), await intake.sender()
    assert [await first.send(adt("A01")), await second.send(adt("A01"))] == ["AA", "AA"]
    assert await (await intake.sender()).is_closed()
    assert await first.send(adt("A01")) == "AA"


async def _logged(intake: Intake, line: tuple[str, str, str | None]) -> bool:
    return line in await intake.log()
