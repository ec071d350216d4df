"""What an event counts for: pure, from the contract's events to rows that can be set again without harm."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from uuid import UUID

from services.transitions.signals.profile import zone_named
from services.transitions.signals.readings import feed_scope
from shared.events import AnyEvent
from shared.events.encounters import Encounter, EncounterFact, PatientMerged
from shared.events.operations import FeedCounted
from shared.events.people import EncounterClass, EncounterStatus

FEED_MINUTE = "feed-minute"
MINUTE = timedelta(minutes=1)
NO_UNIT = "-"
# Stays that fill a bed or an emergency department; outpatient visits do not.
COUNTED_CLASSES = frozenset(
    {EncounterClass.INPATIENT, EncounterClass.EMERGENCY, EncounterClass.OBSERVATION, EncounterClass.SHORT_STAY}
)
HERE = frozenset(
    {EncounterStatus.ARRIVED, EncounterStatus.TRIAGED, EncounterStatus.IN_PROGRESS, EncounterStatus.ON_LEAVE}
)
NEVER_WAS = frozenset({EncounterStatus.CANCELLED, EncounterStatus.ENTERED_IN_ERROR, EncounterStatus.PLANNED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How much there was in a window: `value` is the whole of it, not an addition."""

    kind: str
    scope: str
    starts: datetime
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSeen:
    """How far a feed was counted (end of the minute), and when something last came in these minutes; the zone of its
    facility and its configured rhythm (longest usual silence), as last told.
    """

    feed: str
    facility: str | None
    counted_until: datetime
    last_heard: datetime | None
    time_zone: str | None = None
    quiet_minutes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """Where a patient is. `counts` is false for what never was, and for outpatient visits."""

    encounter_id: UUID
    version: int
    patient_id: str
    facility: str
    unit: str
    present: bool
    counts: bool
    arrived_at: datetime | None
    discharged_at: datetime | None
    expected_by: datetime | None = None
    time_zone: str | None = None


def minutes_of(events: Iterable[AnyEvent]) -> list[Count]:
    """One window a feed and minute; a minute told again is told as the last one said."""
    told = {(e.fact.feed, e.fact.minute): e.fact.total for e in events if isinstance(e.fact, FeedCounted)}
    return [
        Count(kind=FEED_MINUTE, scope=feed_scope(feed), starts=minute, value=total)
        for (feed, minute), total in sorted(told.items())
    ]


def feeds_of(events: Iterable[AnyEvent]) -> list[FeedSeen]:
    """One row a feed; a feed that was quiet in all these minutes has no `last_heard`."""
    facts: dict[str, list[FeedCounted]] = {}
    for event in events:
        if isinstance(event.fact, FeedCounted):
            facts.setdefault(event.fact.feed, []).append(event.fact)
    return [_seen(feed, told) for feed, told in sorted(facts.items())]


def _seen(feed: str, told: Sequence[FeedCounted]) -> FeedSeen:
    heard = [fact.minute + MINUTE for fact in told if fact.total > 0]
    newest = max(told, key=lambda fact: fact.minute)
    return FeedSeen(
        feed=feed,
        facility=newest.facility,
        counted_until=newest.minute + MINUTE,
        last_heard=max(heard, default=None),
        time_zone=newest.time_zone,
        quiet_minutes=newest.quiet_minutes,
    )


def stays_of(events: Iterable[AnyEvent]) -> list[Stay]:
    """One row an encounter, as its newest version says it, in the order of their ids."""
    newest: dict[UUID, Encounter] = {}
    for event in events:
        if isinstance(event.fact, EncounterFact):
            told = event.fact.encounter
            if told.id not in newest or newest[told.id].version <= told.version:
                newest[told.id] = told
    return [_stay(newest[key]) for key in sorted(newest)]


def merges_of(events: Iterable[AnyEvent]) -> list[tuple[str, str]]:
    """(retired, survivor) of each merge, in the order told."""
    return [(e.fact.retired, e.fact.survivor) for e in events if isinstance(e.fact, PatientMerged)]


def _stay(encounter: Encounter) -> Stay:
    counts = encounter.encounter_class in COUNTED_CLASSES and encounter.status not in NEVER_WAS
    unit = encounter.location.point_of_care if encounter.location else None
    return Stay(
        encounter_id=encounter.id,
        version=encounter.version,
        patient_id=encounter.patient.id,
        facility=encounter.facility.code,
        unit=unit or NO_UNIT,
        present=counts and encounter.status in HERE,
        counts=counts,
        arrived_at=encounter.admitted_at,
        discharged_at=encounter.discharged_at,
        expected_by=expected_by(encounter.expected_discharge_at, encounter.facility.time_zone),
        time_zone=encounter.facility.time_zone,
    )


def expected_by(at: datetime | None, time_zone: str) -> datetime | None:
    """Until when a discharge was expected. Midnight, local time, is a day without an hour (PV2-9 is often no more than
    a date): then it is the end of that day.
    """
    if at is None:
        return None
    local = at.astimezone(zone_named(time_zone))
    return at if local.time() != time() else datetime.combine(local + timedelta(days=1), time(), local.tzinfo)
