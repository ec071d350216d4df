import asyncpg
import pytest

from shared.kafka.failures import ParkingLimit, is_transient
from shared.kafka.relay import partition_of


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (asyncpg.CannotConnectNowError("starting up"), True),
        (asyncpg.DeadlockDetectedError("deadlock"), True),
        (asyncpg.DiskFullError("full"), True),
        (asyncpg.UniqueViolationError("dup"), False),
        (ValueError("bad"), False),
    ],
)
def test_what_waiting_may_cure(error: Exception, transient: bool) -> None:  # noqa: FBT001
    assert is_transient(error) is transient


def test_twenty_keys_within_a_minute_are_too_many() -> None:
    limit = ParkingLimit()
    for n in range(20):
        assert not limit.reached(n)
        limit.parked(n, f"p{n}")
    assert limit.reached(20)
    assert not limit.reached(62)


def test_one_key_failing_often_is_one_key() -> None:
    limit = ParkingLimit()
    for n in range(50):
        limit.parked(n / 10, "p")
    assert not limit.reached(6)


def test_a_twentieth_of_the_keys_seen_is_too_many_once_enough_were_seen() -> None:
    limit = ParkingLimit()
    limit.saw(0, 100)
    for n in range(6):
        limit.parked(1, f"p{n}")
    assert not limit.reached(2)
    limit.saw(2, 20)
    assert not limit.reached(3)
    limit.saw(3, 80)
    assert not limit.reached(4)
    for n in range(6, 10):
        limit.parked(4, f"p{n}")
    assert limit.reached(5)


@pytest.mark.parametrize(
    # Reference hashes of Kafka's own Utils.murmur2 (its unit test), made positive as the default partitioner does.
    ("key", "hashed"),
    [("21", -973932308), ("foobar", -790332482), ("a-little-bit-long-string", -985981536)],
)
def test_keys_fall_into_the_same_partitions_as_with_the_java_client(key: str, hashed: int) -> None:
    assert partition_of(key, 12) == (hashed & 0x7FFFFFFF) % 12
