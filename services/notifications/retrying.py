"""After an attempt: delivered, again later, or dead; and what that says about the endpoint. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# Standard Webhooks 1.0.0: at once, then these waits; the last attempt is about 75 hours after the first.
SCHEDULE = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
JITTER = 0.1
LONGEST_WAIT_ASKED = timedelta(hours=24)
LONGEST_PAUSE_ASKED = timedelta(hours=1)
THROTTLING = {429, 502, 503, 504}
RETRIED_4XX = {408, 429}
GONE = 410

# The circuit: so many failures in a row open it; it then lets one attempt through after each pause.
FAILURES_TO_OPEN = 5
SHORTEST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=5)
DISABLED_AFTER = timedelta(days=5)


class Outcome(StrEnum):
    """How an attempt ended: a closed list, since people are shown and counted by it."""

    ANSWERED = "answered"
    TIMED_OUT = "timed-out"
    NOT_CONNECTED = "not-connected"
    CONNECTION_LOST = "connection-lost"
    TLS_FAILED = "tls-failed"
    ADDRESS_REFUSED = "address-refused"
    SECRET_UNREADABLE = "secret-unreadable"  # noqa: S105  (names an outcome)


NEVER_REACHED = {Outcome.NOT_CONNECTED, Outcome.TLS_FAILED, Outcome.ADDRESS_REFUSED, Outcome.SECRET_UNREADABLE}
OUR_OWN_FAULT = {Outcome.ADDRESS_REFUSED, Outcome.SECRET_UNREADABLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an attempt met. `status` only if ANSWERED; `retry_after` as the recipient asked; `body` is cut."""

    outcome: Outcome
    status: int | None = None
    retry_after: timedelta | None = None
    latency_ms: int = 0
    body: bytes = b""

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004  (the class of success)

    @property
    def may_have_arrived(self) -> bool:
        return self.outcome not in NEVER_REACHED


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What follows. `wait` only with status `queued`; `reason` only with `failed`."""

    status: str
    wait: timedelta | None = None
    reason: str | None = None
    disables: bool = False
    pause: timedelta | None = None


def judge(answer: Answer, attempt: int, chance: float, schedule: Sequence[timedelta] = SCHEDULE) -> Verdict:
    """The verdict on the attempt with this number (from 1). `chance` in [0, 1) spreads the wait by ±JITTER."""
    if answer.accepted:
        return Verdict(status="delivered")
    if answer.status == GONE:
        return Verdict(status="failed", reason="gone", disables=True)
    if answer.outcome in OUR_OWN_FAULT:
        return Verdict(status="failed", reason=answer.outcome.value)
    if answer.status is not None and 400 <= answer.status < 500 and answer.status not in RETRIED_4XX:  # noqa: PLR2004
        return Verdict(status="failed", reason="rejected")
    pause = _pause_asked(answer)
    if attempt > len(schedule):
        return Verdict(status="failed", reason="exhausted", pause=pause)
    wait = schedule[attempt - 1] * (1 + JITTER * (2 * chance - 1))
    asked = min(answer.retry_after or timedelta(), LONGEST_WAIT_ASKED)
    return Verdict(status="queued", wait=max(wait, asked), pause=pause)


def _pause_asked(answer: Answer) -> timedelta | None:
    """A recipient that throttles asks for the whole endpoint, not for one notice."""
    if answer.status in THROTTLING and answer.retry_after:
        return min(answer.retry_after, LONGEST_PAUSE_ASKED)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """An endpoint's circuit: closed below FAILURES_TO_OPEN failures in a row."""

    failures: int = 0
    failing_since: datetime | None = None

    @property
    def open(self) -> bool:
        return self.failures >= FAILURES_TO_OPEN

    def after(self, answer: Answer, now: datetime) -> "Health":
        """A refusal of one notice (4xx) is still an answer of a healthy server."""
        if _answers_properly(answer):
            return Health()
        return Health(failures=self.failures + 1, failing_since=self.failing_since or now)

    def pause(self) -> timedelta | None:
        if not self.open:
            return None
        doubled: timedelta = SHORTEST_PAUSE * 2 ** min(self.failures - FAILURES_TO_OPEN, 10)
        return min(doubled, LONGEST_PAUSE)

    def worn_out(self, now: datetime) -> bool:
        """Nothing but failures for so long that nobody can be there any more."""
        return self.open and self.failing_since is not None and now - self.failing_since > DISABLED_AFTER


def _answers_properly(answer: Answer) -> bool:
    return answer.status is not None and answer.status < 500 and answer.status not in THROTTLING  # noqa: PLR2004


def parse_retry_after(header: str | None, now: datetime) -> timedelta | None:
    """Seconds or an HTTP date (RFC 9110); None when absent, past or unreadable."""
    if not header:
        return None
    if header.strip().isdigit():
        return timedelta(seconds=min(int(header.strip()[:9]), 10**8))
    from email.utils import parsedate_to_datetime

    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(at - now, timedelta()) if at.tzinfo else None
