"""The published contract: every event that Handoff says or hears. The families live in modules of their own
(`shared.events.encounters`, `.transitions` …); what surrounds each of them is re-exported here.
"""

from shared.events.envelope import (
    AnyEvent,
    Barrier,
    Draft,
    Event,
    UnreadableEventError,
    headers_of,
    id_beside,
    read_event,
    uuid7,
)
from shared.events.fact import PARTITIONS, UNHEARD, Fact, Part, Topic, Unheard
from shared.events.registry import BY_TYPE, FACTS

__all__ = [
    "BY_TYPE",
    "FACTS",
    "PARTITIONS",
    "UNHEARD",
    "AnyEvent",
    "Barrier",
    "Draft",
    "Event",
    "Fact",
    "Part",
    "Topic",
    "Unheard",
    "UnreadableEventError",
    "headers_of",
    "id_beside",
    "read_event",
    "uuid7",
]
