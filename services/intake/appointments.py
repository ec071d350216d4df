"""SIU: what a scheduling message says of an appointment."""

from collections.abc import Mapping
from typing import Any

from services.intake import person
from services.intake.codes import appointment_status
from services.intake.context import Context
from services.intake.diagnoses import diagnoses
from services.intake.er7 import Segment
from services.intake.message import Rank, Reason
from services.intake.person import Person
from services.intake.refusals import held
from services.intake.statement import About, Statement
from shared.events.people import Identifier

BOOKED, CANCELLED, NO_SHOW = "booked", "cancelled", "no-show"

# What each trigger says of the appointment's status; None: nothing.
TRIGGERS: Mapping[str, str | None] = {
    "S12": BOOKED,
    "S13": BOOKED,
    "S14": None,
    "S15": CANCELLED,
    "S16": CANCELLED,
    "S17": CANCELLED,
    **dict.fromkeys(("S18", "S19", "S20", "S21", "S22")),
    "S26": NO_SHOW,
}
_OPENS = frozenset({"S12"})
_RANKS = {BOOKED: Rank.OPENER, CANCELLED: Rank.CANCEL, NO_SHOW: Rank.CLOSER}
# Where a start is told, by preference: SCH-11, then TQ1-7, then the first resource that has one.
_STARTS = (("TQ1", 7), ("AIS", 4), ("AIP", 6), ("AIL", 6), ("AIG", 8))


def read(context: Context, _who: Person) -> tuple[Statement, ...]:
    """One appointment. Raises UnacceptableError where nothing tells which one a later message means."""
    schedule = context.segment("SCH")
    trigger = context.heading.trigger
    identifier = _identifier(context, schedule)
    if identifier is None:
        context.doubts.append("SCH-2")
        if trigger not in _OPENS:
            raise held(Reason.NO_IDENTIFIER)
        identifier = context.own_identifier("SCH")
    sent = context.sent()
    status = _status(trigger, schedule)
    rank = _RANKS.get(status or "", Rank.CHANGE) if trigger != "S13" else Rank.CHANGE
    return (
        Statement(
            about=About.APPOINTMENT,
            identifier=identifier,
            order=context.order(rank, sent, sent),
            occurred=sent.at if sent else context.received,
            said=_said(context, schedule, status),
        ),
    )


def _identifier(context: Context, schedule: Segment) -> Identifier | None:
    """The filler's number (SCH-2), else the placer's; with the occurrence (SCH-3) of one that repeats."""
    found = context.entity(schedule, 2, "SCH") or context.entity(schedule, 1, "SCH")
    occurrence = schedule.text(3)
    if found and occurrence:
        return found.model_copy(update={"value": f"{found.value} {occurrence}"})
    return found


def _status(trigger: str, schedule: Segment) -> str | None:
    """The filler's status (SCH-25) is more precise than S12 to S14; a cancel or a no-show is one whatever it says."""
    by_trigger = TRIGGERS[trigger]
    if by_trigger in {CANCELLED, NO_SHOW}:
        return by_trigger
    coded = schedule.value(25)
    return appointment_status(coded[1]) or appointment_status(coded[2]) or by_trigger


def _said(context: Context, schedule: Segment, status: str | None) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if status:
        said["status"] = status
    timing = schedule.value(11)
    start = context.moment("SCH-11.4", timing[4]) or _start(context)
    end = context.moment("SCH-11.5", timing[5]) or context.moment("TQ1-8", context.segment("TQ1").text(8))
    found = {
        "starts_at": start.iso if start else None,
        "ends_at": end.iso if end else None,
        "service": _coded(context.segment("AIS"), 3) or _coded(schedule, 8) or _coded(schedule, 7),
        "note": _coded(schedule, 6),
        "actor": person.shown(context.segment("AIP"), 3) or person.shown(schedule, 16),
        "organisation": _place(context.segment("AIL")),
        "order": context.entity(schedule, 26, "ORDER") or context.entity(schedule, 27, "ORDER"),
        "specialty": _code(context.pv1, 10) or _code(context.segment("AIP"), 4),
        "diagnoses": diagnoses(context.source.lines.get("DG1", ()), context.source.separators) or None,
    }
    order = found["order"]
    found["order"] = order.model_dump() if isinstance(order, Identifier) else None
    return said | {name: value for name, value in found.items() if value is not None}


def _start(context: Context) -> Any:
    for name, number in _STARTS:
        moment = context.moment(f"{name}-{number}", context.segment(name).text(number))
        if moment:
            return moment
    return None


def _coded(segment: Segment, number: int) -> str | None:
    coded = segment.value(number)
    return coded[2] or coded[1]


def _code(segment: Segment, number: int) -> str | None:
    coded = segment.value(number)
    return coded[1] or coded[2]


def _place(location: Segment) -> str | None:
    """AIL-3: the facility, else the point of care."""
    place = location.value(3)
    return place[4] or place[1]
