"""What a recipient may see of a stay, a task, a referral, a plan or a follow-up, as the JSON of a notice. Pure."""

from datetime import datetime
from typing import Any
from uuid import UUID

from shared.events.encounters import Encounter
from shared.events.followups import FollowUpFact
from shared.events.people import Facility, PatientSummary, Practitioner
from shared.events.plans import CarePlan
from shared.events.referrals import ReferralFact
from shared.events.transitions import TaskEscalated, TaskFact, Transition

TREATING = {"ATND": "attending", "ADM": "admitting", "CON": "consulting", "REF": "referring"}


def stay_shown(stay: Encounter) -> dict[str, Any]:
    """What a recipient may see of a stay: the minimum of 42 CFR 482.24(d) (patient, treating practitioner, sending
    institution) and what a follow-up needs; no address, no room.
    """
    return {
        "id": str(stay.id),
        "version": stay.version,
        "visit": stay.visit.model_dump(mode="json"),
        "status": stay.status.value,
        "class": stay.encounter_class.value,
        **basics_shown(stay.patient, stay),
        "hospital_service": stay.hospital_service,
        "admit_source": stay.admit_source,
        "discharged_to": stay.discharged_to,
    }


def basics_shown(patient: PatientSummary, stay: Encounter | Transition) -> dict[str, Any]:
    return {
        "patient": _patient_shown(patient),
        "facility": stay.facility.model_dump(mode="json", exclude_none=True),
        "treating": [
            {"role": TREATING[who.role], **_practitioner_shown(who.practitioner)}
            for who in stay.participants
            if who.role in TREATING
        ],
        "pcp": _practitioner_shown(stay.pcp) if stay.pcp else None,
        "admitted_at": _instant(stay.admitted_at),
        "discharged_at": _instant(stay.discharged_at),
        "disposition": stay.disposition.model_dump(mode="json", exclude_none=True) if stay.disposition else None,
        "diagnoses": [one.model_dump(mode="json", exclude_none=True) for one in stay.diagnoses],
    }


def _patient_shown(patient: PatientSummary) -> dict[str, Any]:
    return {
        "id": patient.id,
        "name": patient.name.display,
        "birth_date": patient.birth_date,
        "sex": patient.sex,
        "identifiers": [one.model_dump(mode="json") for one in patient.identifiers],
        "phones": list(patient.phones),
        "language": patient.language,
        "deceased": patient.deceased,
    }


def _practitioner_shown(who: Practitioner) -> dict[str, Any]:
    return {"name": who.name.display, "npi": who.npi}


def task_shown(fact: TaskFact) -> dict[str, Any]:
    task = fact.task
    shown: dict[str, Any] = {
        "id": str(task.id),
        "code": task.code,
        "title": task.title,
        "status": task.status.value,
        "owner_role": task.owner_role,
        "due_at": _instant(task.due_at),
        "due_explained": task.due_explained,
        "escalation_level": task.escalation_level,
    }
    return shown | ({"to_role": fact.to_role} if isinstance(fact, TaskEscalated) else {})


def people_shown(patient: PatientSummary, facility: Facility | None, encounter_id: UUID | None) -> dict[str, Any]:
    """Whom it is about and where, for what is no news of the stay itself."""
    return {
        "id": str(encounter_id) if encounter_id else None,
        "patient": _patient_shown(patient),
        "facility": facility.model_dump(mode="json", exclude_none=True) if facility else None,
    }


def referral_shown(fact: ReferralFact) -> dict[str, Any]:
    shown = {"version", "identifier", "service", "service_code", "priority", "status", "requester", "performer"}
    shown |= {"scheduled_at", "expires_at", "reason", "outcome"}
    return {"id": str(fact.referral_id), **fact.model_dump(mode="json", include=shown, exclude_none=True)}


def plan_shown(plan: CarePlan, reason: str | None) -> dict[str, Any]:
    shown = {"id", "version", "status", "template", "template_version", "needs", "goals", "activities", "team"}
    return {**plan.model_dump(mode="json", include=shown, exclude_none=True), "reason": reason}


def followup_shown(fact: FollowUpFact) -> dict[str, Any]:
    """Without what a person wrote beside it: that was written for the care team."""
    left_out = {"followup_id", "patient", "facility", "encounter_id", "transition_id", "actor", "note"}
    return {"id": str(fact.followup_id), **fact.model_dump(mode="json", exclude=left_out, exclude_none=True)}


def _instant(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
