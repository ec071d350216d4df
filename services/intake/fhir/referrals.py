"""ServiceRequest and Task as REF and RRI are read: the request, and what its receiver answers."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from services.intake.fhir.followups import required
from services.intake.fhir.graph import Found, Issue, UnreadableError, read_resource
from services.intake.fhir.resources import BusinessIdentifier, Concept, Period, Reference, Resource, Several
from services.intake.fhir.telling import Telling, Told, known_only
from services.intake.message import Rank
from services.intake.statement import About, Statement

_REQUESTS: Mapping[str, tuple[str | None, Rank]] = {
    "draft": (None, Rank.OPENER),
    "unknown": (None, Rank.CHANGE),
    "active": ("requested", Rank.OPENER),
    "on-hold": (None, Rank.CHANGE),
    "completed": (None, Rank.CHANGE),
    "revoked": ("cancelled", Rank.CANCEL),
    "entered-in-error": ("cancelled", Rank.CANCEL),
}
_ANSWERS: Mapping[str, tuple[str | None, Rank]] = {
    **dict.fromkeys(("draft", "requested", "ready", "on-hold"), (None, Rank.CHANGE)),
    "received": ("received", Rank.CHANGE),
    **dict.fromkeys(("accepted", "in-progress", "completed"), ("accepted", Rank.CLOSER)),
    **dict.fromkeys(("rejected", "failed"), ("rejected", Rank.CLOSER)),
    **dict.fromkeys(("cancelled", "entered-in-error"), ("cancelled", Rank.CANCEL)),
}


class ServiceRequest(Resource):
    resource_type: Literal["ServiceRequest"] = Field(alias="resourceType")
    identifier: Several[BusinessIdentifier] = ()
    status: Literal["draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown"]
    priority: Literal["routine", "urgent", "asap", "stat"] | None = None
    code: Concept = Concept()
    subject: Reference
    encounter: Reference | None = None
    occurrence: Period = Field(default=Period(), alias="occurrencePeriod")
    requester: Reference | None = None
    performer: Several[Reference] = ()
    reason_code: Several[Concept] = Field(default=(), alias="reasonCode")


class Task(Resource):
    resource_type: Literal["Task"] = Field(alias="resourceType")
    status: Literal[
        "draft", "requested", "received", "accepted", "rejected", "ready", "cancelled", "in-progress", "on-hold",
        "failed", "completed", "entered-in-error",
    ]  # fmt: skip
    status_reason: Concept = Field(default=Concept(), alias="statusReason")
    focus: Reference | None = None
    patient: Reference = Field(alias="for")
    encounter: Reference | None = None
    owner: Reference | None = None


def read_request(found: Found, telling: Telling) -> Told:
    sent = read_resource(found, ServiceRequest)
    status, rank = _REQUESTS[sent.status]
    requester, performer = telling.provider(sent.requester), telling.provider(next(iter(sent.performer), None))
    expires = telling.instant("ServiceRequest.occurrencePeriod.end", sent.occurrence.end)
    said = {
        "status": status,
        "priority": sent.priority,
        "service": sent.code.words,
        "service_code": sent.code.first.code,
        "requester": requester[0],
        "requester_npi": requester[1],
        "performer": performer[0],
        "performer_npi": performer[1],
        "expires_at": expires.isoformat() if expires else None,
        "reason": sent.reason_code[0].words if sent.reason_code else None,
    }
    statement = Statement(
        about=About.REFERRAL,
        identifier=required(found, telling.identifier(sent.identifier, sent, "REF")),
        order=telling.order(rank),
        occurred=telling.written,
        said=known_only(said),
    )
    return Told(sent.subject, sent.encounter, (statement,))


def read_task(found: Found, telling: Telling) -> Told:
    """The answer to the request in its focus; the focus's identifier is the request's, where that has one."""
    sent = read_resource(found, Task)
    referral = telling.referred(sent.focus, "REF")
    if referral is None:
        raise UnreadableError([Issue("error", "required", f"{found.path}.focus", "names no ServiceRequest")])
    status, rank = _ANSWERS[sent.status]
    performer = telling.provider(sent.owner)
    said = {
        "status": status,
        "performer": performer[0],
        "performer_npi": performer[1],
        "reason": sent.status_reason.words if status == "rejected" else None,
    }
    statement = Statement(
        about=About.REFERRAL,
        identifier=referral,
        order=telling.order(rank),
        occurred=telling.written,
        said=known_only(said),
    )
    return Told(sent.patient, sent.encounter, (statement,))
