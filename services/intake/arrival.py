"""One message on its way in: bytes, what they say as far as it can be told without the database, and who waits."""

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from services.intake import er7, reading
from services.intake.batch import Answers
from services.intake.charsets import FALLBACK_CHARSET
from services.intake.feeds import Acknowledging, Feed, FeedDirectory
from services.intake.message import AdtMessage, Heading, Outcome, Reason, UnacceptableError, Verdict
from services.intake.unknown_codes import unknown_codes
from shared.events import uuid7

UNKNOWN_FEED = "unknown"
# Of what the log is searched by; the standard allows MSH-10 199 characters. The acknowledgement says it whole.
LONGEST_CONTROL_ID = 200
LONGEST_TRIGGER = 60
_NO_FEED_VERDICT = Verdict(Outcome.REJECTED, "AR", Reason.UNKNOWN_SENDER, 204, "MSH^1^3", "sender is not known here")
_NO_HEADER_VERDICT = Verdict(Outcome.REJECTED, "AR", Reason.NO_HEADER, 100, "", "no MSH segment")
_NOT_TAKEN_VERDICT = Verdict(Outcome.SKIPPED, reason=Reason.TRIGGER_NOT_TAKEN)
_CONDITIONS = {Acknowledging.ORIGINAL: ("", ""), Acknowledging.ENHANCED: ("AL", "NE")}
_FAILED_VERDICT = Verdict(Outcome.HELD, reason=Reason.RULE_FAILED)


Key = tuple[str, str, bytes]
"""Feed, control id and digest: what is the same message sent again."""


@dataclass(slots=True, eq=False)
class Arrival:
    """`verdict` is set when reading alone decided; otherwise `adt` goes to the rules. `done`, made when it is offered,
    resolves to the final one.

    A replay is a message of the log that is read and applied once more.
    """

    id: UUID
    received: datetime
    raw: bytes
    digest: bytes
    feed: Feed | None
    heading: Heading | None
    adt: AdtMessage | None
    verdict: Verdict | None
    doubts: tuple[str, ...] = ()
    is_replay: bool = False
    is_confirmed: bool = False
    """A person has said that it names whom it seems to name: no overlay is suspected."""
    batch: Answers | None = None
    """Where it came in one frame with others: they are answered together."""
    host: str = ""
    """Where it came from."""
    is_kept: bool = False
    """Its bytes stand in the store, to be interpreted: they go from there when it takes effect."""
    refusal: Verdict | None = None
    """What its sender was told, where that was no."""
    offered: float = 0.0
    """When it began to wait for a group, by a clock that never goes back."""
    done: "asyncio.Future[Verdict]" = field(init=False)

    @property
    def feed_name(self) -> str:
        return self.feed.name if self.feed else UNKNOWN_FEED

    @property
    def control_id(self) -> str:
        return self.heading.control_id[:LONGEST_CONTROL_ID] if self.heading else ""

    @property
    def trigger(self) -> str:
        """`A01`; for other types `ORU^R01`; empty when it can't be told."""
        if self.heading is None:
            return ""
        if self.heading.type in {"ADT", ""}:
            return self.heading.trigger[:LONGEST_TRIGGER]
        return f"{self.heading.type}^{self.heading.trigger}".rstrip("^")[:LONGEST_TRIGGER]

    @property
    def key(self) -> Key:
        return (self.feed_name, self.control_id, self.digest)


def is_json(raw: bytes) -> bool:
    """Whether the bytes are a FHIR resource or a JSON event, and not HL7 v2."""
    return raw.lstrip()[:1] == b"{"


def read_arrival(
    raw: bytes, feeds: FeedDirectory, host: str, *, message_id: UUID | None = None, received: datetime | None = None
) -> Arrival:
    """Reads a message that came from `host`. Never raises for its content: what is wrong becomes the verdict."""
    arrival = _unread(raw, host, message_id, received)
    arrival.is_replay = message_id is not None
    _settle(arrival, feeds, _read)
    return arrival


def judge_arrival(
    raw: bytes, feeds: FeedDirectory, host: str, *, message_id: UUID | None = None, received: datetime | None = None
) -> Arrival:
    """As `read_arrival`, but of most messages no more is read than their acknowledgement needs.

    Of these neither `adt` nor `verdict` is set: `read_on` does the rest, and its verdict is acknowledged alike.
    """
    arrival = _unread(raw, host, message_id, received)
    _settle(arrival, feeds, _judge)
    return arrival


def read_on(arrival: Arrival, feeds: FeedDirectory) -> None:
    """Reads what was only judged."""
    if arrival.adt is None and arrival.verdict is None:
        doubts = arrival.doubts
        _settle(arrival, feeds, _read)
        arrival.doubts = tuple(dict.fromkeys((*arrival.doubts, *doubts)))


