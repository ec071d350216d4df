"""What a sender was told is what another process writes down, whatever the feeds are then."""

from pathlib import Path

import orjson
import pytest

from services.intake.arrival import (
    Arrival,
    judge_arrival,
    read_on,
    refused_before,
    spoiled_arrival,
    stand_by_the_answer,
)
from services.intake.binding import NOT_CERTIFIED
from services.intake.feeds import FeedDirectory, Feeds, read_feeds
from services.intake.keep_store import refusal_from, refusal_of
from services.intake.message import Outcome, Reason
from tests.unit.intake.messages import REFUSED, adt

FEEDS = read_feeds(Path("deploy/feeds.yaml"))
GENEROUS = Feeds(feeds=tuple(feed.model_copy(update={"processing_ids": ("*",)}) for feed in FEEDS.feeds))
SAMPLES = sorted(Path("../shared/samples").rglob("*.hl7"))
SPOILED = (Reason.TRUNCATED_FRAME, Reason.FRAME_TOO_LARGE, Reason.FRAME_TIMEOUT, Reason.NO_HEADER)


def refused_by_feeds() -> list[bytes]:
    judged = [(raw, judge_arrival(raw, FEEDS, "127.0.0.1")) for raw in (path.read_bytes() for path in SAMPLES)]
    return [raw for raw, arrival in judged if arrival.verdict and arrival.verdict.is_refusal]


def taken_up(told: Arrival, feeds: FeedDirectory) -> Arrival:
    """As another process reads it, of what this one has kept."""
    kept = refusal_of(told)
    assert kept is not None
    again = judge_arrival(told.raw, feeds, told.host, message_id=told.id, received=told.received)
    refused_before(again, *refusal_from(orjson.loads(kept)), feeds)
    read_on(again, feeds)
    stand_by_the_answer(again)
    return again


def stays_refused(told: Arrival) -> None:
    for feeds in (FEEDS, GENEROUS, Feeds()):
        again = taken_up(told, feeds)
        assert (again.verdict, again.adt, again.is_replay) == (told.verdict, None, False)
        assert again.feed_name in {told.feed_name, "unknown"}
        assert (again.control_id, again.trigger, again.digest) == (told.control_id, told.trigger, told.digest)
    assert taken_up(told, FEEDS).feed_name == told.feed_name


@pytest.mark.parametrize("message", REFUSED)
def test_what_a_feed_refuses(message: bytes) -> None:
    told = judge_arrival(message, FEEDS, "192.0.2.1")
    assert told.verdict
    assert told.verdict.is_refusal
    stays_refused(told)


@pytest.mark.parametrize("message", refused_by_feeds())
def test_what_is_refused_of_the_samples(message: bytes) -> None:
    stays_refused(judge_arrival(message, FEEDS, "127.0.0.1"))


@pytest.mark.parametrize("reason", SPOILED)
def test_what_never_became_a_message(reason: Reason) -> None:
    stays_refused(spoiled_arrival(adt("A01"), reason))
    stays_refused(spoiled_arrival(b"<html>", reason))


def test_whoever_shows_the_wrong_certificate() -> None:
    told = judge_arrival(adt("A01"), FEEDS, "127.0.0.1")
    told.feed, told.verdict = None, NOT_CERTIFIED
    stays_refused(told)


def test_what_was_acknowledged_positively_is_never_refused() -> None:
    for message in (adt("A01"), adt("A01", processing_id="T"), adt("A20"), b"<html>"):
        told = judge_arrival(message, GENEROUS, "127.0.0.1")
        again = judge_arrival(message, FEEDS, "127.0.0.1")
        read_on(again, FEEDS)
        stand_by_the_answer(again)
        assert refusal_of(told) is None or message == b"<html>"
        assert again.verdict is None or again.verdict.outcome in {Outcome.HELD, Outcome.SKIPPED}
