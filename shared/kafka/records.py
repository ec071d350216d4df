"""Records as they come from Kafka, read as events."""

from dataclasses import dataclass
from typing import Any

import orjson

from shared.events import UnreadableEventError, read_event
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


def packed_headers(record: Record) -> bytes:
    return orjson.dumps({name: raw.decode(errors="replace") for name, raw in record.headers})


def read(record: Record) -> Item:
    """The event in a record; a record that is none is kept as a dead letter, one of an unknown type is passed over."""
    try:
        event = read_event(record.topic, record.headers, record.value)
    except UnreadableEventError as wrong:
        return Item(record, None, unreadable=str(wrong))
    except UnicodeDecodeError:
        return Item(record, None, unreadable="a header is not text")
    if event is None:
        return Item(record, None)
    return Item(record, Parked(event, packed_headers(record), record.value or b""))
