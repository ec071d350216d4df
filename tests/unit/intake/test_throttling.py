from hypothesis import given
from hypothesis import strategies as st

from services.intake.throttling import Bucket


def test_a_second_of_messages_at_once_then_the_rate() -> None:
    bucket = Bucket(10, now=0)
    assert [bucket.take(0) for _ in range(10)] == [0.0] * 10
    assert bucket.take(0) == 0.1
    assert bucket.take(0.2) == 0.0


def test_a_rate_below_one_a_second() -> None:
    bucket = Bucket(0.5, now=0)
    assert (bucket.take(0), bucket.take(0), bucket.take(4)) == (0.0, 2.0, 0.0)


@given(st.floats(0.1, 1000), st.lists(st.floats(0, 5), max_size=200))
def test_whoever_waits_as_told_keeps_the_rate(rate: float, gaps: list[float]) -> None:
    bucket, now = Bucket(rate, now=0), 0.0
    for count, gap in enumerate(gaps, 1):
        now += gap
        now += bucket.take(now)
        assert count <= max(rate, 1) + now * rate + 1e-6
