"""From the body of a FHIR request to an arrival: what HL7 messages become, by the same rules and into the same log."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from services.intake.arrival import Arrival
from services.intake.codes import NO_IDENTITY
from services.intake.context import FURTHEST_AHEAD, sortable
from services.intake.feeds import Feed, FeedDirectory
from services.intake.fhir import codes, followups, people, persons, referrals, reports, visit
from services.intake.fhir.graph import Found, Graph, Issue, UnreadableError, logical_id, read_resource
from services.intake.fhir.resources import Encounter, MessageBundle, MessageHeader, Patient, Reference
from services.intake.fhir.telling import Telling, Told
from services.intake.fhir.times import Moments
from services.intake.message import AdtMessage, Heading, OrderKey, Outcome, Reason, StayFact, Verdict
from services.intake.person import without_death_ahead
from services.intake.triggers import ALONE, PATIENT_ONLY, RANKS
from shared.events import uuid7
from shared.events.people import Identifier

STATING: Mapping[str, Callable[[Found, Telling], Told]] = {
    "Appointment": followups.read_appointment,
    "Observation": followups.read_observation,
    "DiagnosticReport": reports.read_report,
    "DocumentReference": followups.read_document,
    "ServiceRequest": referrals.read_request,
    "Task": referrals.read_task,
}
FOCUSES = ("Encounter", "Patient", *STATING)
MERGE = "$merge"
_SUBJECTS = {"Appointment": "participant", "Task": "for"}
_FAILED = Verdict(Outcome.HELD, reason=Reason.RULE_FAILED)


class Request(NamedTuple):
    """What was asked: the resource in focus, what it may refer to, and what the sender said about the whole."""

    focus: Found
    graph: Graph
    event: str
    control_id: str
    sent: str | None
    reference: Reference | None = None
    """How a message names its focus."""


class FhirArrival(NamedTuple):
    """`issues` are what the answer tells beside the verdict."""

    arrival: Arrival
    issues: tuple[Issue, ...]


def read_fhir(
    raw: bytes,
    feed: Feed,
    feeds: FeedDirectory,
    *,
    wanted: str | None = None,
    resource_id: str | None = None,
    message_id: UUID | None = None,
    received: datetime | None = None,
) -> FhirArrival:
    """Never raises for the content: what is wrong becomes the verdict and the issues.

    `wanted` and `resource_id` are the type and id that the address says.
    """
    arrival = Arrival(
        id=message_id or uuid7(),
        received=received or datetime.now(UTC),
        raw=raw,
        digest=hashlib.sha256(raw).digest(),
        feed=feed,
        heading=_heading("", ""),
        adt=None,
        verdict=None,
        is_replay=message_id is not None,
    )
    issues: tuple[Issue, ...] = ()
    try:
        request = _request(raw, wanted, resource_id)
        arrival.heading = _heading(request.event or request.focus.type, request.control_id)
        arrival.verdict = _apply(arrival, request, feed, feeds)
        if arrival.adt:
            arrival.adt = _without_deaths_ahead(arrival.adt, arrival.received + FURTHEST_AHEAD)
            arrival.doubts = arrival.adt.doubts
        issues = tuple(_doubted(name, request.focus) for name in arrival.doubts)
    except UnreadableError as error:
        issues = error.issues
        first = issues[0]
        reason = Reason.UNREADABLE_JSON if first.code == "structure" else Reason.INVALID_RESOURCE
        arrival.verdict = Verdict(Outcome.REJECTED, "AE", reason, 102, first.expression, first.text)
    except Exception:  # noqa: BLE001  (an error of ours in reading must cost neither the bytes nor the sender)
        arrival.verdict = _FAILED
    return FhirArrival(arrival, issues)


def _doubted(name: str, focus: Found) -> Issue:
    """A time that was left out, told with the answer."""
    place = name.replace(focus.type, focus.path, 1) if name.startswith(f"{focus.type}.") else name
    if name == "sent":
        place = "Bundle.timestamp" if focus.path.startswith("Bundle") else "meta.lastUpdated"
    return Issue("warning", "value", place, "no date of the calendar, or too far ahead: taken as not said")


def _heading(event: str, control_id: str) -> Heading:
    """What the message log shows of a message that has no MSH."""
    return Heading(
        field_separator="|",
        encoding_characters="^~\\&",
        sender=("", ""),
        receiver=("", ""),
        type="FHIR",
        trigger=event[:60],
        control_id=control_id,
        processing_id="",
        version="",
        accept_condition="",
        application_condition="",
        charset="",
    )


def _request(raw: bytes, wanted: str | None, resource_id: str | None) -> Request:
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise UnreadableError([Issue("fatal", "structure", "", "the body is not JSON")]) from None
    if not isinstance(document, dict) or not isinstance(document.get("resourceType"), str):
        raise UnreadableError([Issue("fatal", "structure", "resourceType", "the body is no FHIR resource")])
    found = Found(document, document["resourceType"])
    if wanted and found.type != wanted:
        raise UnreadableError([Issue("error", "invalid", "resourceType", f"must be {wanted} at this address")])
    if resource_id and document.get("id") != resource_id:
        raise UnreadableError([Issue("error", "invalid", f"{found.type}.id", "must be the id in the address")])
    return _of_message(found) if found.type == "Bundle" else _of_resource(found)


def _of_message(found: Found) -> Request:
    bundle = read_resource(found, MessageBundle)
    graph = Graph(found, bundle.entry)
    first = Found(bundle.entry[0].resource, "Bundle.entry[0].resource")
    header = read_resource(first, MessageHeader)
    focus = graph.find(header.focus[0])
    if focus is None:
        place = f"{first.path}.focus[0].reference"
        raise UnreadableError([Issue("error", "not-found", place, "is no entry of this Bundle")])
    control_id = bundle.id or header.id or ""
    return Request(focus, graph, header.event, control_id, bundle.timestamp, header.focus[0])


def _of_resource(found: Found) -> Request:
    meta: Any = found.content.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    version, updated = meta.get("versionId"), meta.get("lastUpdated")
    event = MERGE if found.type == "Parameters" else ""
    control_id = f"{found.type}/{found.content.get('id') or ''}" + (f"/{version}" if version else "")
    return Request(found, Graph(found), event, control_id[:199], updated if isinstance(updated, str) else None)


def _apply(arrival: Arrival, request: Request, feed: Feed, feeds: FeedDirectory) -> Verdict | None:
    """Fills in what the rules need; answers the verdict where reading alone decides."""
    if request.focus.type in {"Patient", "Parameters"}:
        arrival.adt = _of_persons(arrival, request, feed)
        return None
    if request.focus.type not in FOCUSES:
        return Verdict(Outcome.SKIPPED, reason=Reason.UNSUPPORTED_TYPE)
    if request.focus.type in STATING:
        arrival.adt = _stating(arrival, request, feed)
        return None
    encounter = read_resource(request.focus, Encounter)
    if request.event:
        trigger = codes.trigger_of_event(request.event, visit.class_of(encounter, feed, feeds))
    else:
        trigger = codes.trigger_of_status(encounter.status)
    if trigger is None or trigger in ALONE:
        return Verdict(Outcome.SKIPPED, reason=Reason.UNSUPPORTED_TRIGGER)
    arrival.adt = _adt(arrival, request, encounter, trigger, feeds)
    return None


def _without_deaths_ahead(told: AdtMessage, latest: datetime) -> AdtMessage:
    """deceased[x] is a flag or a time: where the time can't be, nobody has said that the patient died."""
    said = without_death_ahead(told.demographics, latest, is_said_dead=False)
    others = tuple(_without_deaths_ahead(other, latest) for other in told.others)
    if said is told.demographics and others == told.others:
        return told
    doubts = told.doubts if said is told.demographics else (*told.doubts, "Patient.deceasedDateTime")
    return replace(told, demographics=said, others=others, doubts=doubts)


