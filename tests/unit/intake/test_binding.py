"""What was refused for who sent it, or as cut off, is not applied by being read again."""

from pathlib import Path

import pytest

from services.intake.arrival import read_arrival
from services.intake.binding import refused_for_good
from services.intake.feeds import Feeds, read_feeds
from services.intake.message import Outcome
from tests.unit.intake.messages import adt

FEEDS: Feeds = read_feeds(Path("deploy/feeds.yaml"))


@pytest.mark.parametrize("reason", ["sender-not-certified", "truncated-frame", "frame-too-large", "frame-timeout"])
def test_it_stays_refused(reason: str) -> None:
    arrival = refused_for_good(read_arrival(adt("A01"), FEEDS, ""), reason)
    assert (arrival.feed, arrival.adt) == (None, None)
    assert arrival.verdict is not None
    assert (arrival.verdict.outcome, arrival.verdict.reason) == (Outcome.REJECTED, reason)


@pytest.mark.parametrize("reason", [None, "unknown-sender", "rule-failed"])
def test_what_the_feeds_of_now_can_mend_is_read(reason: str | None) -> None:
    arrival = refused_for_good(read_arrival(adt("A01"), FEEDS, ""), reason)
    assert arrival.adt is not None
