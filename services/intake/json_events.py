"""JSON events: for senders that have neither HL7 v2 nor FHIR. One event, one object; times are ISO 8601 with offset."""

import hashlib
from collections.abc import Mapping
from datetime import MAXYEAR, UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints, ValidationError

from services.intake.arrival import Arrival
from services.intake.codes import NO_IDENTITY, disposition_of
from services.intake.context import FURTHEST_AHEAD, FURTHEST_PLANNED, sortable
from services.intake.feeds import Feed, FeedDirectory
from services.intake.fhir.codes import class_named
from services.intake.message import AdtMessage, Heading, OrderKey, Outcome, Reason, StayFact, Verdict
from services.intake.person import IDENTIFIERS
from services.intake.times import EARLIEST_YEAR
from services.intake.triggers import MERGES, PATIENT_ONLY, RANKS
from services.intake.unknown_codes import told
from shared.events import uuid7
from shared.events.people import EncounterClass, Identifier
from shared.http import StrictModel
from shared.http.problems import invalid

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
_PLANNED = ("admitted_at", "expected_admission_at", "expected_discharge_at", "expected_return_at")
_FAILED = Verdict(Outcome.HELD, reason=Reason.RULE_FAILED)


class EventType(StrEnum):
    """What happened; each has the rule of an HL7 v2 trigger."""

    PREADMISSION = "preadmission"
    ARRIVAL = "arrival"
    ADMISSION = "admission"
    TRANSFER = "transfer"
    DISCHARGE = "discharge"
    DISCHARGE_EXPECTED = "discharge-expected"
    LEAVE_STARTED = "leave-started"
    LEAVE_ENDED = "leave-ended"
    UPDATE = "update"
    ADMISSION_CANCELLED = "admission-cancelled"
    TRANSFER_CANCELLED = "transfer-cancelled"
    DISCHARGE_CANCELLED = "discharge-cancelled"
    DELETED = "deleted"
    PATIENT_UPDATED = "patient-updated"
    PATIENT_MERGED = "patient-merged"


TRIGGERS: Mapping[EventType, str] = {
    EventType.PREADMISSION: "A05",
    EventType.ARRIVAL: "A04",
    EventType.ADMISSION: "A01",
    EventType.TRANSFER: "A02",
    EventType.DISCHARGE: "A03",
    EventType.DISCHARGE_EXPECTED: "A16",
    EventType.LEAVE_STARTED: "A21",
    EventType.LEAVE_ENDED: "A22",
    EventType.UPDATE: "A08",
    EventType.ADMISSION_CANCELLED: "A11",
    EventType.TRANSFER_CANCELLED: "A12",
    EventType.DISCHARGE_CANCELLED: "A13",
    EventType.DELETED: "A23",
    EventType.PATIENT_UPDATED: "A31",
    EventType.PATIENT_MERGED: "A40",
}


class Number(StrictModel):
    """An identifier; the authority is the facility's own where it is left out."""

    value: Text
    authority: Text | None = None
    type: Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,5}$")] = "MR"


class Name(StrictModel):
    family: Text | None = None
    given: Text | None = None
    middle: Text | None = None
    suffix: Text | None = None


class Person(StrictModel):
    identifiers: tuple[Number, ...] = Field(min_length=1, max_length=20)
    name: Name | None = None
    birth_date: Annotated[str, StringConstraints(pattern=r"^\d{4}(-\d\d(-\d\d)?)?$")] | None = None
    sex: Annotated[str, StringConstraints(pattern=r"^[FMOUAN]$")] | None = None
    phones: tuple[Text, ...] | None = Field(default=None, max_length=10)
    address: Text | None = None
    language: Text | None = None
    deceased_at: AwareDatetime | None = None


class Place(StrictModel):
    point_of_care: Text | None = None
    room: Text | None = None
    bed: Text | None = None
    facility: Text | None = None


class Clinician(StrictModel):
    role: Annotated[str, StringConstraints(pattern=r"^(ATND|REF|CON|ADM)$")]
    npi: Text | None = None
    local_id: Text | None = None
    name: Name = Name()