def _of_persons(arrival: Arrival, request: Request, feed: Feed) -> AdtMessage:
    moments = Moments(arrival.received, feed.zone)
    sent = moments.read_past("sent", request.sent)
    written = persons.Written(sent.at if sent else arrival.received, request.control_id, arrival.digest.hex()[:16])
    if request.focus.type == "Parameters":
        told = persons.read_merge(request.focus, feed, written)
    else:
        told = persons.read_patient(request.focus, request.reference, request.graph, feed, request.event, written)
    return replace(told, doubts=tuple(dict.fromkeys(moments.doubts)))


def _stating(arrival: Arrival, request: Request, feed: Feed) -> AdtMessage:
    """A resource that is about no stay's course. Encounters say who a patient is; this fills in what is not known."""
    moments = Moments(arrival.received, feed.zone)
    sent = moments.read_past("sent", request.sent)
    written = sent.at if sent else arrival.received
    digest = arrival.digest.hex()[:16]
    telling = Telling(feed, request.graph, moments, written, request.control_id, digest)
    told = STATING[request.focus.type](request.focus, telling)
    patient = request.graph.get(told.subject, Patient)
    known_by = _known_by(patient, told.subject, feed, request.focus)
    return AdtMessage(
        trigger=request.focus.type,
        order=OrderKey("", sortable(written), 0, request.control_id, digest),
        occurred=written,
        identifiers=known_by,
        demographics=people.demographics(patient, known_by, feed) if patient else {},
        visit=_visit_referred(told, request.graph, feed),
        fact=None,
        doubts=tuple(dict.fromkeys(moments.doubts)),
        statements=told.statements,
    )


