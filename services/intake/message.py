"""What one message says, apart from how HL7 writes it: the input of the rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from shared.events.people import Identifier

if TYPE_CHECKING:
    from services.intake.statement import Statement

Said = Mapping[str, Any]
"""Values by name: a missing key is "no change", None is "delete what you have". Later facts win per key."""


class Outcome(StrEnum):
    """What became of a message."""

    ACCEPTED = "accepted"
    SKIPPED = "skipped"
    HELD = "held"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"


class Reason(StrEnum):
    """Why a message took no effect. A closed list: the console and the feeds' counts group by it."""

    NO_HEADER = "no-header"
    SEVERAL_MESSAGES = "several-messages"
    TRUNCATED_FRAME = "truncated-frame"
    FRAME_TOO_LARGE = "frame-too-large"
    FRAME_TIMEOUT = "frame-timeout"
    UNKNOWN_SENDER = "unknown-sender"
    SENDER_NOT_CERTIFIED = "sender-not-certified"
    UNSUPPORTED_VERSION = "unsupported-version"
    WRONG_PROCESSING_ID = "wrong-processing-id"
    UNSUPPORTED_TYPE = "unsupported-type"
    UNSUPPORTED_TRIGGER = "unsupported-trigger"
    TRIGGER_NOT_TAKEN = "trigger-not-taken"
    NO_TRIGGER = "no-trigger"
    UNREADABLE_JSON = "unreadable-json"
    INVALID_RESOURCE = "invalid-resource"
    INVALID_EVENT = "invalid-event"
    MISSING_PATIENT = "missing-patient"
    MISSING_RETIRED_PATIENT = "missing-retired-patient"
    MISSING_FORMER_NUMBER = "missing-former-number"
    MISSING_SECOND_PATIENT = "missing-second-patient"
    NO_VISIT = "no-visit"
    NO_IDENTIFIER = "no-identifier"
    NOT_ABOUT_A_PATIENT = "not-about-a-patient"
    NOTHING_TO_DO = "nothing-to-do"
    VISIT_OF_ANOTHER_PATIENT = "visit-of-another-patient"
    STATED_OF_ANOTHER_PATIENT = "stated-of-another-patient"
    MERGE_CYCLE = "merge-cycle"
    OVERLAY_SUSPECTED = "overlay-suspected"
    RULE_FAILED = "rule-failed"
    SKIPPED_BY_PERSON = "skipped-by-person"


class Rank(IntEnum):
    """Breaks ties between facts recorded and sent in the same moment."""

    OPENER = 0
    CHANGE = 1
    CLOSER = 2
    CANCEL = 3


class OrderKey(NamedTuple):
    """The place of a fact in its stay: never by arrival. Instants are UTC with microseconds, so they sort as text."""

    recorded: str
    sent: str
    rank: int
    control_id: str
    digest: str


class Action(StrEnum):
    """What a message does to the movement that it names (ZBE-4)."""

    INSERT = "INSERT"
    UPDATE = "UPDATE"
    CANCEL = "CANCEL"


class Movement(NamedTuple):
    """ZBE of IHE PAM: the movement that a message is about. `starts` is ZBE-2, sortable, "" where it is not said;
    `original` the trigger that an update is of (ZBE-6); `is_historic`: it is not the stay's current movement (ZBE-5).
    """

    id: str
    action: Action
    is_historic: bool = False
    starts: str = ""
    original: str = ""


@dataclass(frozen=True, slots=True)
class StayFact:
    """One message about a stay, kept for ever: the lifecycle is a fold of these.

    `occurred` is EVN-6, else EVN-2, else MSH-7 (UTC, ISO), `occurred_from` says which; `moments` keeps the precision
    and the offset (minutes) of every instant that the message gave, by field. `record` is the one that its patient's
    number stands for, whatever that was merged into; "" where that was not kept.
    """

    trigger: str
    order: OrderKey
    occurred: str
    occurred_from: str
    said: Said
    moments: Mapping[str, tuple[str, str, int]] = field(default_factory=dict)
    movement: Movement | None = None
    record: str = ""

    def as_json(self) -> dict[str, Any]:
        kept = {
            "trigger": self.trigger,
            "order": list(self.order),
            "occurred": self.occurred,
            "occurred_from": self.occurred_from,
            "said": self.said,
            "moments": self.moments,
        }
        if self.movement:
            kept["movement"] = self.movement._asdict()
        if self.record:
            kept["record"] = self.record
        return kept

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        return cls(
            trigger=kept["trigger"],
            order=OrderKey(*kept["order"]),
            occurred=kept["occurred"],
            occurred_from=kept["occurred_from"],
            said=kept["said"],
            moments={name: tuple(moment) for name, moment in kept["moments"].items()},
            movement=_movement_from_json(kept["movement"]) if "movement" in kept else None,
            record=kept.get("record", ""),
        )


def _movement_from_json(kept: Mapping[str, Any]) -> Movement:
    return Movement(**{**kept, "action": Action(kept["action"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """MSH, as far as routing and acknowledging need it. Sender and receiver are raw fields, escapes and all."""

    field_separator: str
    encoding_characters: str
    sender: tuple[str, str]
    receiver: tuple[str, str]
    type: str
    trigger: str
    control_id: str
    processing_id: str
    version: str
    accept_condition: str
    application_condition: str
    charset: str

    @property
    def is_enhanced(self) -> bool:
        return bool(self.accept_condition or self.application_condition)


@dataclass(frozen=True, slots=True)
class Former:
    """MRG-3 and MRG-5: the account and the visit that a message renames, merges or moves."""

    account: Identifier | None
    visit: Identifier | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdtMessage:
    """A message that the rules understand."""

    trigger: str
    order: OrderKey
    occurred: datetime
    identifiers: tuple[Identifier, ...]
    """PID-3, the one that stands for the record first."""
    demographics: Said
    visit: Identifier | None
    fact: StayFact | None
    retired: tuple[Identifier, ...] = ()
    former: Former | None = None
    doubts: tuple[str, ...] = ()
    statements: "tuple[Statement, ...]" = ()
    """What it says of appointments, observations, documents and referrals."""
    others: "tuple[AdtMessage, ...]" = ()
    """What the same message says of further patients."""

    @property
    def parts(self) -> "tuple[AdtMessage, ...]":
        """One for each patient."""
        return (self, *self.others)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a message gets: outcome, original-mode code, and what the ERR segment says (`location` as `PID^1^3`)."""

    outcome: Outcome
    code: str = "AA"
    reason: Reason | None = None
    error: int = 0
    location: str = ""
    text: str = ""

    @property
    def is_refusal(self) -> bool:
        """Whether the sender is told no: it has the message still, and may send it again."""
        return self.code != "AA"


class UnacceptableError(Exception):
    """The message gets a negative acknowledgement, or is stored without effect; `verdict` says which and why."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict
