"""What is answered before a message is read whole is what reading all of it would have answered."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.intake.arrival import Arrival, judge_arrival, read_arrival, read_on
from services.intake.feeds import Feeds, read_feeds
from services.intake.kinds import KINDS
from services.intake.message import Reason, Verdict
from tests.unit.intake.messages import adt

FEEDS = read_feeds(Path("deploy/feeds.yaml"))
RECEIVED = datetime(2026, 3, 6, 12, tzinfo=UTC)
SAMPLES = sorted(Path("../shared/samples").rglob("*.hl7"))
TRIGGERS = sorted(trigger for kind, trigger in KINDS if kind == "ADT")


def answer(arrival: Arrival) -> Verdict | None:
    """None: positively. What is skipped or held is answered so too."""
    return arrival.verdict if arrival.verdict and arrival.verdict.code != "AA" else None


def agree(raw: bytes, feeds: Feeds = FEEDS) -> Arrival:
    judged = judge_arrival(raw, feeds, "127.0.0.1", received=RECEIVED)
    read = read_arrival(raw, feeds, "127.0.0.1", received=RECEIVED)
    assert answer(judged) == answer(read)
    assert (judged.feed, judged.heading) == (read.feed, read.heading)
    read_on(judged, feeds)
    assert (judged.adt, judged.verdict, judged.doubts) == (read.adt, read.verdict, read.doubts)
    return judge_arrival(raw, feeds, "127.0.0.1", received=RECEIVED)


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_of_every_trigger(trigger: str) -> None:
    message = adt(trigger)
    lines = message.split(b"\r")
    for missing in (b"PID", b"PV1", b"EVN", b"MRG", b"ZBE"):
        agree(b"\r".join(line for line in lines if not line.startswith(missing)))
    agree(message)
    agree(message.replace(b"|2.5", b"|3.0"))
    agree(message.replace(b"|P|", b"|D|"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_of_every_sample(path: Path) -> None:
    agree(path.read_bytes())


def test_most_of_a_stay_is_judged_by_its_header_and_its_patient() -> None:
    for trigger in ("A01", "A02", "A03", "A08", "A11", "A13"):
        judged = agree(adt(trigger))
        assert (judged.adt, judged.verdict) == (None, None)


def test_what_retires_a_number_is_read_whole_first() -> None:
    refused = agree(b"\r".join(line for line in adt("A40").split(b"\r") if not line.startswith(b"MRG")))
    assert refused.verdict
    assert (refused.verdict.code, refused.verdict.reason) == ("AE", Reason.MISSING_RETIRED_PATIENT)
