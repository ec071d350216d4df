"""Which connection may send on which feed: a certificate that is bound to feeds sends on these alone, and on a feed
with certificates nobody else sends.
"""

from services.intake.arrival import Arrival
from services.intake.certificates import Shown
from services.intake.feeds import Feed, FeedDirectory
from services.intake.message import Outcome, Reason, Verdict

NOT_CERTIFIED = Verdict(
    Outcome.REJECTED, "AR", Reason.SENDER_NOT_CERTIFIED, 204, "MSH^1^4", "the sender is not the certificate's"
)


def admit(arrival: Arrival, shown: Shown | None, feeds: FeedDirectory) -> Arrival:
    """The arrival, refused if its sender does not fit the certificate.

    It is then kept under no feed: what an impostor sends must not pass for the feed's own rhythm.
    """
    if arrival.feed is not None and not _fits(arrival.feed, shown, feeds):
        arrival.feed, arrival.adt, arrival.verdict = None, None, NOT_CERTIFIED
    return arrival


# What makes these wrong stands not in their bytes: who sent them, or that more should follow.
_NOT_IN_THE_BYTES = frozenset(
    {Reason.SENDER_NOT_CERTIFIED, Reason.TRUNCATED_FRAME, Reason.FRAME_TOO_LARGE, Reason.FRAME_TIMEOUT}
)


def refused_for_good(arrival: Arrival, reason: str | None) -> Arrival:
    """A message of the log read again, which was refused for this reason: it stays refused where the bytes alone can't
    tell. Its sender was told so, and sends again what is right.
    """
    if reason in _NOT_IN_THE_BYTES:
        arrival.feed, arrival.adt = None, None
        arrival.verdict = Verdict(Outcome.REJECTED, "AR", Reason(reason), 204, "", reason.replace("-", " "))
    return arrival


def _fits(feed: Feed, shown: Shown | None, feeds: FeedDirectory) -> bool:
    if shown is None:
        return not feed.certificates
    if feed.certificates:
        return shown.is_one_of(feed.certificates)
    return not any(shown.is_one_of(other.certificates) for other in feeds.feeds)