class Finding(StrictModel):
    code: Text
    system: Text | None = None
    text: Text | None = None
    type: Annotated[str, StringConstraints(pattern=r"^[AWF]$")] | None = None


class Stay(StrictModel):
    """What is left out is no change."""

    number: Text
    authority: Text | None = None
    encounter_class: EncounterClass | Text | None = None
    location: Place | None = None
    prior_location: Place | None = None
    admitted_at: AwareDatetime | None = None
    discharged_at: AwareDatetime | None = None
    expected_admission_at: AwareDatetime | None = None
    expected_discharge_at: AwareDatetime | None = None
    expected_return_at: AwareDatetime | None = None
    disposition: Text | None = None
    discharged_to: Text | None = None
    admission_type: Text | None = None
    hospital_service: Text | None = None
    clinicians: tuple[Clinician, ...] | None = Field(default=None, max_length=50)
    diagnoses: tuple[Finding, ...] | None = Field(default=None, max_length=100)


class JsonEvent(StrictModel):
    """`recorded` orders the events of a stay (as EVN-2 does); `occurred` is when it happened."""

    type: EventType
    recorded: AwareDatetime
    occurred: AwareDatetime | None = None
    patient: Person
    stay: Stay | None = None
    retired: Number | None = Field(default=None, description="Of a merge: the identifier that is no longer used.")


def read_json_event(
    raw: bytes,
    key: str,
    feed: Feed,
    feeds: FeedDirectory,
    *,
    message_id: UUID | None = None,
    at: datetime | None = None,
) -> tuple[Arrival, list[Any]]:
    """The arrival, and the validation errors that refused it. Never raises for the content."""
    arrival = _arrival(raw, key, feed, message_id, at)
    errors: list[Any] = []
    try:
        event = JsonEvent.model_validate_json(raw)
        arrival.heading = _heading(event.type, key)
        arrival.adt = _adt(event, arrival, feed, feeds)
        arrival.doubts = arrival.adt.doubts
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False, include_context=False)[:20]
        is_json = not any(one["type"] == "json_invalid" for one in errors)
        reason = Reason.INVALID_EVENT if is_json else Reason.UNREADABLE_JSON
        place = invalid(errors[:1]).extra["errors"][0]["field"][:100]
        arrival.verdict = Verdict(Outcome.REJECTED, "AE", reason, 102, place, "does not fit")
    except _RefusedError as refused:
        errors = [{"loc": (refused.field,), "type": "missing", "msg": refused.wants}]
        arrival.verdict = Verdict(Outcome.REJECTED, "AE", Reason.INVALID_EVENT, 101, refused.field, refused.wants)
    except Exception:  # noqa: BLE001  (an error of ours in reading must cost neither the bytes nor the sender)
        arrival.verdict = _FAILED
    return arrival, errors


class _RefusedError(Exception):
    def __init__(self, field: str, wants: str) -> None:
        super().__init__(field)
        self.field = field
        self.wants = wants


def _arrival(raw: bytes, key: str, feed: Feed, message_id: UUID | None, at: datetime | None) -> Arrival:
    return Arrival(
        id=message_id or uuid7(),
        received=at or datetime.now(UTC),
        raw=raw,
        digest=hashlib.sha256(raw).digest(),
        feed=feed,
        heading=_heading("", key),
        adt=None,
        verdict=None,
        is_replay=message_id is not None,
    )


def _heading(event_type: str, key: str) -> Heading:
    return Heading(
        field_separator="|",
        encoding_characters="^~\\&",
        sender=("", ""),
        receiver=("", ""),
        type="JSON",
        trigger=event_type,
        control_id=key,
        processing_id="",
        version="",
        accept_condition="",
        application_condition="",
        charset="",
    )


