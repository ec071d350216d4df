"""An event: CloudEvents 1.0 attributes (binary mode, `ce_*` headers) around a fact (the JSON value).

Headers never hold a name or an identifier of a person: `subject` is the opaque patient id.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, TypeVar
from uuid import UUID, uuid5

from shared.events.fact import UNHEARD, Fact
from shared.events.registry import BY_TYPE

SEQUENCE_DIGITS = 12  # also in append_outbox
FactT_co = TypeVar("FactT_co", bound=Fact, covariant=True)
FLAGS = ("late", "inferred", "derived", "historical", "snapshot")
_FLAG_HEADERS = {f"ce_{flag}": flag for flag in FLAGS}


class UnreadableEventError(ValueError):
    """The record is no event of the contract. The message names the attribute, never a value."""


_TIMED = (7, 8)
_RANDOM_BYTES = 8
# The system's randomness, drawn for many ids at a time: a call of the kernel for each was half of an id's cost.
_drawn: list[bytes] = []
os.register_at_fork(after_in_child=_drawn.clear)  # two processes must never use the same


def _random() -> bytes:
    try:
        return _drawn.pop()
    except IndexError:
        more = os.urandom(_RANDOM_BYTES * 400)
        _drawn.extend(more[at : at + _RANDOM_BYTES] for at in range(0, len(more), _RANDOM_BYTES))
        return os.urandom(_RANDOM_BYTES)


def uuid7() -> UUID:
    """A UUID version 7 (RFC 9562, 6.2, method 3): 48 bits of milliseconds, 12 of a millisecond's parts, then random.

    Sorts by time of creation, also of two that were made in the same millisecond of one process.
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    parts = rest * 4096 // 1_000_000
    random = int.from_bytes(_random()) & ~(0x3 << 62)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | parts << 64 | 0x2 << 62 | random)


