"""Records as they come from Kafka, read as events."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.events import BY_TYPE, AnyEvent, Topic, UnreadableEventError, read_event
from shared.kafka.store import Parked

Record = Any
"""aiokafka.ConsumerRecord; the library has no types."""


@dataclass(slots=True)
class Item:
    """A record of the batch: an event, or nothing that could be read (`parked` is then None)."""

    record: Record
    parked: Parked | None
    unreadable: str | None = None

    @property
    def place(self) -> tuple[str, int]:
        return self.record.topic, self.record.partition


class Hearing:
    """Which types of events a reader has a use for, by topic; of a topic that is not named, all.

    The others only count: their values are not read, and no handler is called for them.
    """

    def __init__(self, types: Mapping[Topic, Collection[str]]) -> None:
        self._types = {topic.value: frozenset(heard) for topic, heard in types.items()}

    def event(self, topic: str, headers: Iterable[tuple[str, bytes]], value: bytes | None) -> AnyEvent:
        """Raises UnreadableEventError, UnicodeDecodeError."""
        heard = self._types.get(topic)
        event = read_event(topic, headers, value, skips=lambda kind: heard is not None and kind not in heard)
        if event is None:
            raise UnreadableEventError("the type is unknown")
        return event

    def read(self, record: Record) -> Item:
        """The event in a record; a record that is none is kept as a dead letter."""
        try:
            event = self.event(record.topic, record.headers, record.value)
        except UnreadableEventError as wrong:
            return Item(record, None, unreadable=None if self._is_unknown(record) else str(wrong))
        except UnicodeDecodeError:
            return Item(record, None, unreadable="a header is not text")
        return Item(record, Parked(event, record.headers, record.value or b""))

    @staticmethod
    def _is_unknown(record: Record) -> bool:
        """Whether the record is of a type that this reader cannot know: a newer writer may name other attributes."""
        kinds = [raw.decode() for name, raw in record.headers if name == "ce_type"]
        return bool(kinds) and kinds[0] not in BY_TYPE
