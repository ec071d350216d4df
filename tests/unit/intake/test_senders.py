"""Who is expected to send again soon: for them a group waits a moment."""

from services.intake.receiving import LATELY_S, Senders


def test_whoever_sends_alone_is_the_only_one_expected() -> None:
    senders = Senders()
    for number in range(20):
        senders.heard("one", number * LATELY_S / 5)
        assert senders.lately() == 1


def test_each_sender_counts_once() -> None:
    senders = Senders()
    for number in range(100):
        senders.heard(number % 7, number * LATELY_S / 1000)
    assert senders.lately() == 7


def test_whoever_fell_silent_is_forgotten_after_twice_the_time() -> None:
    senders = Senders()
    senders.heard("silent", 10.0)
    for at in (10.1, 10.0 + 1.1 * LATELY_S, 10.0 + 2.3 * LATELY_S):
        senders.heard("one", at)
    assert senders.lately() == 1


def test_after_a_pause_of_all_nobody_else_is_expected() -> None:
    senders = Senders()
    for name in ("one", "two", "three"):
        senders.heard(name, 10.0)
    senders.heard("one", 10.0 + 3 * LATELY_S)
    assert senders.lately() == 1
