"""A field may be as long as a frame: nothing of it is kept, and nothing takes the square of its length."""

import tracemalloc
from datetime import UTC, datetime

from services.intake.arrival import read_arrival
from services.intake.feeds import Feeds
from services.intake.identity.jaro import jaro_winkler
from services.intake.identity.traits import LONGEST_COMPARED, plain, traits_of
from services.intake.remembering import remembered
from tests.unit.intake.messages import adt

LONG = 400_000
MESSAGES = 40
SEEN = 8_000_000
"""Bytes that may stay: the texts alone are 16 million characters, in several fields."""


def test_what_is_short_is_read_once_and_what_is_long_each_time() -> None:
    asked: list[tuple[str, int]] = []

    @remembered(10, longest=3)
    def length(text: str, of: int = 1) -> int:
        asked.append((text, of))
        return len(text) * of

    assert [length("abc"), length("abc"), length("abc", 2), length("abcd"), length("abcd")] == [3, 3, 6, 4, 4]
    assert asked == [("abc", 1), ("abc", 2), ("abcd", 1), ("abcd", 1)]


def test_long_fields_do_not_stay_in_memory() -> None:
    feeds = Feeds()
    tracemalloc.start()
    try:
        for n in range(MESSAGES):
            long = f"{n}" + "9" * LONG
            raw = adt("A01", control_id=str(n), mrn=f"M{n}", family=long, recorded=long, location=long)
            arrival = read_arrival(raw, feeds, "127.0.0.1", received=datetime.now(UTC))
            assert arrival.heading is not None
            del arrival, raw, long
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < SEEN


def test_of_a_long_name_its_beginning_is_compared() -> None:
    one, other = (traits_of({"name": {"family": start + "é" * LONG}}).family for start in ("Åb", "ab"))
    assert one == other == "ab" + "e" * (LONGEST_COMPARED - 2)
    assert jaro_winkler(plain("x" * LONG), plain("y" * LONG)) == 0.0
