"""A stay as the contract describes it. Pure."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.intake.encounter import EncounterState, MilestoneKind
from shared.events.encounters import Encounter
from shared.events.people import EncounterClass, EncounterStatus, Facility, Identifier, PatientSummary

_ROLES = ("ATND", "REF", "CON", "ADM")
_PLAIN = (
    "account",
    "prior_location",
    "expected_discharge_at",
    "admission_type",
    "admit_source",
    "hospital_service",
    "readmission_indicator",
    "pcp",
    "pcp_organisation",
    "diagnoses",
)
_ONLY_AFTER_DISCHARGE = ("disposition", "discharged_to")
_ONLY_WHILE = {EncounterStatus.PLANNED: "expected_admission_at", EncounterStatus.ON_LEAVE: "expected_return_at"}
_SHOWN_AS = {"class": "encounter_class", **dict.fromkeys(_ROLES, "participants")}


@dataclass(frozen=True, slots=True)
class StayIdentity:
    """What of a stay never changes."""

    id: UUID
    visit: Identifier
    feed: str
    facility: Facility


def describe(stay: StayIdentity, version: int, state: EncounterState, patient: PatientSummary) -> Encounter:
    said = state.said
    shown: dict[str, Any] = {name: said[name] for name in _PLAIN if name in said}
    expected = _ONLY_WHILE.get(state.status, "")
    if expected in said:
        shown[expected] = said[expected]
    participants = [{"role": role, "practitioner": one} for role in _ROLES for one in said.get(role, ())]
    opening = state.last(MilestoneKind.ARRIVED, MilestoneKind.ADMITTED)
    shown["admitted_at"] = said.get("admitted_at") or (opening.at if opening else None)
    if state.status == EncounterStatus.FINISHED:
        closing = state.last(MilestoneKind.DISCHARGED)
        shown |= {name: said[name] for name in _ONLY_AFTER_DISCHARGE if name in said}
        shown["discharged_at"] = closing.at if closing else None
    return Encounter.model_validate(
        {
            **shown,
            "id": stay.id,
            "version": version,
            "feed": stay.feed,
            "visit": stay.visit,
            "facility": stay.facility,
            "status": state.status,
            "encounter_class": said.get("class", EncounterClass.OTHER),
            "patient": patient,
            "location": state.location,
            "participants": participants,
        }
    )


def differences(before: EncounterState, after: EncounterState) -> tuple[str, ...]:
    """Names of the contract's fields that differ, sorted."""
    old, new = before.said, after.said
    # Where the patient is follows from the lifecycle, not from the last message.
    found = {_SHOWN_AS.get(n, n) for n in old.keys() | new.keys() if old.get(n) != new.get(n) and n != "location"}
    if before.status != after.status:
        found.add("status")
    if before.location != after.location:
        found.add("location")
    return tuple(sorted(found))