def id_beside(parent: UUID, name: str) -> UUID:
    """An id that follows from its parent's and a name, so that whoever hears the same makes the same.

    It begins with the parent's 48 bits of time (a version 8, RFC 9562, 5.8), where the parent has such: what begins
    together stands together in every index. A digest alone (version 5) touches a page of its own in each, which on a
    large database has to be fetched, and written whole to the log. Children of a parent that is a digest are digests.
    """
    if parent.version not in _TIMED:
        return uuid5(parent, name)
    digest = hashlib.sha256(parent.bytes + name.encode()).digest()
    rest = int.from_bytes(digest[:10]) & ~(0xF << 76) & ~(0x3 << 62)
    return UUID(int=parent.int >> 80 << 80 | 0x8 << 76 | 0x2 << 62 | rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Barrier:
    """The event takes effect only after `subject` has reached `sequence` in the same source and topic."""

    subject: str
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An event as a rule makes it; the outbox adds source, sequence, epoch and the time of recording.

    `time` is when it happened (UTC); `correlation_id` the encounter or transition it belongs to; `causation_id` the
    message or event that caused it; `version` the aggregate's version after it. `after` names a draft appended in
    the same call that must take effect first (merges). `topic` overrides the fact's own (provider topics only).
    """

    fact: Fact
    subject: str
    time: datetime
    correlation_id: str
    causation_id: str
    version: int = 0
    late: bool = False
    inferred: bool = False
    derived: bool = False
    historical: bool = False
    snapshot: bool = False
    traceparent: str | None = None
    id: UUID = field(default_factory=uuid7)
    after: "Draft | None" = None
    topic: str | None = None

    @classmethod
    def answering(cls, event: "AnyEvent", fact: Fact, *, correlation_id: str, version: int = 0) -> "Draft":
        """A draft caused by `event`, on the same patient, at the same time, in the same trace."""
        return cls(
            fact=fact,
            subject=event.subject,
            time=event.time,
            correlation_id=correlation_id,
            causation_id=str(event.id),
            version=version,
            late=event.late,
            historical=event.historical,
            traceparent=event.traceparent,
        )

    @property
    def on_topic(self) -> str:
        return self.topic or self.fact.TOPIC.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Generic[FactT_co]):
    """An event as a consumer reads it. All instants are UTC."""

    id: UUID
    type: str
    source: str
    topic: str
    subject: str
    time: datetime
    recorded: datetime
    sequence: int
    epoch: int
    correlation_id: str
    causation_id: str
    version: int
    traceparent: str | None
    late: bool = False
    inferred: bool = False
    derived: bool = False
    historical: bool = False
    snapshot: bool = False
    after: Barrier | None = None
    fact: FactT_co


AnyEvent = Event[Fact]


def headers_of(
    draft: Draft, *, source: str, sequence: int, epoch: int, recorded: datetime, after: Barrier | None = None
) -> list[tuple[str, bytes]]:
    """The record's headers. The sequence is zero-padded so that it sorts as text (CloudEvents `sequence`)."""
    said = attributes_of(draft, source, after)
    said |= {
        "ce_recorded": recorded.astimezone(UTC).isoformat(),
        "ce_patientsequence": f"{sequence:0{SEQUENCE_DIGITS}d}",
        "ce_epoch": str(epoch),
    }
    return [(name, value.encode()) for name, value in said.items()]


def attributes_of(draft: Draft, source: str, after: Barrier | None = None) -> dict[str, str]:
    """The headers but those that only the database knows."""
    said = {
        "ce_specversion": "1.0",
        "ce_id": str(draft.id),
        "ce_type": draft.fact.TYPE,
        "ce_source": f"/handoff/{source}",
        "ce_subject": draft.subject,
        "ce_time": draft.time.astimezone(UTC).isoformat(),
        "ce_correlationid": draft.correlation_id,
        "ce_causationid": draft.causation_id,
        "ce_aggregateversion": str(draft.version),
        "content-type": "application/json",
    }
    if draft.traceparent:
        said["ce_traceparent"] = draft.traceparent
    if after:
        said |= {"ce_aftersubject": after.subject, "ce_aftersequence": str(after.sequence)}
    for flag in FLAGS:
        if getattr(draft, flag):
            said[f"ce_{flag}"] = "true"
    return said


def read_event(
    topic: str,
    headers: Iterable[tuple[str, bytes]],
    value: bytes | None,
    *,
    skips: Callable[[str], bool] | None = None,
) -> AnyEvent | None:
    """The event in a record, or None when its type is unknown here (a newer writer; nothing to do).

    A reader that counts events names the types it `skips`: their values are not looked at, nor are those of unknown
    types, and the event's fact is `UNHEARD`. Raises UnreadableEventError when an attribute is missing or the value does
    not fit the type's model.
    """
    said = {name: raw.decode() for name, raw in headers}
    try:
        model = BY_TYPE.get(said["ce_type"])
        if skips is not None and (model is None or skips(said["ce_type"])):
            return _event(topic, said, lambda: UNHEARD)
        return _event(topic, said, lambda: model.model_validate_json(value or b"")) if model else None
    except KeyError as missing:
        raise UnreadableEventError(f"header {missing.args[0]} is missing") from None
    except ValueError as wrong:
        raise UnreadableEventError(f"{said.get('ce_type', 'event')}: {type(wrong).__name__}") from None


def _event(topic: str, said: Mapping[str, str], fact: Callable[[], Fact]) -> AnyEvent:
    return Event(
        id=UUID(said["ce_id"]),
        type=said["ce_type"],
        source=said["ce_source"].removeprefix("/handoff/"),
        topic=topic,
        subject=said["ce_subject"],
        time=datetime.fromisoformat(said["ce_time"]),
        recorded=datetime.fromisoformat(said["ce_recorded"]),
        sequence=int(said["ce_patientsequence"]),
        epoch=int(said["ce_epoch"]),
        correlation_id=said["ce_correlationid"],
        causation_id=said["ce_causationid"],
        version=int(said["ce_aggregateversion"]),
        traceparent=said.get("ce_traceparent"),
        after=_barrier(said),
        fact=fact(),
        **{flag: True for header, flag in _FLAG_HEADERS.items() if said.get(header) == "true"},
    )


def _barrier(said: Mapping[str, str]) -> Barrier | None:
    if "ce_aftersubject" not in said:
        return None
    return Barrier(subject=said["ce_aftersubject"], sequence=int(said["ce_aftersequence"]))
