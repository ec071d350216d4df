"""The schedule, what is final, what an endpoint's circuit does."""

from datetime import UTC, datetime, timedelta

import pytest

from services.notifications.closing import health_after
from services.notifications.retrying import (
    DISABLED_AFTER,
    FAILURES_TO_OPEN,
    JITTER,
    LONGEST_PAUSE,
    SCHEDULE,
    Answer,
    Health,
    Outcome,
    judge,
    parse_retry_after,
)

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def answered(status: int, retry_after: float | None = None) -> Answer:
    asked = timedelta(seconds=retry_after) if retry_after is not None else None
    return Answer(outcome=Outcome.ANSWERED, status=status, retry_after=asked)


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    hours = sum(SCHEDULE, timedelta()).total_seconds() / 3600
    assert 75 < hours < 76
    assert len(SCHEDULE) == 9


@pytest.mark.parametrize("attempt", range(1, len(SCHEDULE) + 1))
@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
def test_each_wait_is_within_the_jitter_of_the_table(attempt: int, chance: float) -> None:
    verdict = judge(answered(500), attempt, chance)
    assert verdict.wait is not None
    assert abs(verdict.wait / SCHEDULE[attempt - 1] - 1) <= JITTER


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (answered(200), "delivered", None),
        (answered(204), "delivered", None),
        (answered(301), "queued", None),
        (answered(400), "failed", "rejected"),
        (answered(404), "failed", "rejected"),
        (answered(408), "queued", None),
        (answered(410), "failed", "gone"),
        (answered(429), "queued", None),
        (answered(500), "queued", None),
        (answered(503), "queued", None),
        (Answer(outcome=Outcome.TIMED_OUT), "queued", None),
        (Answer(outcome=Outcome.NOT_CONNECTED), "queued", None),
        (Answer(outcome=Outcome.CONNECTION_LOST), "queued", None),
        (Answer(outcome=Outcome.TLS_FAILED), "queued", None),
        (Answer(outcome=Outcome.ADDRESS_REFUSED), "failed", "address-refused"),
        (Answer(outcome=Outcome.SECRET_UNREADABLE), "failed", "secret-unreadable"),
    ],
)
def test_verdicts(answer: Answer, status: str, reason: str | None) -> None:
    verdict = judge(answer, 1, 0.5)
    assert (verdict.status, verdict.reason) == (status, reason)
    assert verdict.disables is (answer.status == 410)


def test_the_last_attempt_that_fails_is_exhausted() -> None:
    assert judge(answered(500), 9, 0.5).status == "queued"
    assert judge(answered(500), 10, 0.5).reason == "exhausted"


@pytest.mark.parametrize(
    ("status", "asked", "waits", "pauses"),
    [(429, 60, 60, 60), (503, 60, 60, 60), (500, 60, 60, None), (429, 1, 5, 1), (429, 10**7, 86_400, 3600)],
)
def test_retry_after_stretches_the_wait_and_pauses_who_throttles(
    status: int, asked: int, waits: int, pauses: int | None
) -> None:
    verdict = judge(answered(status, asked), 1, 0.5)
    assert verdict.wait == timedelta(seconds=waits)
    assert verdict.pause == (timedelta(seconds=pauses) if pauses else None)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("120", 120),
        ("soon", None),
        ("-5", None),
        ("Tue, 10 Mar 2026 12:01:00 GMT", 60),
        ("Tue, 10 Mar 2026 11:00:00 GMT", 0),
        ("9" * 400, 999_999_99 + 1),
    ],
)
def test_retry_after_is_read_in_both_forms(header: str | None, seconds: int | None) -> None:
    assert parse_retry_after(header, NOW) == (None if seconds is None else timedelta(seconds=seconds))


def test_the_circuit_opens_backs_off_and_closes() -> None:
    health = Health()
    for _ in range(FAILURES_TO_OPEN - 1):
        health = health.after(answered(500), NOW)
        assert health.pause() is None
    pauses = []
    for _ in range(10):
        health = health.after(answered(500), NOW)
        pauses.append(health.pause())
    assert pauses[0] == timedelta(seconds=5)
    assert pauses[1] == timedelta(seconds=10)
    assert pauses[-1] == LONGEST_PAUSE
    assert health.after(answered(204), NOW) == Health()


def test_a_refusal_of_one_notice_is_no_failure_of_the_server() -> None:
    assert Health().after(answered(400), NOW) == Health()
    assert Health().after(answered(429), NOW).failures == 1


def test_failures_that_came_together_count_once_and_one_success_outweighs_them() -> None:
    assert health_after(Health(), [answered(500)] * 8, NOW).failures == 1
    assert health_after(Health(failures=7), [answered(500), answered(204)], NOW) == Health()


def test_only_failures_for_days_wear_an_endpoint_out() -> None:
    health = Health(failures=FAILURES_TO_OPEN, failing_since=NOW)
    assert not health.worn_out(NOW + DISABLED_AFTER)
    assert health.worn_out(NOW + DISABLED_AFTER + timedelta(seconds=1))
    assert not Health(failures=1, failing_since=NOW).worn_out(NOW + timedelta(days=9))
