"""FHIR's Patient/$match: Parameters in, a searchset Bundle with score and match-grade out. Pure.

https://hl7.org/fhir/R4/patient-operation-match.html
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from services.intake.codes import NO_IDENTITY
from services.intake.feeds import Feed
from services.intake.fhir.people import demographics, identifiers
from services.intake.fhir.resources import Patient
from services.intake.identity.scoring import Grade, Score
from shared.events.people import Identifier, PatientSummary

GRADE_URL = "http://hl7.org/fhir/StructureDefinition/match-grade"
IDENTIFIER_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
AUTHORITY_URI = "urn:handoff:authority:"
COUNT_MOST = 50
COUNT_DEFAULT = 10
_GENDERS = {"F": "female", "M": "male", "O": "other"}
_BEST_FIRST = (Grade.CERTAIN, Grade.PROBABLE, Grade.POSSIBLE)


class UnreadableParametersError(ValueError):
    """The request is no Parameters for `$match`; the text names the element, never a value."""


class Asked(NamedTuple):
    """`said` are the fields of a patient's record, `numbers` those by which a facility knows the patient."""

    said: Mapping[str, Any]
    numbers: tuple[Identifier, ...]
    only_certain: bool
    most: int


class Found(NamedTuple):
    """A patient; without a score where one of the numbers asked for is this patient's own."""

    patient: PatientSummary
    score: Score | None

    @property
    def grade(self) -> Grade:
        return self.score.grade if self.score else Grade.CERTAIN

    @property
    def probability(self) -> float:
        return self.score.probability if self.score else 1.0


def read_parameters(body: Any, feed: Feed) -> Asked:
    """Raises UnreadableParametersError."""
    if not isinstance(body, dict) or body.get("resourceType") != "Parameters":
        raise UnreadableParametersError("the body must be a Parameters resource")
    listed = body.get("parameter")
    if not isinstance(listed, list) or not all(
        isinstance(one, dict) and isinstance(one.get("name"), str) for one in listed
    ):
        raise UnreadableParametersError("Parameters.parameter must be a list of named parameters")
    named = {one.get("name"): one for one in listed}
    resource = named.get("resource", {}).get("resource")
    if not isinstance(resource, dict) or resource.get("resourceType") != "Patient":
        raise UnreadableParametersError("the parameter `resource` must hold a Patient")
    try:
        patient = Patient.model_validate(resource)
    except ValueError:
        raise UnreadableParametersError("the Patient cannot be read") from None
    only_certain = named.get("onlyCertainMatches", {}).get("valueBoolean", False)
    count = named.get("count", {}).get("valueInteger", COUNT_DEFAULT)
    if not isinstance(only_certain, bool) or not isinstance(count, int) or not 1 <= count <= COUNT_MOST:
        raise UnreadableParametersError(f"onlyCertainMatches is a boolean, count an integer from 1 to {COUNT_MOST}")
    # A resource's own id means something on its own server alone.
    found = tuple(_renamed(one) for one in identifiers(patient.model_copy(update={"id": None}), None, feed))
    numbers = tuple(one for one in found if one.type not in NO_IDENTITY)
    return Asked(demographics(patient, found, feed), numbers, only_certain, count)


def _renamed(one: Identifier) -> Identifier:
    """Systems as this operation itself tells them are taken back."""
    return one.model_copy(update={"authority": one.authority.removeprefix(AUTHORITY_URI)})


def best(found: Iterable[Found], asked: Asked) -> list[Found]:
    """The best first, no more than asked for."""
    wanted = (Grade.CERTAIN,) if asked.only_certain else _BEST_FIRST
    kept = [one for one in found if one.grade in wanted]
    return sorted(kept, key=lambda one: (_BEST_FIRST.index(one.grade), -one.probability))[: asked.most]


def bundle(found: Sequence[Found]) -> dict[str, Any]:
    """A Bundle of type searchset; `search.score` is a probability, from 0 to 1."""
    return {"resourceType": "Bundle", "type": "searchset", "total": len(found), "entry": [_entry(one) for one in found]}


def _entry(found: Found) -> dict[str, Any]:
    return {
        "fullUrl": f"urn:handoff:patient:{found.patient.id}",
        "resource": patient_resource(found.patient),
        "search": {
            "extension": [{"url": GRADE_URL, "valueCode": found.grade.value}],
            "mode": "match",
            "score": round(found.probability, 6),
        },
    }


def patient_resource(patient: PatientSummary) -> dict[str, Any]:
    """A FHIR R4 Patient. Social security numbers are compared, and never told."""
    said = {
        "resourceType": "Patient",
        "id": patient.id,
        "active": True,
        "identifier": [_identifier(one) for one in patient.identifiers if one.type not in NO_IDENTITY],
        "name": [_name(patient)] if patient.name.family or patient.name.given else None,
        "telecom": [{"system": "phone", "value": phone} for phone in patient.phones],
        "gender": _GENDERS.get(patient.sex or "", "unknown" if patient.sex else None),
        "birthDate": patient.birth_date,
        "address": [{"text": patient.address}] if patient.address else None,
    }
    return {name: value for name, value in said.items() if value}


def _name(patient: PatientSummary) -> dict[str, Any]:
    name = patient.name
    parts = {
        "family": name.family,
        "given": [part for part in (name.given, name.middle) if part],
        "suffix": [name.suffix] if name.suffix else [],
    }
    return {part: value for part, value in parts.items() if value}


def _identifier(one: Identifier) -> dict[str, Any]:
    is_oid = one.authority.replace(".", "").isdecimal()
    is_uri = ":" in one.authority
    system = f"urn:oid:{one.authority}" if is_oid else one.authority if is_uri else f"{AUTHORITY_URI}{one.authority}"
    return {
        "type": {"coding": [{"system": IDENTIFIER_TYPES, "code": one.type}]},
        "system": system,
        "value": one.value,
    }
