"""Several replicas, shuffled and repeated stays, merges among them: one outcome, no deadlock, no gap."""

import asyncio
import random
from collections import defaultdict

from tests.integration.intake.conftest import Intake, Sender, StartIntake
from tests.unit.intake.messages import adt

STAYS = 12


def stay(number: int) -> list[bytes]:
    def say(trigger: str, step: int, location: str = "4W^1^A", **more: str) -> bytes:
        return adt(
            trigger,
            control_id=f"{number}-{step}",
            mrn=f"M{number}",
            visit=f"V{number}",
            recorded=f"202603{2 + step:02d}090000",
            admitted="20260302080000",
            location=location,
            **more,
        )

    return [
        say("A01", 0),
        say("A02", 1, "ICU^2^B"),
        say("A12", 2),
        say("A03", 3, discharged="20260305090000", disposition="01"),
        say("A13", 4),
        say("A08", 5, family="Tested"),
        say("A03", 6, discharged="20260308090000", disposition="03"),
    ]


async def deliver(sender: Sender, messages: list[bytes]) -> None:
    for message in messages:
        assert await sender.send(message) == "AA"


async def test_three_writers_agree_whatever_the_order(start_intake: StartIntake) -> None:
    replicas: list[Intake] = [await start_intake() for _ in range(3)]
    merges = [adt("A40", mrn=f"M{n}", retired=f"M{n - 1}", control_id=f"merge{n}") for n in range(1, STAYS, 3)]
    messages = [*(message for n in range(STAYS) for message in stay(n)), *merges]
    dealt = random.Random(7)  # noqa: S311  (a fixed shuffle)
    messages += dealt.choices(messages, k=len(messages) // 3)
    dealt.shuffle(messages)
    senders = [await replica.sender() for replica in replicas for _ in range(3)]
    await asyncio.gather(*(deliver(sender, messages[n :: len(senders)]) for n, sender in enumerate(senders)))

    intake = replicas[0]
    stays = await intake.rows("SELECT value, status, state FROM encounter")
    assert len(stays) == STAYS
    for one in stays:
        assert one["status"] == "finished"
        assert [m["kind"] for m in one["state"]["milestones"]] == ["admitted", "discharged"]
        assert one["state"]["said"]["disposition"]["nubc"] == "03"
    assert await intake.rows("SELECT 1 FROM message WHERE outcome <> 'accepted'") == []
    assert await _gaps(intake) == []
    merged = await intake.rows("SELECT 1 FROM patient_key WHERE survivor IS NOT NULL")
    assert len(merged) == len(merges)


async def _gaps(intake: Intake) -> list[str]:
    sequences: dict[str, list[int]] = defaultdict(list)
    for row in await intake.rows("SELECT subject, sequence FROM outbox WHERE topic ~ 'encounters' ORDER BY id"):
        sequences[row["subject"]].append(row["sequence"])
    return [subject for subject, told in sequences.items() if told != list(range(1, len(told) + 1))]
