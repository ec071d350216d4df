"""MDM: what a document notification says; its content stays in the message log."""

from collections.abc import Iterator, Mapping
from typing import Any

from services.intake import person
from services.intake.context import FURTHEST_AHEAD, Context
from services.intake.er7 import Segment
from services.intake.message import OrderKey, Rank, Reason
from services.intake.person import Person
from services.intake.refusals import held
from services.intake.statement import About, Statement
from shared.events.people import Identifier

AVAILABLE, UNAVAILABLE, OBSOLETE, CANCELLED = "available", "unavailable", "obsolete", "cancelled"

_RANKS: Mapping[str, Rank] = {
    **dict.fromkeys(("T01", "T02"), Rank.OPENER),
    **dict.fromkeys(("T03", "T04", "T05", "T06", "T07", "T08"), Rank.CHANGE),
    **dict.fromkeys(("T09", "T10"), Rank.CLOSER),
    "T11": Rank.CANCEL,
}
TRIGGERS = frozenset(_RANKS)
_ADDENDA = frozenset({"T05", "T06"})
_REPLACEMENTS = frozenset({"T09", "T10"})
# TXA-19, HL7 table 0273.
_AVAILABILITY = {"AV": AVAILABLE, "CA": CANCELLED, "OB": OBSOLETE, "UN": UNAVAILABLE}


def read(context: Context, _who: Person) -> tuple[Statement, ...]:
    """The document, and the one it replaces. Raises UnacceptableError where nothing tells which one is cancelled."""
    header, trigger = context.segment("TXA"), context.heading.trigger
    identifier = context.entity(header, 12, "DOC")
    if identifier is None:
        context.doubts.append("TXA-12")
        if trigger == "T11":
            raise held(Reason.NO_IDENTIFIER)
        identifier = context.own_identifier("DOC")
    sent = context.sent()
    recorded = context.moment("EVN-2", context.event.text(2), FURTHEST_AHEAD)
    order = context.order(_RANKS[trigger], recorded, sent)
    parent = context.entity(header, 13, "DOC")
    return tuple(_statements(context, header, identifier, parent, order))


def _statements(
    context: Context, header: Segment, identifier: Identifier, parent: Identifier | None, order: OrderKey
) -> Iterator[Statement]:
    trigger = context.heading.trigger
    acted = context.moment("TXA-4", header.text(4), FURTHEST_AHEAD)
    happened = context.moment("EVN-6", context.event.text(6), FURTHEST_AHEAD) or acted or context.sent()
    occurred = happened.at if happened else context.received
    status = CANCELLED if trigger == "T11" else _AVAILABILITY.get((header.text(19) or "").upper(), AVAILABLE)
    said = _said(context, header, status)
    if parent and parent != identifier:
        said |= {"replaces": parent.model_dump(), "is_addendum": trigger in _ADDENDA}
        if trigger in _REPLACEMENTS:
            yield Statement(
                about=About.DOCUMENT, identifier=parent, order=order, occurred=occurred, said={"status": OBSOLETE}
            )
    yield Statement(about=About.DOCUMENT, identifier=identifier, order=order, occurred=occurred, said=said)


def _said(context: Context, header: Segment, status: str) -> dict[str, Any]:
    kind = header.value(2)
    authored = context.moment("TXA-6", header.text(6), FURTHEST_AHEAD)
    order = context.entity(header, 14, "ORDER") or context.entity(header, 15, "ORDER")
    found = {
        "document_type": kind[1] or kind[2],
        "completion": header.text(17),
        "authored_at": authored.iso if authored else None,
        "actor": person.shown(header, 9),
        "order": order.model_dump() if order else None,
    }
    return {"status": status, **{name: value for name, value in found.items() if value is not None}}
