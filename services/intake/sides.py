"""A message seen from its sides: as split, and as read. Pure. What may name a person is masked unless it is revealed:
shown are the places of a list, everything else is hidden, so that a field nobody thought of is hidden too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel

from services.intake import er7
from services.intake.arrival import Arrival

MASK = "•"
LONGEST_MASK = 12
# Codes and counters of the message and of the stay: nothing of these tells one person from another.
SHOWN_FIELDS = frozenset(
    {
        *(f"MSH-{number}" for number in range(1, 22)),
        *("EVN-1", "EVN-2", "EVN-4", "PID-1", "PV1-1", "PV1-2", "PV1-4", "PV1-10", "PV1-13", "PV1-14", "PV1-18"),
        *(
            "PV1-36",
            "PV2-7",
            "DG1-1",
            "DG1-2",
            "DG1-6",
            "DG1-15",
            "OBX-1",
            "OBX-2",
            "OBX-11",
            "AL1-1",
            "IN1-1",
            "NK1-1",
        ),
    }
)
SHOWN_VALUES = frozenset(
    {
        *("trigger", "recorded", "occurred from", "doubts", "verdict", "reason"),
        *("stay: class", "stay: disposition", "stay: admission_type", "stay: admit_source", "stay: hospital_service"),
        *("stay: readmission_indicator",),
    }
)


class Value(NamedTuple):
    """`place` is a field as the standard counts it, or the name of what was read."""

    place: str
    value: str


@dataclass(frozen=True, slots=True)
class Sides:
    split: Mapping[str, list[list[Value]]]
    """Segment -> its repetitions -> fields that are not empty."""
    read: list[Value]

    def as_json(self) -> dict[str, Any]:
        return {
            "split": [
                {"segment": segment, "fields": [value._asdict() for value in fields]}
                for segment, repeated in self.split.items()
                for fields in repeated
            ],
            "read": [value._asdict() for value in self.read],
        }

    def masked(self) -> "Sides":
        split = {
            segment: [[_masked(value, SHOWN_FIELDS) for value in fields] for fields in repeated]
            for segment, repeated in self.split.items()
        }
        return Sides(split, [_masked(value, SHOWN_VALUES) for value in self.read])


def _masked(value: Value, shown: frozenset[str]) -> Value:
    return value if value.place in shown else Value(value.place, MASK * min(len(value.value), LONGEST_MASK))


def sides_of(raw: bytes, arrival: Arrival) -> Sides:
    """`arrival` is the message as it reads now."""
    feed = arrival.feed
    try:
        message = er7.read(raw, feed.fallback_charset, feed.charset) if feed else er7.read(raw)
    except er7.NoHeaderError:
        return Sides({}, list(_read(arrival)))
    split = {name: [list(_fields(name, segment)) for segment in _segments(message, name)] for name in message.lines}
    return Sides(split, list(_read(arrival)))


def _segments(message: er7.Message, name: str) -> list[er7.Segment]:
    return [message.header] if name == "MSH" else message.all(name)


def _fields(name: str, segment: er7.Segment) -> Iterator[Value]:
    for number, text in enumerate(segment.fields[1:], 1):
        if text:
            yield Value(f"{name}-{number}", text)


def _read(arrival: Arrival) -> Iterator[Value]:
    if arrival.verdict:
        yield Value("verdict", arrival.verdict.outcome.value)
        if arrival.verdict.reason:
            yield Value("reason", arrival.verdict.reason.value)
    if arrival.doubts:
        yield Value("doubts", ", ".join(arrival.doubts))
    adt = arrival.adt
    if adt is None:
        return
    yield Value("trigger", adt.trigger)
    yield Value("occurred", adt.occurred.isoformat())
    yield Value("recorded", adt.order.recorded)
    for one in adt.identifiers:
        yield Value("patient identifier", f"{one.authority} {one.type} {one.value}")
    for one in adt.retired:
        yield Value("retired identifier", f"{one.authority} {one.type} {one.value}")
    yield from (Value(f"patient: {name}", said(value)) for name, value in sorted(adt.demographics.items()))
    if adt.visit:
        yield Value("visit", f"{adt.visit.authority} {adt.visit.type} {adt.visit.value}")
    if adt.fact:
        yield Value("occurred from", adt.fact.occurred_from)
        yield from (Value(f"stay: {name}", said(value)) for name, value in sorted(adt.fact.said.items()))


def said(value: Any) -> str:
    """A value as a person reads it; nothing said is a dash, "delete" is written out."""
    match value:
        case None:
            return "(deleted)"
        case BaseModel():
            return said(value.model_dump(exclude_none=True))
        case dict():
            return ", ".join(f"{name} {said(one)}" for name, one in value.items() if one is not None)
        case list() | tuple():
            return "; ".join(said(one) for one in value)
        case _:
            return str(value)
