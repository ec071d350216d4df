"""Patient and Practitioner as HL7's PID and XCN are read: identifiers first, then demographics."""

from collections.abc import Sequence
from typing import Any

from services.intake.codes import NO_IDENTITY
from services.intake.feeds import Feed
from services.intake.fhir.codes import NPI, SEX
from services.intake.fhir.graph import Graph, logical_id
from services.intake.fhir.resources import Address, BusinessIdentifier, HumanName, Patient, Practitioner, Reference
from services.intake.fhir.times import read_instant
from services.intake.person import IDENTIFIERS
from shared.events.people import Identifier

LOGICAL = "FHIR"
"""Type of an identifier that is a resource's own id on the sender's server."""
_OID = "urn:oid:"


def authority_of(system: str | None, feed: Feed) -> str:
    """`urn:oid:2.16…` is the OID that HL7 v2 has as universal id; the feed's map may also name the URI as it is."""
    if system and system in feed.authorities:
        return feed.authorities[system]
    return feed.authority(None, system.removeprefix(_OID) if system else None)


def logical(reference: Reference | None, patient: Patient | None, feed: Feed) -> Identifier | None:
    """What a later request may call the patient without sending the resource along."""
    number = logical_id(reference) or (patient.id if patient and not _is_local(reference) else None)
    return Identifier(authority=f"{feed.name} FHIR", type=LOGICAL, value=number) if number else None


def _is_local(reference: Reference | None) -> bool:
    return ((reference.reference if reference else None) or "").startswith(("#", "urn:"))


def identifiers(patient: Patient | None, reference: Reference | None, feed: Feed) -> tuple[Identifier, ...]:
    """All that the patient is known by: the logical id first, since it is what every later request says."""
    said = [*(patient.identifier if patient else ())]
    if reference and reference.identifier:
        said.append(reference.identifier)
    found = [one for each in said if (one := _identifier(each, feed))]
    assigned = [one for one in found if one.type not in NO_IDENTITY]
    first = logical(reference, patient, feed)
    return tuple(dict.fromkeys([*([first] if first else []), *assigned, *found]))


def _identifier(said: BusinessIdentifier, feed: Feed) -> Identifier | None:
    value = (said.value or "").strip()
    if not value:
        return None
    kind = (said.type.first.code or "MR").upper()
    return Identifier(authority=authority_of(said.system, feed), type=kind, value=value)


def demographics(patient: Patient, found: Sequence[Identifier], feed: Feed) -> dict[str, Any]:
    """The fields of PatientSummary that the resource says; what it leaves out is no change."""
    said: dict[str, Any] = {}
    for one in found:
        if one.type != LOGICAL:
            said.setdefault(f"{IDENTIFIERS}{one.authority}", []).append([one.type, one.value])
    died = read_instant(patient.deceased_at, feed.zone) if patient.deceased_at else None
    if died or patient.deceased_flag is not None:
        said["deceased"] = bool(died or patient.deceased_flag)
    language = next((one.language for one in patient.communication if one.preferred), None)
    values = {
        "name": name_of(patient.name),
        "birth_date": patient.birth_date,
        "sex": SEX.get(patient.gender or ""),
        "address": _address(patient.address[0]) if patient.address else None,
        "phones": [one.value for one in patient.telecom if one.system in {"phone", "sms"} and one.value] or None,
        "language": language.first.code if language else None,
        "deceased_at": died.iso if died else None,
    }
    return said | {name: value for name, value in values.items() if value is not None}


def name_of(names: Sequence[HumanName]) -> dict[str, str] | None:
    chosen = next((name for name in names if name.use == "official"), names[0] if names else None)
    if chosen is None:
        return None
    parts = {
        "family": chosen.family or (chosen.text if not chosen.given else None),
        "given": chosen.given[0] if chosen.given else None,
        "middle": " ".join(chosen.given[1:]),
        "suffix": " ".join(chosen.suffix),
    }
    return {part: text for part, text in parts.items() if text} or None


def _address(address: Address) -> str | None:
    parts = (*address.line, address.city, address.state, address.postal_code, address.country)
    return ", ".join(part for part in parts if part) or address.text


def practitioner(reference: Reference | None, graph: Graph, feed: Feed) -> dict[str, Any] | None:
    """The fields of Practitioner; the NPI only where the system says that it is one."""
    if reference is None:
        return None
    sent = graph.get(reference, Practitioner)
    numbers = [*(sent.identifier if sent else ()), *([reference.identifier] if reference.identifier else [])]
    name = name_of(sent.name) if sent else None
    name = name or ({"family": reference.display} if reference.display else {})
    npi = next((one.value for one in numbers if one.system == NPI and one.value), None)
    if npi:
        return {"npi": npi, "name": name}
    local = next((one for one in numbers if one.value), None)
    if local is None and not name:
        return None
    authority = authority_of(local.system, feed) if local else None
    return {"local_id": local.value if local else None, "authority": authority, "name": name}
