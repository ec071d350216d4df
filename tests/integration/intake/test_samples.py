"""Messages that others' senders wrote: none may crash anything, and every one of them is stored."""

import asyncio
from pathlib import Path

from services.intake.batch import is_batch, split
from tests.integration.intake.conftest import Intake, Sender
from tests.unit.intake.messages import DATA

SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
MOST_BYTES = 1 << 20


def payloads() -> list[bytes]:
    """Own files always; the collection of real ones where it stands beside the project. Framing bytes taken out."""
    files = sorted([*DATA.glob("*.hl7"), *SAMPLES.rglob("*.hl7")])
    raw = [file.read_bytes().strip(b"\x0b\x1c\r\n") for file in files]
    return [one.replace(b"\x0b", b"") for one in raw if one and len(one) < MOST_BYTES]


async def test_every_sample_is_stored_and_the_feed_goes_on(intake: Intake) -> None:
    messages = payloads()
    sender = await intake.sender()
    last = b"MSH|^~\\&|END|END|||||ADT^A01|last-one|P|2.5\r"
    sending = asyncio.create_task(_send_all(sender, [*messages, last]))
    while "last-one" not in "|".join((await sender.answer())[1]):
        pass
    await sending
    log = await intake.rows("SELECT outcome, reason FROM message")
    [repeated] = await intake.rows("SELECT coalesce(sum(count), 0)::int AS count FROM duplicates")
    sent = [
        one for message in (*messages, last) for one in ((is_batch(message) and split(message).messages) or [message])
    ]
    assert len(log) + repeated["count"] == len(sent)
    assert [row for row in log if row["reason"] == "rule-failed"] == []


async def _send_all(sender: Sender, messages: list[bytes]) -> None:
    for message in messages:
        sender.write(b"\x0b" + message + b"\x1c\x0d")
        await sender.writer.drain()
