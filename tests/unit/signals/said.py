"""Says what intake would say to the signals: counts of feeds, and encounters."""

from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_DNS, UUID, uuid5

from shared.events import AnyEvent, Draft, Event, Fact, uuid7
from shared.events.encounters import Admitted, Discharged, Encounter, EncounterFact, PatientMerged
from shared.events.operations import FeedCounted
from shared.events.people import (
    EncounterClass,
    EncounterStatus,
    Facility,
    Identifier,
    Location,
    PatientSummary,
)

START = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)


def encounter_id(name: str) -> UUID:
    return uuid5(NAMESPACE_DNS, name)


def counted(
    feed: str, minute: datetime, total: int, *, zone: str | None = None, quiet: int | None = None
) -> FeedCounted:
    return FeedCounted(feed=feed, facility="NORTH", minute=minute, total=total, time_zone=zone, quiet_minutes=quiet)


def stay(
    name: str,
    *,
    version: int = 1,
    unit: str = "4W",
    patient: str = "p1",
    arrived: datetime = START,
    discharged: datetime | None = None,
    status: EncounterStatus = EncounterStatus.IN_PROGRESS,
    kind: EncounterClass = EncounterClass.INPATIENT,
    expected: datetime | None = None,
) -> EncounterFact:
    encounter = Encounter(
        id=encounter_id(name),
        version=version,
        feed="north",
        visit=Identifier(authority="N", value=name, type="VN"),
        facility=Facility(code="NORTH"),
        status=EncounterStatus.FINISHED if discharged else status,
        encounter_class=kind,
        patient=PatientSummary(id=patient),
        location=Location(point_of_care=unit),
        admitted_at=arrived,
        discharged_at=discharged,
        expected_discharge_at=expected,
    )
    return Discharged(encounter=encounter) if discharged else Admitted(encounter=encounter)


def merged(retired: str, survivor: str) -> PatientMerged:
    return PatientMerged(patient=PatientSummary(id=survivor), retired=retired, survivor=survivor)


def event(fact: Fact, subject: str = "p1", sequence: int = 1) -> AnyEvent:
    return Event(
        id=uuid7(),
        type=fact.TYPE,
        source="intake",
        topic=fact.TOPIC.value,
        subject=subject,
        time=START,
        recorded=START,
        sequence=sequence,
        epoch=1,
        correlation_id="c",
        causation_id="m",
        version=1,
        traceparent=None,
        fact=fact,
    )


def draft(fact: Fact, subject: str) -> Draft:
    return Draft(fact=fact, subject=subject, time=START, correlation_id="c", causation_id="m")


def minutes(start: datetime, count: int) -> list[datetime]:
    return [start + timedelta(minutes=n) for n in range(count)]
