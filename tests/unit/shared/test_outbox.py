"""An event that no broker takes is refused where it is said: behind it, everything would wait for ever."""

from datetime import UTC, datetime

import pytest

from shared.events import Draft
from shared.events.operations import FeedCounted
from shared.postgres.outbox import MOST_BYTES, MOST_TOGETHER, EventTooLargeError, unnumbered, values_of

NOW = datetime(2026, 3, 6, 15, 0, tzinfo=UTC)
EMPTY = len(FeedCounted(feed="", minute=NOW, total=3).model_dump_json(exclude_none=True))


def draft(length: int) -> Draft:
    fact = FeedCounted(feed="f" * (length - EMPTY), minute=NOW, total=3)
    return Draft(fact=fact, subject="p", time=NOW, correlation_id="c", causation_id="m", version=1)


def test_what_fits_is_said() -> None:
    assert [len(value) for value in values_of([draft(MOST_BYTES), draft(200)])] == [MOST_BYTES, 200]
    assert unnumbered("intake", [draft(200)])


def test_what_is_too_large_is_refused_and_not_quoted() -> None:
    with pytest.raises(EventTooLargeError, match=r"^care\.feed\.counted\.v1 of 800001 bytes"):
        unnumbered("intake", [draft(200), draft(MOST_BYTES + 1)])


def test_what_is_too_much_together_is_refused() -> None:
    several = [draft(MOST_BYTES)] * (MOST_TOGETHER // MOST_BYTES)
    assert unnumbered("intake", several)
    with pytest.raises(EventTooLargeError):
        unnumbered("intake", [*several, *several[:1]])
