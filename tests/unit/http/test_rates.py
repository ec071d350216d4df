"""How often a caller may ask."""

import pytest

from shared.http import Problem
from shared.http.rates import CALLERS, CallerRates


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def refused(rates: CallerRates, subject: str) -> str | None:
    """The seconds to wait, as the answer's header says them; None when the request is let pass."""
    try:
        rates.take(subject)
    except Problem as problem:
        return problem.headers["Retry-After"] if problem.status == 429 else "another problem"
    return None


def test_a_burst_passes_then_the_steady_rate_and_others_are_not_held_up() -> None:
    clock = Clock()
    rates = CallerRates(0.5, 3, clock)
    assert [refused(rates, "engine") for _ in range(5)] == [None, None, None, "2", "2"]
    assert refused(rates, "ann") is None
    clock.now += 1.5
    assert refused(rates, "engine") == "1"
    clock.now += 0.5
    assert [refused(rates, "engine") for _ in range(2)] == [None, "2"]
    clock.now += 3600
    assert [refused(rates, "engine") for _ in range(4)] == [None, None, None, "2"]


def test_a_rate_of_zero_sets_no_limit() -> None:
    rates = CallerRates(0, 1, Clock())
    assert {refused(rates, "engine") for _ in range(1000)} == {None}


@pytest.mark.parametrize("returning", ["caller-0", "caller-1"])
def test_of_many_callers_those_who_asked_last_are_remembered(returning: str) -> None:
    rates = CallerRates(0.001, 1, Clock())
    for number in range(CALLERS):
        assert refused(rates, f"caller-{number}") is None
    rates.take("one more")
    assert (refused(rates, returning) is None) is (returning == "caller-0")
