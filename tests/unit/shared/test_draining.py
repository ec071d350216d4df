"""Releasing parked patients: what one transaction takes, in which order, and who must wait still."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from shared.events import AnyEvent, Barrier, Event, Topic, uuid7
from shared.events.operations import FeedCounted
from shared.kafka.draining import Head, Plan, plan_release
from shared.kafka.sequence import Mark
from shared.kafka.store import Parked, StreamKey

NOW = datetime(2026, 3, 6, 21, 0, tzinfo=UTC)
FEEDS, PLANS = Topic.FEEDS.value, Topic.PLANS.value


def parked(
    row: int, sequence: int, subject: str = "p", *, topic: str = FEEDS, epoch: int = 1, after: Barrier | None = None
) -> Head:
    event: AnyEvent = Event(
        id=uuid7(), type=FeedCounted.TYPE, source="intake", topic=topic, subject=subject, time=NOW, recorded=NOW,
        sequence=sequence, epoch=epoch, correlation_id="c", causation_id="c", version=1, traceparent=None,
        after=after, fact=FeedCounted(feed=subject, minute=NOW, total=sequence),
    )  # fmt: skip
    return Head(row, Parked(event, (), b""))


def stream(subject: str = "p", topic: str = FEEDS) -> StreamKey:
    return ("intake", topic, subject)


def planned(
    heads: Sequence[Head], known: dict[StreamKey, Mark], *, each: int = 20, joins_late: bool = False
) -> tuple[Plan, list[tuple[str, str, int]]]:
    by_subject: dict[str, list[Head]] = {}
    for head in heads:
        by_subject.setdefault(head.parked.event.subject, []).append(head)
    plan = plan_release(by_subject, known, each=each, joins_late=joins_late)
    return plan, [(item.event.subject, item.event.topic, item.event.sequence) for item in plan.apply]


def test_a_stream_goes_by_its_numbers_whatever_order_it_was_parked_in() -> None:
    plan, applied = planned([parked(1, 3), parked(2, 2), parked(3, 4)], {stream(): Mark(1, 1)})
    assert applied == [("p", FEEDS, 2), ("p", FEEDS, 3), ("p", FEEDS, 4)]
    assert sorted(plan.done) == [1, 2, 3]
    assert plan.marks == {stream(): Mark(1, 4)}


def test_of_several_streams_the_one_parked_longest_goes_first() -> None:
    heads = [parked(2, 1), parked(5, 2), parked(1, 1, topic=PLANS), parked(4, 2, topic=PLANS)]
    _, applied = planned(heads, {})
    assert applied == [("p", PLANS, 1), ("p", FEEDS, 1), ("p", PLANS, 2), ("p", FEEDS, 2)]


def test_what_took_effect_already_is_dropped_without_effect() -> None:
    plan, applied = planned([parked(1, 1), parked(2, 2), parked(3, 3)], {stream(): Mark(1, 2)})
    assert applied == [("p", FEEDS, 3)]
    assert plan.done == [1, 2, 3]


def test_a_gap_stops_its_stream_and_not_the_others() -> None:
    heads = [parked(1, 5), parked(2, 1, topic=PLANS), parked(3, 1, "q")]
    plan, applied = planned(heads, {stream(): Mark(1, 3)})
    assert applied == [("p", PLANS, 1), ("q", FEEDS, 1)]
    assert {subject: why.reason for subject, why in plan.waits.items()} == {"p": "gap"}


def test_a_higher_epoch_starts_anew_behind_the_lower_one() -> None:
    _, applied = planned([parked(1, 1, epoch=2), parked(2, 4)], {stream(): Mark(1, 3)})
    assert applied == [("p", FEEDS, 4), ("p", FEEDS, 1)]


@pytest.mark.parametrize("order", [("retired", "survivor"), ("survivor", "retired")])
def test_a_survivor_goes_behind_the_retired_patient_who_is_released_with_it(order: tuple[str, str]) -> None:
    heads = {
        "retired": [parked(1, 1, "retired"), parked(2, 2, "retired")],
        "survivor": [parked(3, 1, "survivor", after=Barrier(subject="retired", sequence=2))],
    }
    plan, applied = planned([head for subject in order for head in heads[subject]], {})
    assert applied[-1] == ("survivor", FEEDS, 1)
    assert len(applied) == 3
    assert plan.waits == {}


def test_a_survivor_waits_for_what_is_still_parked() -> None:
    plan, applied = planned([parked(1, 1, after=Barrier(subject="retired", sequence=2))], {})
    assert applied == []
    assert plan.waits["p"].waits_for == (stream("retired"), Mark(1, 2))


def test_a_reader_that_joins_late_waits_for_no_stream_that_it_never_saw() -> None:
    _, applied = planned([parked(1, 4, after=Barrier(subject="retired", sequence=2))], {}, joins_late=True)
    assert applied == [("p", FEEDS, 4)]


def test_no_more_than_so_many_of_a_patient_and_nobody_is_parked_for_it() -> None:
    heads = [parked(n, n) for n in range(1, 8)] + [parked(n, n - 10, "q") for n in range(11, 14)]
    plan, applied = planned(heads, {}, each=5)
    assert [n for subject, _, n in applied if subject == "p"] == [1, 2, 3, 4, 5]
    assert [n for subject, _, n in applied if subject == "q"] == [1, 2, 3]
    assert plan.waits == {}
