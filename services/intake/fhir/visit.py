"""Encounter as HL7's PV1, PV2 and DG1 are read: the visit's number and what is said of the stay."""

from typing import Any

from services.intake.context import FURTHEST_AHEAD, FURTHEST_PLANNED
from services.intake.feeds import Feed, FeedDirectory
from services.intake.fhir import codes, people
from services.intake.fhir.graph import Graph
from services.intake.fhir.resources import Condition, Encounter, EncounterLocation, Location, Patient
from services.intake.fhir.times import Moments
from services.intake.unknown_codes import told
from shared.events.people import EncounterClass, Identifier

_ROLES = {"ATND": "ATND", "REF": "REF", "REFB": "REF", "CON": "CON", "ADM": "ADM"}
_PLACES = {"bd": "bed", "ro": "room", "wa": "point_of_care", "wi": "point_of_care", "si": "facility", "bu": "facility"}
_DEEPEST = 6


def visit_of(encounter: Encounter, feed: Feed) -> Identifier | None:
    """The visit number (type VN, else the first identifier), which HL7 v2 has in PV1-19; else the resource's id."""
    numbers = [one for one in encounter.identifier if one.value and not one.is_of("AN")]
    chosen = next((one for one in numbers if one.is_of("VN")), numbers[0] if numbers else None)
    if chosen and chosen.value:
        return Identifier(authority=people.authority_of(chosen.system, feed), type="VN", value=chosen.value.strip())
    if encounter.id:
        return Identifier(authority=f"{feed.name} FHIR", type=people.LOGICAL, value=encounter.id)
    return None


def class_of(encounter: Encounter, feed: Feed, feeds: FeedDirectory) -> EncounterClass:
    code = encounter.encounter_class.code or ""
    known = codes.class_named(code, feed.classes)
    if known is None and code:
        feeds.not_understood(feed, "Encounter.class", told(code))
    return known or EncounterClass.OTHER


def said_of(
    encounter: Encounter, patient: Patient | None, graph: Graph, feed: Feed, feeds: FeedDirectory, moments: Moments
) -> dict[str, Any]:
    """What the Encounter says of the stay, by the same names as HL7's fields; what it leaves out is no change."""
    began = moments.read_day("Encounter.period.start", encounter.period.start, FURTHEST_PLANNED)
    ended = moments.read_day("Encounter.period.end", encounter.period.end, FURTHEST_AHEAD)
    hospital = encounter.hospitalization
    disposition = codes.disposition_from(hospital.discharge_disposition, feed.dispositions)
    if disposition and disposition.nubc is None and disposition.fhir == "oth" and disposition.source:
        feeds.not_understood(feed, "Encounter.hospitalization.dischargeDisposition", told(disposition.source))
    account = next((one for one in encounter.identifier if one.value and one.is_of("AN")), None)
    values = {
        "class": class_of(encounter, feed, feeds).value,
        "location": _place(encounter, graph, is_prior=False),
        "prior_location": _place(encounter, graph, is_prior=True),
        "admitted_at": began.iso if began else None,
        "discharged_at": ended.iso if ended else None,
        "disposition": disposition.model_dump() if disposition else None,
        "discharged_to": hospital.destination.display if hospital.destination else None,
        "admit_source": hospital.admit_source.first.code,
        "admission_type": encounter.priority.first.code,
        "hospital_service": encounter.service_type.first.code,
        "account": {"authority": people.authority_of(account.system, feed), "type": "AN", "value": account.value}
        if account
        else None,
        "diagnoses": _diagnoses(encounter, graph) or None,
        **_people(encounter, patient, graph, feed),
    }
    return {name: value for name, value in values.items() if value is not None}


def _place(encounter: Encounter, graph: Graph, *, is_prior: bool) -> dict[str, str] | None:
    """Where the patient is now: the active location, else the last one that is not left; prior: the last one left."""
    if is_prior:
        chosen = next((one for one in reversed(encounter.location) if one.status == "completed"), None)
    else:
        active = [one for one in encounter.location if one.status == "active"]
        here = active or [one for one in encounter.location if one.status in {None, "planned"}]
        # A discharge has left every place; the last one is where it happened.
        here = here or (list(encounter.location[-1:]) if encounter.status == "finished" else [])
        chosen = here[-1] if here else None
    return _described(chosen, graph) if chosen else None


def _described(place: EncounterLocation, graph: Graph) -> dict[str, str] | None:
    """Bed, room and ward up the chain of partOf; where no kind is said, the name is the point of care."""
    said: dict[str, str] = {}
    reference = place.location
    for _ in range(_DEEPEST):
        found = graph.get(reference, Location)
        if found is None:
            if not said and reference.display:
                said["point_of_care"] = reference.display
            break
        kind = _PLACES.get((found.physical_type.first.code or "").lower(), "point_of_care")
        name = next((one.value for one in found.identifier if one.value), None) or found.name
        if name:
            said.setdefault(kind, name)
        if found.part_of is None:
            break
        reference = found.part_of
    return said or None


def _people(encounter: Encounter, patient: Patient | None, graph: Graph, feed: Feed) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for one in encounter.participant:
        role = next((_ROLES[c.code] for t in one.type for c in t.coding if c.code in _ROLES), None)
        who = people.practitioner(one.individual, graph, feed)
        if role and who:
            said.setdefault(role, []).append(who)
    general = patient.general_practitioner[0] if patient and patient.general_practitioner else None
    if general and (who := people.practitioner(general, graph, feed)):
        said["pcp"] = who
    return said


def _diagnoses(encounter: Encounter, graph: Graph) -> list[dict[str, Any]]:
    found = []
    for one in encounter.diagnosis:
        condition = graph.get(one.condition, Condition)
        if condition is None or condition.verification.first.code == "entered-in-error":
            continue
        found.append((condition.code, codes.DIAGNOSIS_USES.get(one.use.first.code or ""), one.rank))
    if not found:
        found = [(reason, "A", None) for reason in encounter.reason_code]
    said = [
        {
            "code": concept.first.code,
            "text": concept.words,
            "system": codes.CODE_SYSTEMS.get(concept.first.system or "", concept.first.system),
            "type": kind,
            "rank": rank,
        }
        for concept, kind, rank in found
        if concept.first.code
    ]
    return [{name: value for name, value in one.items() if value is not None} for one in said]