def stand_by_the_answer(arrival: Arrival) -> None:
    """What the sender was told stays so, though the feed's configuration may have changed. Who was refused sends again
    what is right: it is not applied. Who was acknowledged positively sends no more: refused now, it is held.
    """
    verdict = arrival.verdict
    if arrival.refusal:
        arrival.adt, arrival.verdict = None, arrival.refusal
    elif verdict and verdict.is_refusal:
        arrival.verdict = Verdict(Outcome.HELD, reason=verdict.reason)


def refused_before(arrival: Arrival, feed: str, refusal: Verdict, feeds: FeedDirectory) -> None:
    """Another process told its sender this, when the message was one of that feed, and could not write it down."""
    arrival.refusal = refusal
    if arrival.feed_name != feed:
        arrival.feed = feeds.named(feed, "")
    stand_by_the_answer(arrival)


def _unread(raw: bytes, host: str, message_id: UUID | None, received: datetime | None) -> Arrival:
    return Arrival(
        id=message_id or uuid7(),
        received=received or datetime.now(UTC),
        raw=raw,
        digest=hashlib.sha256(raw).digest(),
        feed=None,
        heading=None,
        adt=None,
        verdict=None,
        host=host,
    )


def _settle(arrival: Arrival, feeds: FeedDirectory, read: Callable[[Arrival, FeedDirectory], None]) -> None:
    try:
        read(arrival, feeds)
    except er7.NoHeaderError:
        arrival.verdict = _NO_HEADER_VERDICT
    except UnacceptableError as refused:
        arrival.verdict = refused.verdict
    except Exception:  # noqa: BLE001  (an error of ours in reading must cost neither the bytes nor the feed)
        arrival.verdict = _FAILED_VERDICT


def _judge(arrival: Arrival, feeds: FeedDirectory) -> None:
    message, heading, feed = _opened(arrival, feeds)
    if not reading.is_acceptable(message, heading, feed):
        _interpret(arrival, feeds, message, heading, feed)


def _read(arrival: Arrival, feeds: FeedDirectory) -> None:
    _interpret(arrival, feeds, *_opened(arrival, feeds))


def _opened(arrival: Arrival, feeds: FeedDirectory) -> tuple[er7.Message, Heading, Feed]:
    """Whose it is, and split as its feed says. Raises UnacceptableError when the feed does not take it."""
    message = er7.read(arrival.raw)
    arrival.heading = reading.heading_of(message)
    arrival.feed = feeds.find(*reading.sender_of(message), arrival.host)
    if arrival.feed is None:
        raise UnacceptableError(_NO_FEED_VERDICT)
    if arrival.feed.charset or ("MSH-18" in message.doubts and arrival.feed.fallback_charset != FALLBACK_CHARSET):
        message = er7.read(arrival.raw, arrival.feed.fallback_charset, arrival.feed.charset)
    arrival.doubts = tuple(dict.fromkeys(message.doubts))
    _follow_profile(arrival, arrival.heading, arrival.feed)
    return message, arrival.heading, arrival.feed


def _interpret(arrival: Arrival, feeds: FeedDirectory, message: er7.Message, heading: Heading, feed: Feed) -> None:
    if not arrival.is_replay:
        for place, code in unknown_codes(message, feed):
            feeds.not_understood(feed, place, code)
    adt = reading.interpret(message, heading, feed, arrival.received, arrival.digest.hex())
    arrival.adt, arrival.doubts = adt, adt.doubts


def _follow_profile(arrival: Arrival, heading: Heading, feed: Feed) -> None:
    """What the feed's configuration says over the message: its acknowledgements, and whether it is taken at all."""
    if feed.acknowledge is not Acknowledging.AS_ASKED:
        accept, application = _CONDITIONS[feed.acknowledge]
        arrival.heading = replace(heading, accept_condition=accept, application_condition=application)
    if feed.triggers is not None and arrival.trigger not in feed.triggers:
        raise UnacceptableError(_NOT_TAKEN_VERDICT)


def spoiled_arrival(raw: bytes, reason: Reason) -> Arrival:
    """What is left of a frame that never became a message: kept as evidence."""
    verdict = Verdict(Outcome.REJECTED, "AR", reason, 100, "", reason.value.replace("-", " "))
    heading = None
    with suppress(er7.NoHeaderError):
        heading = reading.heading_of(er7.read(raw))
    return Arrival(
        id=uuid7(),
        received=datetime.now(UTC),
        raw=raw,
        digest=hashlib.sha256(raw).digest(),
        feed=None,
        heading=heading,
        adt=None,
        verdict=verdict,
    )
