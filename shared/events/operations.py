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


class SignalKind(StrEnum):
    SILENT_FEED = "silent-feed"
    PIPELINE_SILENT = "pipeline-silent"
    SURGE = "surge"
    OVERDUE_RATIO = "overdue-ratio"
    BOUNCE_BACK = "bounce-back-cluster"


class SignalFact(Fact):
    TOPIC: ClassVar[Topic] = Topic.SIGNALS
    signal_id: UUID
    kind: SignalKind
    scope: str
    since: datetime
    value: float | None = None
    usual: float | None = None
    text: str


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
