"""Events about the pipeline itself: care.feeds.v1, care.signals.v1 and care.republish.v1."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from shared.events.fact import Fact, Part, Topic


class TriggerCount(Part):
    trigger: str
    outcome: str
    count: int


class FeedCounted(Fact):
    """What a feed sent in one minute, zeros too: a count of 0 is silence, no counts at all is a broken pipeline."""

    TYPE = "care.feed.counted.v1"
    TOPIC: ClassVar[Topic] = Topic.FEEDS
    feed: str
    facility: str | None = None
    minute: datetime
    total: int
    counts: tuple[TriggerCount, ...] = ()
    last_received_at: datetime | None = None
    time_zone: str | None = None
    """IANA zone of the feed's facility: the hours of its week are local ones."""
    quiet_minutes: int | None = None
    """Longest usual silence at this minute as the feed's configured rhythm says it; None where none is configured."""


class SignalKind(StrEnum):
    SILENT_FEED = "silent-feed"
    PIPELINE_SILENT = "pipeline-silent"
    SURGE = "surge"
    OVERDUE_RATIO = "overdue-ratio"
    BOUNCE_BACK = "bounce-back-cluster"
    CENSUS = "census-high"
    DISCHARGE_OVERDUE = "discharge-overdue"
    REFERRAL_UNBOOKED = "referral-unbooked"
    OWN_LIMIT = "own-limit"


class SignalFact(Fact):
    """What stands out. `scope` is `pipeline`, `feed:<name>`, `facility:<code>[/unit:<unit>]`, `encounter:<id>` or
    `referral:<id>`; `rules` is the edition of the thresholds that judged (name@version).
    """

    TOPIC: ClassVar[Topic] = Topic.SIGNALS
    signal_id: UUID
    kind: SignalKind
    scope: str
    since: datetime
    value: float | None = None
    usual: float | None = None
    text: str
    facility: str | None = None
    rules: str | None = None


class SignalRaised(SignalFact):
    TYPE = "care.signal.raised.v1"


class SignalCleared(SignalFact):
    TYPE = "care.signal.cleared.v1"


class RepublishRequested(Fact):
    """A consumer saw a gap and asks `source` to publish `subject` again on `topic`, from `from_sequence` on."""

    TYPE = "care.republish.requested.v1"
    TOPIC: ClassVar[Topic] = Topic.REPUBLISH
    source: str
    topic: str
    subject: str
    epoch: int
    from_sequence: int
    asked_by: str


OPERATIONS_FACTS: tuple[type[Fact], ...] = (FeedCounted, SignalRaised, SignalCleared, RepublishRequested)
