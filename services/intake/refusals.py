"""What a message gets that is not applied: refused, held for a person, or kept without effect."""

from services.intake.message import Outcome, Reason, UnacceptableError, Verdict


def refusal(code: str, error: int, location: str, reason: Reason, text: str) -> UnacceptableError:
    """A negative acknowledgement; `error` is of HL7 table 0357, `location` like `PID^1^3`."""
    return UnacceptableError(Verdict(Outcome.REJECTED, code, reason, error, location, text))


def missing(location: str, reason: Reason, text: str) -> UnacceptableError:
    return refusal("AE", 101, location, reason, text)


def held(reason: Reason) -> UnacceptableError:
    """A business problem: positively acknowledged, so that the feed goes on, and put on the work queue."""
    return UnacceptableError(Verdict(Outcome.HELD, reason=reason))


def skipped(reason: Reason) -> UnacceptableError:
    """Positively acknowledged and kept; it has no effect here."""
    return UnacceptableError(Verdict(Outcome.SKIPPED, reason=reason))
