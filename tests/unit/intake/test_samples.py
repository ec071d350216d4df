"""Messages that others' senders wrote, through reading: none may crash it, and most are understood.

What is not understood is looked at one by one in docs/hl7-samples.md.
"""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from services.intake import er7
from services.intake.arrival import Arrival, read_arrival
from services.intake.batch import split
from services.intake.feeds import Feed, Feeds, Sender
from services.intake.message import Reason
from shared.events.people import Facility

SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
READ = ("ADT", "REF", "SIU", "ORU", "MDM")
RECEIVED = datetime(2026, 7, 1, tzinfo=UTC)
TRIAL = Feed(
    name="trial",
    senders=(Sender(),),
    facility=Facility(code="TRIAL", time_zone="America/Chicago"),
    processing_ids=("*",),
)


def arrivals(raw: bytes) -> list[Arrival]:
    feeds = Feeds(feeds=(TRIAL,))
    return [read_arrival(one, feeds, "10.0.0.1", received=RECEIVED) for one in split(raw).messages or (raw,)]


def is_of_interest(arrival: Arrival) -> bool:
    """Of the types that are read, with MSH and PID."""
    if arrival.heading is None or arrival.heading.type not in READ:
        return False
    return "PID" in er7.read(arrival.raw).lines


if SAMPLES.is_dir():

    def test_every_sample_is_read_and_nine_of_ten_are_understood() -> None:
        read = [arrival for file in sorted(SAMPLES.rglob("*.hl7")) for arrival in arrivals(file.read_bytes())]
        assert len(read) >= len(list(SAMPLES.rglob("*.hl7")))
        failed = [
            arrival.trigger for arrival in read if arrival.verdict and arrival.verdict.reason is Reason.RULE_FAILED
        ]
        assert failed == []
        wanted = [arrival for arrival in read if is_of_interest(arrival)]
        reasons = Counter(arrival.verdict.reason for arrival in wanted if arrival.verdict)
        understood = sum(arrival.adt is not None for arrival in wanted)
        assert understood >= 0.9 * len(wanted), reasons