def _visit_referred(told: Told, graph: Graph, feed: Feed) -> Identifier | None:
    """The stay that a reference means: by its visit number, else by the Encounter's id."""
    reference = told.encounter
    if reference is None:
        return None
    sent = graph.get(reference, Encounter)
    if sent:
        return visit.visit_of(sent, feed)
    if reference.identifier and reference.identifier.value:
        authority = people.authority_of(reference.identifier.system, feed)
        return Identifier(authority=authority, type="VN", value=reference.identifier.value.strip())
    number = logical_id(reference)
    return Identifier(authority=f"{feed.name} FHIR", type=people.LOGICAL, value=number) if number else None


def _known_by(patient: Patient | None, subject: Reference | None, feed: Feed, focus: Found) -> tuple[Identifier, ...]:
    known_by = people.identifiers(patient, subject, feed)
    if not known_by or known_by[0].type in NO_IDENTITY:
        place = f"{focus.path}.{_SUBJECTS.get(focus.type, 'subject')}"
        raise UnreadableError([Issue("error", "required", place, "names no patient with an identifier")])
    return known_by


def _adt(arrival: Arrival, request: Request, encounter: Encounter, trigger: str, feeds: FeedDirectory) -> AdtMessage:
    feed = arrival.feed
    assert feed is not None  # noqa: S101  (a FHIR request names its feed)
    patient = request.graph.get(encounter.subject, Patient)
    known_by = _known_by(patient, encounter.subject, feed, request.focus)
    moments = Moments(arrival.received, feed.zone)
    said = visit.said_of(encounter, patient, request.graph, feed, feeds, moments)
    sent = moments.read_past("sent", request.sent)
    written = sent.at if sent else arrival.received
    key = OrderKey(
        recorded=sortable(written),
        sent=sortable(written),
        rank=RANKS[trigger],
        control_id=request.control_id,
        digest=arrival.digest.hex()[:16],
    )
    number = None if trigger in PATIENT_ONLY else visit.visit_of(encounter, feed)
    if number is None and trigger not in PATIENT_ONLY:
        place = f"{request.focus.path}.identifier"
        raise UnreadableError([Issue("error", "required", place, "a visit number, or the Encounter's id")])
    occurred, source = _occurred(said, trigger, written)
    fact = StayFact(trigger, key, occurred.isoformat(), source, said, moments.kept) if number else None
    return AdtMessage(
        trigger=trigger,
        order=key,
        occurred=occurred,
        identifiers=known_by,
        demographics=people.demographics(patient, known_by, feed) if patient else {},
        visit=number,
        fact=fact,
        doubts=tuple(dict.fromkeys(moments.doubts)),
    )


def _occurred(said: dict[str, Any], trigger: str, written: datetime) -> tuple[datetime, str]:
    """When it happened: the end of the period for a discharge, its start for an opening, else when it was written."""
    name = {"A03": "discharged_at", "A01": "admitted_at", "A04": "admitted_at", "in-progress": "admitted_at"}
    if trigger in name and (at := said.get(name[trigger])):
        return datetime.fromisoformat(at), "Encounter.period"
    return written, "sent"
