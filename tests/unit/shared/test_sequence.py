"""Whatever way events come, each has its effect once and in order: the pure heart of the consumer."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import AnyEvent, Barrier, Event, uuid7
from shared.events.operations import FeedCounted
from shared.kafka.applying import sort_batch, stream_of
from shared.kafka.sequence import Mark, Verdict, judge
from shared.kafka.store import Parked, StreamKey

NOW = datetime(2026, 3, 6, 21, 0, tzinfo=UTC)


def numbered(
    sequence: int, subject: str = "p", *, epoch: int = 1, snapshot: bool = False, after: Barrier | None = None
) -> AnyEvent:
    return Event(
        id=uuid7(), type=FeedCounted.TYPE, source="intake", topic="care.feeds.v1", subject=subject, time=NOW, recorded=NOW,
        sequence=sequence, epoch=epoch, correlation_id="c", causation_id="c", version=1, traceparent=None,
        snapshot=snapshot, after=after, fact=FeedCounted(feed=subject, minute=NOW, total=sequence),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("event", "mark", "joins_late", "verdict"),
    [
        (numbered(1), None, False, Verdict.FRESH),
        (numbered(2), None, False, Verdict.GAP),
        (numbered(2), None, True, Verdict.FRESH),
        (numbered(7, snapshot=True), None, False, Verdict.FRESH),
        (numbered(3), Mark(1, 3), False, Verdict.DUPLICATE),
        (numbered(2), Mark(1, 3), False, Verdict.DUPLICATE),
        (numbered(4), Mark(1, 3), False, Verdict.FRESH),
        (numbered(5), Mark(1, 3), False, Verdict.GAP),
        (numbered(5), Mark(1, 3), True, Verdict.GAP),
        (numbered(1, epoch=2), Mark(1, 9), False, Verdict.FRESH),
        (numbered(2, epoch=2), Mark(1, 9), False, Verdict.GAP),
        (numbered(10, epoch=1), Mark(2, 1), False, Verdict.DUPLICATE),
    ],
)
def test_verdicts(event: AnyEvent, mark: Mark | None, joins_late: bool, verdict: Verdict) -> None:  # noqa: FBT001
    assert judge(event, mark, joins_late=joins_late) is verdict


class Reader:
    """What a consumer keeps, in memory: marks and parked events; drains as the draining loop does."""

    def __init__(self) -> None:
        self.marks: dict[StreamKey, Mark] = {}
        self.parked: list[Parked] = []
        self.blocked: dict[str, str] = {}
        self.effects: list[tuple[str, int]] = []

    def take(self, batch: list[AnyEvent]) -> None:
        fate = sort_batch([Parked(event, (), b"") for event in batch], self.marks, self.blocked, joins_late=False)
        self.effects += [(event.subject, event.sequence) for event in fate.fresh]
        self.marks |= fate.marks
        self.parked += fate.parked
        self.blocked |= {subject: why.reason for subject, why in fate.blocks.items()}
        for subject in fate.awaited:
            self.drain(subject)

    def drain(self, subject: str) -> None:
        waiting = sorted((p for p in self.parked if p.event.subject == subject), key=lambda p: p.event.sequence)
        self.parked = [p for p in self.parked if p.event.subject != subject]
        del self.blocked[subject]
        self.take([p.event for p in waiting])


@given(
    order=st.permutations([numbered(n, subject) for subject in ("p", "q") for n in range(1, 7)]),
    repeats=st.lists(st.integers(0, 11), max_size=12),
    cut=st.integers(1, 5),
)
def test_any_order_and_repetition_has_each_effect_once_in_order(
    order: list[AnyEvent], repeats: list[int], cut: int
) -> None:
    reader = Reader()
    stream = [*order, *(order[i] for i in repeats)]
    for start in range(0, len(stream), cut):
        reader.take(stream[start : start + cut])
    for subject in ("p", "q"):
        assert [n for s, n in reader.effects if s == subject] == [1, 2, 3, 4, 5, 6]
    assert not reader.blocked


def test_a_merge_waits_for_the_retired_patient_and_is_held_with_that_reason() -> None:
    merge = numbered(1, "survivor", after=Barrier(subject="retired", sequence=2))
    fate = sort_batch([Parked(merge, (), b"")], {}, {}, joins_late=False)
    assert [p.event for p in fate.parked] == [merge]
    assert fate.blocks["survivor"].reason == "awaiting-merge"
    known = {stream_of(numbered(2, "retired")): Mark(1, 2)}
    assert sort_batch([Parked(merge, (), b"")], known, {}, joins_late=False).fresh == [merge]


def test_both_halves_of_a_merge_in_one_batch_apply_in_order() -> None:
    batch = [numbered(1, "retired"), numbered(1, "survivor", after=Barrier(subject="retired", sequence=1))]
    fate = sort_batch([Parked(event, (), b"") for event in batch], {}, {}, joins_late=False)
    assert fate.fresh == batch


def test_a_survivors_events_come_behind_what_they_wait_for_whatever_partition_was_first() -> None:
    survivor = [numbered(1, "survivor", after=Barrier(subject="retired", sequence=2)), numbered(2, "survivor")]
    retired = [numbered(1, "retired"), numbered(2, "retired")]
    batch = [*survivor, numbered(1, "another"), *retired]
    fate = sort_batch([Parked(event, (), b"") for event in batch], {}, {}, joins_late=False)
    assert fate.fresh == [batch[2], *retired, *survivor]
    assert not fate.parked


def test_events_behind_a_parked_one_are_parked_without_a_reason_of_their_own() -> None:
    fate = sort_batch([Parked(numbered(n), (), b"") for n in (1, 2)], {}, {"p": "failed"}, joins_late=False)
    assert len(fate.parked) == 2
    assert not fate.blocks
    assert not fate.awaited