def _adt(event: JsonEvent, arrival: Arrival, feed: Feed, feeds: FeedDirectory) -> AdtMessage:
    trigger = TRIGGERS[event.type]
    numbers = tuple(_identifier(one, feed) for one in event.patient.identifiers)
    known_by = tuple(sorted(numbers, key=lambda one: one.type in NO_IDENTITY))
    if known_by[0].type in NO_IDENTITY:
        raise _RefusedError("patient.identifiers", "one that the facility assigned")
    if trigger in MERGES and event.retired is None:
        raise _RefusedError("retired", "the identifier that is no longer used")
    has_stay = trigger not in MERGES | PATIENT_ONLY
    if has_stay and event.stay is None:
        raise _RefusedError("stay", "the stay that this is about")
    stay = event.stay if has_stay else None
    clock = _Clock(arrival.received)
    recorded = clock.past("recorded", event.recorded) or arrival.received
    written = sortable(recorded)
    order = OrderKey(written, written, RANKS[trigger], arrival.control_id, arrival.digest.hex()[:16])
    said = _said(stay, feed, feeds, clock) if stay else {}
    occurred = clock.past("occurred", event.occurred) or _occurred(event, said) or recorded.astimezone(UTC)
    visit = Identifier(authority=feed.authority(stay.authority), type="VN", value=stay.number) if stay else None
    return AdtMessage(
        trigger=trigger,
        order=order,
        occurred=occurred,
        identifiers=known_by,
        demographics=_demographics(event.patient, known_by, clock),
        visit=visit,
        fact=StayFact(trigger, order, occurred.isoformat(), "occurred", said) if stay else None,
        retired=(_identifier(event.retired, feed),) if event.retired and trigger in MERGES else (),
        doubts=tuple(clock.doubts),
    )


class _Clock:
    """Times as HL7's are bounded: what lies too far ahead, or before all calendars, counts as not said: a doubt."""

    def __init__(self, received: datetime) -> None:
        self._received = received
        self.doubts: list[str] = []

    def past(self, name: str, at: datetime | None, ahead: timedelta = FURTHEST_AHEAD) -> datetime | None:
        if at is None:
            return None
        if EARLIEST_YEAR <= at.year < MAXYEAR and at <= self._received + ahead:
            return at.astimezone(UTC)
        self.doubts.append(name)
        return None

    def planned(self, name: str, at: datetime | None) -> datetime | None:
        return self.past(name, at, FURTHEST_PLANNED)


def _occurred(event: JsonEvent, said: Mapping[str, Any]) -> datetime | None:
    name = {EventType.DISCHARGE: "discharged_at", EventType.ADMISSION: "admitted_at"}.get(event.type)
    told = said.get(name) if name else None
    return datetime.fromisoformat(told) if told else None


def _identifier(one: Number, feed: Feed) -> Identifier:
    return Identifier(authority=feed.authority(one.authority), type=one.type, value=one.value)


def _demographics(person: Person, known_by: tuple[Identifier, ...], clock: _Clock) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for one in known_by:
        said.setdefault(f"{IDENTIFIERS}{one.authority}", []).append([one.type, one.value])
    values = person.model_dump(exclude={"identifiers", "deceased_at"}, exclude_none=True)
    if died := clock.past("patient.deceased_at", person.deceased_at):
        values |= {"deceased": True, "deceased_at": died.isoformat()}
    return said | values


def _said(stay: Stay, feed: Feed, feeds: FeedDirectory, clock: _Clock) -> dict[str, Any]:
    plain = ("discharged_to", "admission_type", "hospital_service", "location", "prior_location", "diagnoses")
    said: dict[str, Any] = stay.model_dump(include=set(plain), exclude_none=True)
    times = {
        **{name: clock.planned(f"stay.{name}", getattr(stay, name)) for name in _PLANNED},
        "discharged_at": clock.past("stay.discharged_at", stay.discharged_at),
    }
    said |= {name: at.isoformat() for name, at in times.items() if at}
    if stay.encounter_class:
        said["class"] = _class(stay.encounter_class, feed, feeds)
    if stay.disposition:
        found = disposition_of(stay.disposition, feed.dispositions)
        if found.nubc is None:
            feeds.not_understood(feed, "stay.disposition", told(stay.disposition))
        said["disposition"] = found.model_dump()
    for one in stay.clinicians or ():
        said.setdefault(one.role, []).append(one.model_dump(exclude={"role"}, exclude_none=True))
    return said


def _class(code: str, feed: Feed, feeds: FeedDirectory) -> str:
    known = class_named(code, feed.classes)
    if known is None:
        feeds.not_understood(feed, "stay.encounter_class", told(code))
    return (known or EncounterClass.OTHER).value
