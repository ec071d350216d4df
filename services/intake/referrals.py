"""REF and RRI: what a referral message, or the answer to one, says."""

from collections.abc import Mapping
from typing import Any

from services.intake import person
from services.intake.context import Context
from services.intake.er7 import Segment
from services.intake.message import Rank, Reason
from services.intake.person import Person
from services.intake.refusals import held
from services.intake.statement import About, Statement
from shared.events.people import Identifier

REQUESTED, RECEIVED, ACCEPTED, REJECTED, EXPIRED = "requested", "received", "accepted", "rejected", "expired"
CANCEL_REQUESTED, CANCELLED = "cancel-requested", "cancelled"

_RANKS: Mapping[str, Rank] = {"I12": Rank.OPENER, "I13": Rank.CHANGE, "I14": Rank.CANCEL, "I15": Rank.CHANGE}
TRIGGERS = frozenset({"I12", "I13", "I14", "I15"})
# RF1-1, HL7 table 0283. Pending is what a request is anyway; as an answer it says that the request is there.
_STATUSES = {"A": ACCEPTED, "R": REJECTED, "E": EXPIRED}
_PENDING = "P"
# RF1-2, HL7 table 0280.
_PRIORITIES = {"S": "stat", "A": "asap", "R": "routine"}
_REQUESTERS, _PERFORMERS = frozenset({"RP"}), frozenset({"RT"})


def read(context: Context, _who: Person) -> tuple[Statement, ...]:
    """One referral. Raises UnacceptableError where nothing tells which one a later message means."""
    referral, heading = context.segment("RF1"), context.heading
    identifier = _identifier(context, referral)
    if identifier is None:
        context.doubts.append("RF1-6")
        if (heading.type, heading.trigger) != ("REF", "I12"):
            raise held(Reason.NO_IDENTIFIER)
        identifier = context.own_identifier("REF")
    sent = context.sent()
    is_answer = heading.type == "RRI"
    rank = max(_RANKS[heading.trigger], Rank.CLOSER) if is_answer else _RANKS[heading.trigger]
    if heading.trigger == "I15" and not is_answer:
        said = {"asked_at": sent.iso if sent else context.received.isoformat()}
        return (_statement(context, identifier, rank, said),)
    said = _said(context, referral)
    status = _status(heading.trigger, referral, is_answer=is_answer)
    if status:
        said["status"] = status
    return (_statement(context, identifier, rank, said),)


def _statement(context: Context, identifier: Identifier, rank: Rank, said: dict[str, Any]) -> Statement:
    sent = context.sent()
    return Statement(
        about=About.REFERRAL,
        identifier=identifier,
        order=context.order(rank, sent, sent),
        occurred=sent.at if sent else context.received,
        said=said,
    )


def _identifier(context: Context, referral: Segment) -> Identifier | None:
    """The originator's number (RF1-6), else the external one (RF1-11), else the order's."""
    places = ((referral, 6), (referral, 11), (context.segment("ORC"), 2), (context.segment("OBR"), 2))
    found = (context.entity(segment, number, "REF") for segment, number in places)
    return next((one for one in found if one), None)


def _status(trigger: str, referral: Segment, *, is_answer: bool) -> str | None:
    word = (referral.text(1) or "").upper()
    coded = _STATUSES.get(word)
    match trigger, is_answer:
        case "I14", False:
            return CANCEL_REQUESTED
        case "I14", True:  # a refusal to cancel leaves the referral to what else is said of it
            return CANCELLED if coded == ACCEPTED else None
        case "I12", False:
            return coded or REQUESTED
        case "I12", True:
            return RECEIVED if word == _PENDING else coded
        case _:
            return coded


def _said(context: Context, referral: Segment) -> dict[str, Any]:
    requester, performer = _provider(context, _REQUESTERS), _provider(context, _PERFORMERS)
    expires = context.moment("RF1-8", referral.text(8))
    service = next(
        (coded for coded in (context.segment("OBR").value(4), context.segment("PR1").value(3)) if coded[1]),
        referral.value(3),
    )
    reason, diagnosis = referral.value(10), context.segment("DG1").value(3)
    external = context.entity(referral, 11, "REF")
    found = {
        "priority": _PRIORITIES.get((referral.text(2) or "").upper()),
        "service": service[2] or service[1],
        "service_code": service[1],
        "requester": requester[0],
        "requester_npi": requester[1],
        "performer": performer[0],
        "performer_npi": performer[1],
        "expires_at": expires.iso if expires else None,
        "reason": reason[2] or reason[1] or diagnosis[2] or diagnosis[1],
        "external_identifier": external.model_dump() if external else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _provider(context: Context, roles: frozenset[str]) -> tuple[str | None, str | None]:
    """Name and NPI of the first provider (PRD) in one of these roles."""
    for provider in context.source.all("PRD"):
        if any(role[1] in roles for role in provider.repetitions(1)):
            numbers = [one[1] for one in provider.repetitions(7) if "NPI" in {one[2], one[3]}]
            return person.shown(provider, 2, first=1) or provider.value(4)[1], next(iter(numbers), None)
    return None, None
