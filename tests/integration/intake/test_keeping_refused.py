"""What is refused is answered before it stands in the log, and stands there as it was answered, whatever comes between."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.intake import receiving
from services.intake.acknowledgement import acknowledge
from services.intake.arrival import Arrival, read_arrival, spoiled_arrival
from services.intake.batch import is_batch
from services.intake.chart import ACCEPTED
from services.intake.feeds import Feeds, read_feeds
from services.intake.message import Outcome, Reason
from tests.integration.intake.conftest import DEADLINE_S, Intake, StartIntake, full_disk, until
from tests.integration.intake.test_samples import payloads
from tests.unit.intake.messages import REFUSED, adt

FEEDS = read_feeds(Path("deploy/feeds.yaml"))
GENEROUS = Feeds(feeds=tuple(feed.model_copy(update={"processing_ids": ("*",)}) for feed in FEEDS.feeds))
LOG = (
    "SELECT feed, control_id, trigger, outcome, reason, code, encode(sha256, 'hex') AS digest FROM message ORDER BY id"
)


async def _answers(intake: Intake, *messages: bytes) -> list[str]:
    """MSA-1 of each, all sent at once; does not wait for any effect."""
    sender = await intake.sender()
    sender.write(b"".join(b"\x0b" + message + b"\x1c\x0d" for message in messages))
    return [(await sender.answer())[1][1] for _ in messages]


def _lasting_part(ack: bytes) -> list[list[bytes]]:
    """An acknowledgement but for its time and its own control id."""
    lines = [line.split(ack[3:4]) for line in ack.split(b"\r")]
    return [[*lines[0][:6], *lines[0][7:9], *lines[0][10:]], *lines[1:]]


def _told(arrival: Arrival) -> list[bytes]:
    return acknowledge(arrival.heading, arrival.verdict or ACCEPTED, datetime.now(UTC))


def _refused(message: bytes) -> Arrival | None:
    arrival = read_arrival(message, FEEDS, "127.0.0.1")
    return arrival if arrival.verdict and arrival.verdict.is_refusal else None


async def test_each_refusal_is_acknowledged_as_the_message_reads(intake: Intake) -> None:
    told = [one for message in (*payloads(), *REFUSED) if not is_batch(message) and (one := _refused(message))]
    sender = await intake.sender()
    for arrival in told:
        sender.write(b"\x0b" + arrival.raw + b"\x1c\x0d")
    for ack in (ack for arrival in told for ack in _told(arrival)):
        frame = await asyncio.wait_for(sender.reader.readuntil(b"\x1c\x0d"), DEADLINE_S)
        assert _lasting_part(frame[1:-2]) == _lasting_part(ack)
    assert [tuple(row.values()) for row in await intake.rows(LOG)] == [
        (one.feed_name, one.control_id, one.trigger, verdict.outcome, verdict.reason, verdict.code, one.digest.hex())
        for one in told
        if (verdict := one.verdict)
    ]


async def test_what_was_refused_is_not_applied_by_a_process_with_other_feeds(start_intake: StartIntake) -> None:
    first = await start_intake(drain_timeout_s=0.2)
    async with full_disk(first, "message_key"):
        training = [adt("A01", control_id=str(n), processing_id="T") for n in range(3)]
        assert await _answers(first, adt("A01", control_id="good"), *training) == ["AA", "AR", "AR", "AR"]
        assert await first.database.pool.fetchval("SELECT count(*) FROM message") == 0
        await first.stop()
    replicas = [await start_intake(GENEROUS) for _ in range(2)]
    await until(lambda: _is_empty(replicas[0]))
    for replica in replicas:
        await replica.interpreted()
    assert await replicas[0].rows("SELECT control_id, outcome, reason, code FROM message ORDER BY id") == [
        {"control_id": "good", "outcome": "accepted", "reason": None, "code": "AA"},
        *(
            {"control_id": str(n), "outcome": "rejected", "reason": "wrong-processing-id", "code": "AR"}
            for n in range(3)
        ),
    ]
    assert await replicas[0].event_types() == ["encounter.admitted"]
    # It was told no, so it may well send the same bytes again.
    assert await _answers(replicas[0], training[0]) == ["AA"]


async def test_what_was_acknowledged_before_is_answered_from_the_store(start_intake: StartIntake) -> None:
    training, other = (adt("A01", control_id=name, processing_id="T") for name in ("training", "other"))
    generous = await start_intake(GENEROUS)
    assert await _answers(generous, training) == ["AA"]
    await generous.interpreted()
    strict = await start_intake()
    assert await _answers(strict, training, other, training) == ["AA", "AR", "AA"]
    assert await strict.log() == [("A01", "accepted", None), ("A01", "rejected", "wrong-processing-id")]
    assert await strict.rows("SELECT sum(count)::int AS count FROM duplicates") == [{"count": 2}]
    assert await strict.event_types() == ["encounter.admitted"]


async def test_what_was_acknowledged_and_waits_is_acknowledged_again(start_intake: StartIntake) -> None:
    """The log does not tell of it yet: by the process that took it, and by the next one."""
    training, other = (adt("A01", control_id=name, processing_id="T") for name in ("training", "other"))
    generous = await start_intake(GENEROUS, drain_timeout_s=0.2)
    async with full_disk(generous, "message_key"):
        assert await _answers(generous, training) == ["AA"]
        generous.listener.feeds = FEEDS
        assert await _answers(generous, training, other, training) == ["AA", "AR", "AA"]
        await generous.stop()
        strict = await start_intake(drain_timeout_s=0.2)
        resent = read_arrival(training, FEEDS, "127.0.0.1")
        await until(lambda: _waits(strict, resent))
        assert await _answers(strict, training, other) == ["AA", "AR"]
    assert await strict.log() == [
        ("A01", "held", "wrong-processing-id"),
        *[("A01", "rejected", "wrong-processing-id")] * 2,
    ]
    assert not strict.working_off.has_acknowledged(resent)
    assert await strict.event_types() == []


async def test_it_is_answered_from_the_store_where_the_sender_waits_for_its_effect_too(intake: Intake) -> None:
    training = adt("A01", processing_id="T")
    taken = await intake.reception.offer(read_arrival(training, GENEROUS, "127.0.0.1"))
    again = await intake.reception.offer(read_arrival(training, FEEDS, "127.0.0.1"))
    assert (taken.outcome, again.outcome) == (Outcome.ACCEPTED, Outcome.DUPLICATE)


async def test_broken_frames_are_evidence_after_a_crash_too(start_intake: StartIntake) -> None:
    first = await start_intake(drain_timeout_s=0.2)
    async with full_disk(first, "message_key"):
        first.listener.keeping.offer(spoiled_arrival(adt("A01"), Reason.TRUNCATED_FRAME))
        sender = await first.sender()
        sender.write(b"\x0b" + adt("A03")[:-40])
        await sender.writer.drain()
        sender.writer.close()
        await until(lambda: _are_kept(first, 2))
        await first.stop()
    second = await start_intake()
    await until(lambda: _is_empty(second))
    assert sorted(await second.log()) == [
        ("A01", "rejected", "truncated-frame"),
        ("A03", "rejected", "truncated-frame"),
    ]
    assert await second.rows("SELECT DISTINCT feed FROM message") == [{"feed": "unknown"}]


async def test_whoever_waits_for_an_effect_takes_those_along_who_do_not(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "GATHER_ANSWERED_S", (3600.0, 3600.0))
    monkeypatch.setattr(receiving, "QUIET_S", float("inf"))
    people = [adt("A01", control_id=str(n), mrn=f"M{n}", visit=f"V{n}") for n in range(4)]
    assert await _answers(intake, *people[:3]) == ["AA"] * 3
    verdict = await intake.reception.offer(read_arrival(people[3], FEEDS, "127.0.0.1"))
    assert verdict.outcome == Outcome.ACCEPTED
    assert len(await intake.log()) == 4


async def _waits(intake: Intake, arrival: Arrival) -> bool:
    return intake.working_off.has_acknowledged(arrival)


async def _is_empty(intake: Intake) -> bool:
    return await _are_kept(intake, 0)


async def _are_kept(intake: Intake, count: int) -> bool:
    return bool(await intake.database.pool.fetchval("SELECT count(*) FROM arrival") == count)
