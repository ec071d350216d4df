"""The books that are compared: what was collected from the sender, every schema, Kafka and the receivers. Ids only."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

POSITIVE = frozenset({"AA", "CA"})
OPEN_DELIVERIES = frozenset({"waiting", "queued", "delivering"})


@dataclass(frozen=True, slots=True)
class Sent:
    """One line of the sender's log: a message (or its duplicate) and how it was answered."""

    control_id: str
    feed: str
    trigger: str
    visit: str
    code: str

    @property
    def is_acknowledged(self) -> bool:
        return self.code in POSITIVE


@dataclass(frozen=True, slots=True)
class Message:
    """A row of intake's message log; `effects` are the events it caused."""

    id: str
    feed: str
    control_id: str
    digest: str
    trigger: str
    outcome: str
    code: str
    reason: str
    encounter_id: str | None
    effects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Encounter:
    """`announced` are milestones that were said and not taken back; `facts` the messages it was folded from."""

    id: str
    visit: str
    status: str
    version: int
    announced: tuple[str, ...]
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Transition:
    id: str
    encounter_id: str
    status: str
    version: int
    encounter_version: int


@dataclass(frozen=True, slots=True)
class Task:
    id: str
    transition_id: str
    status: str
    version: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What careplan holds of a transition; `plan_version` is 0 where there is no plan."""

    transition_id: str
    plan_id: str | None
    plan_version: int


@dataclass(frozen=True, slots=True)
class Event:
    """A row of a service's outbox, in the order of its ids. `about` is the aggregate, `version` its version after."""

    source: str
    row: int
    id: str
    type: str
    topic: str
    subject: str
    epoch: int
    sequence: int
    version: int
    cause: str
    time: str
    recorded: datetime
    published: bool
    in_log: bool = True
    """False: it was published to a log that the broker has lost since, and no reader lacked it."""
    about: str = ""
    encounter_class: str = ""
    historical: bool = False
    retracts: tuple[str, ...] = ()

    @property
    def stream(self) -> tuple[str, str, str, int]:
        return self.source, self.topic, self.subject, self.epoch


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was read back from Kafka."""

    topic: str
    partition: int
    offset: int
    source: str
    event_id: str
    subject: str
    epoch: int
    sequence: int

    @property
    def stream(self) -> tuple[str, str, str, int]:
        return self.source, self.topic, self.subject, self.epoch


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a consumer has taken a stream into effect."""

    consumer: str
    source: str
    topic: str
    subject: str
    epoch: int
    sequence: int

    @property
    def stream(self) -> tuple[str, str, str, int]:
        return self.source, self.topic, self.subject, self.epoch


@dataclass(frozen=True, slots=True)
class Delivery:
    id: str
    position: int
    event_id: str
    endpoint_id: str
    organisation: str
    channel: str
    patient_id: str
    encounter_id: str
    status: str
    reached: bool
    retracts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Received:
    """One request that a receiver took; the same webhook-id may come again, and then changes nothing."""

    webhook_id: str
    endpoint_id: str
    order: int
    event_id: str
    retracts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stuck:
    """Something that waits for a person: a parked key or a dead letter of a service."""

    service: str
    what: str
    id: str


@dataclass(frozen=True, slots=True)
class Books:
    """Everything collected at rest. `sent` is empty where the sender kept no log; `listening` endpoints kept one."""

    sent: tuple[Sent, ...] = ()
    messages: tuple[Message, ...] = ()
    encounters: tuple[Encounter, ...] = ()
    transitions: tuple[Transition, ...] = ()
    tasks: tuple[Task, ...] = ()
    plans: tuple[Plan, ...] = ()
    events: tuple[Event, ...] = ()
    records: tuple[Record, ...] = ()
    marks: tuple[Mark, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    received: tuple[Received, ...] = ()
    stuck: tuple[Stuck, ...] = ()
    hears: dict[str, frozenset[str]] = field(default_factory=dict)
    listening: frozenset[str] = frozenset()
    everything: dict[str, datetime] = field(default_factory=dict)
    """Endpoints that hear every announced event, since when: what they must have is known without notifications."""
    suppressed: frozenset[str] = frozenset()
    """Events of which somebody was deliberately not told, each a row with its reason."""

    def of(self, *sources: str) -> Iterator[Event]:
        return (event for event in self.events if event.source in sources)


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference: an id, and what differs about it. Never a name or an identifier of a person."""

    id: str
    what: str


Findings = Iterable[Finding]
