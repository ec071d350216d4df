"""What one sender may take from the others: connections, rate, patience."""

import asyncio
import time

from services.intake.feeds import Feeds
from tests.integration.intake.conftest import Intake, StartIntake
from tests.unit.intake.messages import adt


def burst(count: int, facility: str = "GENHOSP") -> bytes:
    told = (adt("A01", control_id=str(n), mrn=f"M{n}", visit=f"V{n}", facility=facility) for n in range(count))
    return b"".join(b"\x0b" + one + b"\x1c\x0d" for one in told)


async def test_one_host_gets_no_more_than_its_connections(start_intake: StartIntake) -> None:
    intake = await start_intake(max_connections_per_host=2)
    first, second = await intake.sender(), await intake.sender()
    assert [await first.send(adt("A01")), await second.send(adt("A01"))] == ["AA", "AA"]
    assert await (await intake.sender()).is_closed()
    first.writer.close()
    await first.writer.wait_closed()
    assert await _gets_in(intake)


async def _gets_in(intake: Intake) -> bool:
    """The place that became free is taken as soon as the listener has seen the end of the other."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await (await intake.sender()).send(adt("A08")) == "AA"
            except (ConnectionError, asyncio.IncompleteReadError):
                continue


async def test_a_connection_that_is_too_fast_is_read_more_slowly_and_loses_nothing(start_intake: StartIntake) -> None:
    intake = await start_intake(max_per_second=20, max_unanswered=1000)
    sender = await intake.sender()
    began = time.monotonic()
    for _ in range(3):  # 20 at once are free; those that were read beyond are waited off before the next are read
        sender.write(burst(20))
        assert [(await sender.answer())[1][1] for _ in range(20)] == ["AA"] * 20
    assert time.monotonic() - began > 0.8


async def test_the_rate_of_a_feed_is_kept_over_all_its_connections(start_intake: StartIntake) -> None:
    intake = await start_intake()
    said = intake.feeds.model_dump()
    said["feeds"][0]["max_per_second"] = 10
    intake.listener.feeds = Feeds.model_validate(said)
    slow, other = await intake.sender(), await intake.sender()
    slow.write(burst(30))
    assert [(await slow.answer())[1][1] for _ in range(30)] == ["AA"] * 30
    slow.write(b"\x0b" + adt("A08", control_id="next") + b"\x1c\x0d")
    assert await other.send(adt("A01", facility="LAKESIDE", control_id="L1")) == "AA"
    waiting = asyncio.create_task(slow.answer())
    assert not waiting.done()
    assert (await waiting)[1][2] == "next"


async def test_a_sender_that_does_not_read_its_answers_is_cut_off(start_intake: StartIntake) -> None:
    intake = await start_intake(unread_timeout_s=0.3)
    sender = await intake.sender()
    long_name = "R" * 400_000  # the acknowledgement addresses the receiver by the name that it was given
    other = await intake.sender()
    closed = asyncio.create_task(_write_until_cut_off(sender.writer, long_name))
    await asyncio.wait_for(closed, 20)
    assert await other.send(adt("A01", control_id="other")) == "AA"


async def _write_until_cut_off(writer: asyncio.StreamWriter, name: str) -> None:
    number = 0
    try:
        while True:
            number += 1
            message = adt("A08", control_id=str(number)).replace(b"|HUB|HUB|", f"|{name}|HUB|".encode())
            writer.write(b"\x0b" + message + b"\x1c\x0d")
            await writer.drain()
    except ConnectionError:
        return
