"""From a split message to what it says: headings, admissibility, and the typed message that the rules take."""

import re
from dataclasses import replace
from datetime import datetime

from services.intake import person
from services.intake.er7 import Message
from services.intake.feeds import Feed
from services.intake.kinds import Kind, kind_of
from services.intake.message import AdtMessage, Heading, Reason, UnacceptableError
from services.intake.person import Person
from services.intake.refusals import missing, refusal, skipped

_VERSION = re.compile(r"2(\.\d{1,2}){0,3}")


def heading_of(message: Message) -> Heading:
    msh = message.header
    kind = msh.value(9)
    return Heading(
        field_separator=msh.raw(1),
        encoding_characters=msh.raw(2),
        sender=(msh.raw(3), msh.raw(4)),
        receiver=(msh.raw(5), msh.raw(6)),
        type=(kind[1] or "").upper(),
        trigger=(kind[2] or _event_trigger(message)).upper(),
        control_id=msh.raw(10).strip(),
        processing_id=(msh.text(11) or "").upper(),
        version=msh.text(12) or "",
        accept_condition=(msh.text(15) or "").upper(),
        application_condition=(msh.text(16) or "").upper(),
        charset=msh.raw(18),
    )


def _event_trigger(message: Message) -> str:
    """Old senders leave MSH-9.2 out and say the trigger in EVN-1."""
    event = message.first("EVN")
    return (event.text(1) if event else None) or ""


def sender_of(message: Message) -> tuple[str, str]:
    return message.header.text(3) or "", message.header.text(4) or ""


def interpret(message: Message, heading: Heading, feed: Feed, received: datetime, digest: str) -> AdtMessage:
    """What the message says. Raises UnacceptableError when it may not or can't be applied.

    `received` stands in where the sender's own times are missing, and bounds absurd ones. A message about several
    patients answers the first one's part, with the `others`.
    """
    kind = _admit(message, heading, feed)
    parts = [message]
    if kind.is_of_several and len(message.lines.get("PID", ())) > 1:
        parts = message.parts("PID")
    if kind.is_of_two and len(parts) < 2:  # noqa: PLR2004  (a link has two ends)
        raise missing("PID^2", Reason.MISSING_SECOND_PATIENT, "a second PID is missing")
    first, *others = (_part(part, heading, feed, received, digest, kind) for part in parts)
    return replace(first, others=tuple(others)) if others else first


def is_acceptable(message: Message, heading: Heading, feed: Feed) -> bool:
    """Whether it is certain already, before all of it is read, that the message is acknowledged positively."""
    try:
        if not _admit(message, heading, feed).is_judged_by_its_patient:
            return False
        _patient(message, feed)
    except UnacceptableError:
        return False
    return True


def _part(message: Message, heading: Heading, feed: Feed, received: datetime, digest: str, kind: Kind) -> AdtMessage:
    who = _patient(message, feed)
    return kind.read(kind.context(message, heading, feed, received, digest), who)


def _patient(message: Message, feed: Feed) -> Person:
    lines = message.lines.get("PID")
    if not lines:
        raise missing("PID^1", Reason.MISSING_PATIENT, "PID segment is missing")
    who = person.read_person(lines[0], message.separators, feed)
    if not person.assigned(who.identifiers):
        raise missing("PID^1^3", Reason.MISSING_PATIENT, "PID-3 has no identifier of a patient")
    return who


def _admit(message: Message, heading: Heading, feed: Feed) -> Kind:
    if len(message.lines["MSH"]) > 1:
        raise refusal("AE", 100, "MSH", Reason.SEVERAL_MESSAGES, "one frame, one message")
    if heading.version and not _VERSION.fullmatch(heading.version):
        raise refusal("AR", 203, "MSH^1^12", Reason.UNSUPPORTED_VERSION, "version is not 2.x")
    if not feed.takes(heading.processing_id):
        raise refusal("AR", 202, "MSH^1^11", Reason.WRONG_PROCESSING_ID, "processing id is not taken on this feed")
    if not heading.type and not heading.trigger:
        raise refusal("AE", 101, "MSH^1^9", Reason.NO_TRIGGER, "message type is missing")
    kind = kind_of(heading.type or "ADT", heading.trigger)
    if kind.skipped:
        raise skipped(kind.skipped)
    if kind.may_lack_patient and not message.lines.get("PID"):
        raise skipped(Reason.NOT_ABOUT_A_PATIENT)
    return kind
