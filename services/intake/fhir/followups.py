"""Appointment, Observation and DocumentReference as SIU, ORU and MDM are read."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field

from services.intake.fhir.codes import CODE_SYSTEMS
from services.intake.fhir.graph import Found, Graph, Issue, UnreadableError, read_resource
from services.intake.fhir.resources import BusinessIdentifier, Concept, DateTime, Element, Reference, Resource, Several
from services.intake.fhir.telling import Telling, Told, known_only
from services.intake.message import Rank
from services.intake.observations import LONGEST_NUMBER, is_a_measurement
from services.intake.statement import About, Statement
from shared.events.people import Identifier

_APPOINTMENTS: Mapping[str, tuple[str, Rank]] = {
    "proposed": ("waiting", Rank.OPENER),
    "pending": ("waiting", Rank.OPENER),
    "waitlist": ("waiting", Rank.OPENER),
    "booked": ("booked", Rank.CHANGE),
    "arrived": ("attended", Rank.CLOSER),
    "checked-in": ("attended", Rank.CLOSER),
    "fulfilled": ("attended", Rank.CLOSER),
    "noshow": ("no-show", Rank.CLOSER),
    "cancelled": ("cancelled", Rank.CANCEL),
    "entered-in-error": ("cancelled", Rank.CANCEL),
}
# HL7 table 0085, and of two words of the same moment the later stage counts.
_OBSERVATIONS: Mapping[str, tuple[str, int]] = {
    "registered": ("I", 0),
    "unknown": ("I", 0),
    "preliminary": ("P", 1),
    "final": ("F", 2),
    "amended": ("C", 3),
    "corrected": ("C", 3),
    "cancelled": ("X", 4),
    "entered-in-error": ("W", 4),
}
_DOCUMENTS: Mapping[str, tuple[str, Rank]] = {
    "current": ("available", Rank.CHANGE),
    "superseded": ("obsolete", Rank.CLOSER),
    "entered-in-error": ("cancelled", Rank.CANCEL),
}
# DocumentReference.docStatus -> TXA-17 (HL7 table 0271).
_COMPLETIONS = {"preliminary": "IP", "final": "AU", "amended": "AU"}
_UCUM = "http://unitsofmeasure.org"
# A discharge summary has one name in HL7 v2 (TXA-2) and another in LOINC.
_DOCUMENT_TYPES = {"18842-5": "DS"}


class AppointmentParticipant(Element):
    actor: Reference | None = None


class Appointment(Resource):
    resource_type: Literal["Appointment"] = Field(alias="resourceType")
    identifier: Several[BusinessIdentifier] = ()
    status: Literal[
        "proposed", "pending", "booked", "arrived", "fulfilled", "cancelled", "noshow", "entered-in-error",
        "checked-in", "waitlist",
    ]  # fmt: skip
    service_type: Several[Concept] = Field(default=(), alias="serviceType")
    specialty: Several[Concept] = ()
    reason_code: Several[Concept] = Field(default=(), alias="reasonCode")
    start: DateTime | None = None
    end: DateTime | None = None
    based_on: Several[Reference] = Field(default=(), alias="basedOn")
    participant: Several[AppointmentParticipant] = Field(min_length=1)

    def actor(self, kind: str, graph: Graph) -> Reference | None:
        found = (one.actor for one in self.participant if one.actor)
        return next((actor for actor in found if graph.kind_of(actor) == kind), None)


class Quantity(Element):
    value: float | int | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None

    @property
    def measured_in(self) -> str | None:
        """The unit as UCUM writes it, else as it is shown."""
        return (self.code if self.system == _UCUM else None) or self.unit or self.code


class Measured(Element):
    """What Observation and its components have in common."""

    code: Concept
    quantity: Quantity | None = Field(default=None, alias="valueQuantity")
    text: str | None = Field(default=None, alias="valueString")
    concept: Concept | None = Field(default=None, alias="valueCodeableConcept")
    integer: int | None = Field(default=None, alias="valueInteger")
    flag: bool | None = Field(default=None, alias="valueBoolean")
    interpretation: Several[Concept] = ()


class Observation(Measured, Resource):
    resource_type: Literal["Observation"] = Field(alias="resourceType")
    identifier: Several[BusinessIdentifier] = ()
    status: Literal[
        "registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown"
    ]
    subject: Reference | None = None
    encounter: Reference | None = None
    effective: DateTime | None = Field(default=None, alias="effectiveDateTime")
    issued: DateTime | None = None
    based_on: Several[Reference] = Field(default=(), alias="basedOn")
    device: Reference | None = None
    component: tuple[Measured, ...] = ()
    has_member: tuple[Reference, ...] = Field(default=(), alias="hasMember")


class DocumentRelation(Element):
    code: str
    target: Reference


class DocumentContext(Element):
    encounter: Several[Reference] = ()


class DocumentReference(Resource):
    resource_type: Literal["DocumentReference"] = Field(alias="resourceType")
    master: BusinessIdentifier | None = Field(default=None, alias="masterIdentifier")
    identifier: Several[BusinessIdentifier] = ()
    status: Literal["current", "superseded", "entered-in-error"]
    completion: str | None = Field(default=None, alias="docStatus")
    type: Concept = Concept()
    subject: Reference
    date: DateTime | None = None
    author: Several[Reference] = ()
    relates_to: Several[DocumentRelation] = Field(default=(), alias="relatesTo")
    context: DocumentContext = DocumentContext()


def required(found: Found, identifier: Identifier | None) -> Identifier:
    """Raises UnreadableError where nothing tells which thing a later request means."""
    if identifier is None:
        place = f"{found.path}.identifier"
        raise UnreadableError([Issue("error", "required", place, "an identifier, or the resource's id")])
    return identifier


def read_appointment(found: Found, telling: Telling) -> Told:
    sent = read_resource(found, Appointment)
    status, rank = _APPOINTMENTS[sent.status]
    starts = telling.instant("Appointment.start", sent.start)
    ends = telling.instant("Appointment.end", sent.end)
    ordered = telling.referred(next(iter(sent.based_on), None), "ORDER")
    place = sent.actor("Location", telling.graph) or sent.actor("HealthcareService", telling.graph)
    said = {
        "status": status,
        "starts_at": starts.isoformat() if starts else None,
        "ends_at": ends.isoformat() if ends else None,
        "service": sent.service_type[0].words if sent.service_type else None,
        "note": sent.reason_code[0].words if sent.reason_code else None,
        "actor": telling.provider(sent.actor("Practitioner", telling.graph))[0],
        "organisation": place.display if place else None,
        "order": ordered.model_dump() if ordered else None,
        "specialty": sent.specialty[0].first.code or sent.specialty[0].words if sent.specialty else None,
    }
    statement = Statement(
        about=About.APPOINTMENT,
        identifier=required(found, telling.identifier(sent.identifier, sent, "SCH")),
        order=telling.order(rank),
        occurred=telling.written,
        said=known_only(said),
    )
    return Told(sent.actor("Patient", telling.graph), None, (statement,))


def read_observation(found: Found, telling: Telling) -> Told:
    sent = read_resource(found, Observation)
    identifier = required(found, telling.identifier(sent.identifier, sent, "OBX"))
    return Told(sent.subject, sent.encounter, tuple(observations(sent, identifier, telling)))


def observations(sent: Observation, identifier: Identifier, telling: Telling) -> Iterator[Statement]:
    """One for the value, and one for each component: a blood pressure is two numbers."""
    status, stage = _OBSERVATIONS[sent.status]
    observed = telling.instant("Observation.effectiveDateTime", sent.effective, past=True)
    issued = telling.instant("Observation.issued", sent.issued, past=True)
    ordered = telling.referred(next(iter(sent.based_on), None), "ORDER")
    shared = {
        "status": status,
        "observed_at": observed.isoformat() if observed else None,
        "device": sent.device.display if sent.device else None,
        "order": ordered.model_dump() if ordered else None,
    }
    parts: list[Measured] = [*sent.component]
    if not parts or has_value(sent):
        parts.insert(0, sent)
    for part in parts:
        code = part.code.first.code or part.code.text or ""
        own = identifier if part is sent else identifier.model_copy(update={"value": f"{identifier.value}|{code}"})
        value, unit, text = _value(part)
        system = part.code.first.system
        said = {
            **shared,
            "code": code,
            "name": part.code.words,
            "system": CODE_SYSTEMS.get(system or "", system),
            "value": value,
            "unit": unit,
            "text": text,
            "abnormal": part.interpretation[0].first.code if part.interpretation else None,
        }
        yield Statement(
            about=About.OBSERVATION,
            identifier=own,
            order=telling.order(stage),
            occurred=observed or issued or telling.written,
            said=said,
        )


def has_value(part: Measured) -> bool:
    return _value(part) != (None, None, None)


def _value(part: Measured) -> tuple[str | None, str | None, str | None]:
    """Number, unit, text."""
    if part.quantity and part.quantity.value is not None:
        value, unit = str(part.quantity.value), part.quantity.measured_in
        return (value, unit, None) if is_a_measurement(Decimal(value)) else (None, unit, value[:LONGEST_NUMBER])
    if part.integer is not None:
        return str(part.integer), None, None
    if part.flag is not None:
        return None, None, "yes" if part.flag else "no"
    return None, None, part.text or (part.concept.words if part.concept else None)


def read_document(found: Found, telling: Telling) -> Told:
    sent = read_resource(found, DocumentReference)
    numbers = ((sent.master,) if sent.master else ()) + sent.identifier
    identifier = required(found, telling.identifier(numbers, sent, "DOC"))
    status, rank = _DOCUMENTS[sent.status]
    dated = telling.instant("DocumentReference.date", sent.date, past=True)
    code = sent.type.first.code
    said: dict[str, Any] = {
        "status": status,
        "document_type": _DOCUMENT_TYPES.get(code or "", code or sent.type.text),
        "completion": _COMPLETIONS.get(sent.completion or ""),
        "authored_at": dated.isoformat() if dated else None,
        "actor": telling.provider(next(iter(sent.author), None))[0],
    }
    order, occurred = telling.order(rank), dated or telling.written
    statements = []
    for relation in sent.relates_to:
        parent = telling.referred(relation.target, "DOC")
        if parent and relation.code in {"replaces", "appends"}:
            said |= {"replaces": parent.model_dump(), "is_addendum": relation.code == "appends"}
            if relation.code == "replaces":
                statements.append(_obsolete(parent, telling, occurred))
    statements.append(
        Statement(about=About.DOCUMENT, identifier=identifier, order=order, occurred=occurred, said=known_only(said))
    )
    return Told(sent.subject, next(iter(sent.context.encounter), None), tuple(statements))


def _obsolete(parent: Identifier, telling: Telling, occurred: Any) -> Statement:
    return Statement(
        about=About.DOCUMENT,
        identifier=parent,
        order=telling.order(Rank.CLOSER),
        occurred=occurred,
        said={"status": "obsolete"},
    )
