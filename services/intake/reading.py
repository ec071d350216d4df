"""From a split message to what it says: headings, admissibility, and the typed message that the rules take."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from services.intake import person
from services.intake.codes import class_of, disposition_of
from services.intake.er7 import Message, Segment, Separators
from services.intake.feeds import Feed
from services.intake.message import (
    AdtMessage,
    Heading,
    OrderKey,
    Outcome,
    Reason,
    StayFact,
    UnacceptableError,
    Verdict,
)
from services.intake.person import Person, put
from services.intake.times import Moment, read_moment, read_offset
from services.intake.triggers import MERGES, PATIENT_ONLY, RANKS
from shared.events.people import Identifier

_VERSION = re.compile(r"2(\.\d{1,2}){0,3}")
# What is recorded or happened later than this after its arrival is a wrong clock or a typing error.
FURTHEST_AHEAD = timedelta(days=1)
FURTHEST_PLANNED = timedelta(days=730)
# "Not applicable" and "unknown" say nothing about the class: they must not overwrite a known one.
_NO_CLASS = frozenset({"N", "U"})
_PERSON_ROLES = {"ATND": 7, "REF": 8, "CON": 9, "ADM": 17}


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

    `received` stands in where the sender's own times are missing, and bounds absurd ones.
    """
    _admit(message, heading, feed)
    reader = _Reader(message, heading, feed, received)
    if message.first("PID") is None:
        raise _missing("PID^1", Reason.MISSING_PATIENT, "PID segment is missing")
    who = person.read_person(message.lines["PID"][0], message.separators, feed)
    if not person.assigned(who.identifiers):
        raise _missing("PID^1^3", Reason.MISSING_PATIENT, "PID-3 has no identifier of a patient")
    return reader.message(who, digest)


def _admit(message: Message, heading: Heading, feed: Feed) -> None:
    if len(message.lines["MSH"]) > 1:
        raise _refusal("AE", 100, "MSH", Reason.SEVERAL_MESSAGES, "one frame, one message")
    if heading.version and not _VERSION.fullmatch(heading.version):
        raise _refusal("AR", 203, "MSH^1^12", Reason.UNSUPPORTED_VERSION, "version is not 2.x")
    if heading.processing_id and heading.processing_id not in feed.processing_ids:
        raise _refusal("AR", 202, "MSH^1^11", Reason.WRONG_PROCESSING_ID, "processing id is not taken on this feed")
    if not heading.type and not heading.trigger:
        raise _refusal("AE", 101, "MSH^1^9", Reason.NO_TRIGGER, "message type is missing")
    if heading.type not in {"ADT", ""}:
        raise UnacceptableError(Verdict(Outcome.SKIPPED, reason=Reason.UNSUPPORTED_TYPE))
    if heading.trigger not in RANKS:
        raise UnacceptableError(Verdict(Outcome.SKIPPED, reason=Reason.UNSUPPORTED_TRIGGER))


def _refusal(code: str, error: int, location: str, reason: Reason, text: str) -> UnacceptableError:
    return UnacceptableError(Verdict(Outcome.REJECTED, code, reason, error, location, text))


def _missing(location: str, reason: Reason, text: str) -> UnacceptableError:
    return _refusal("AE", 101, location, reason, text)


def _held(reason: Reason) -> UnacceptableError:
    """A business problem: positively acknowledged, so that the feed goes on, and put on the work queue."""
    return UnacceptableError(Verdict(Outcome.HELD, reason=reason))


@dataclass
class _Reader:
    source: Message
    heading: Heading
    feed: Feed
    received: datetime
    doubts: list[str] = field(default_factory=list)
    moments: dict[str, tuple[str, str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        empty = Segment([], self.source.separators)
        self.event = self.source.first("EVN") or empty
        self.pv1 = self.source.first("PV1") or empty
        self.pv2 = self.source.first("PV2") or empty
        self.doubts += self.source.doubts
        sent = self.source.header.text(7)
        # MSH-7's offset is the default zone of all times in the message.
        self.zone: tzinfo = (read_offset(sent) if sent else None) or self.feed.zone

    def message(self, who: Person, digest: str) -> AdtMessage:
        trigger, found = self.heading.trigger, who.identifiers
        sent = self._moment("MSH-7", self.source.header.text(7), FURTHEST_AHEAD)
        recorded = self._moment("EVN-2", self.event.text(2), FURTHEST_AHEAD)
        happened = self._moment("EVN-6", self.event.text(6), FURTHEST_AHEAD)
        written = recorded or sent
        key = OrderKey(
            recorded=_sortable(written.at if written else self.received),
            sent=_sortable(sent.at if sent else written.at if written else self.received),
            rank=RANKS[trigger],
            control_id=self.heading.control_id,
            digest=digest[:16],
        )
        source, occurred = next(
            ((name, m.at) for name, m in (("EVN-6", happened), ("EVN-2", recorded), ("MSH-7", sent)) if m),
            ("received", self.received),
        )
        retired = self._retired(found) if trigger in MERGES else ()
        visit = None if trigger in MERGES or trigger in PATIENT_ONLY else self._visit(who)
        fact = None
        if visit:
            fact = StayFact(trigger, key, occurred.isoformat(), source, self._said(who), self.moments)
        return AdtMessage(
            trigger=trigger,
            order=key,
            occurred=occurred,
            identifiers=found,
            demographics=who.demographics,
            visit=visit,
            fact=fact,
            retired=retired,
            doubts=tuple(dict.fromkeys(self.doubts)),
        )

    def _moment(self, name: str, text: str | None, ahead: timedelta = FURTHEST_PLANNED) -> Moment | None:
        """The moment in a field. An absurd one counts as missing and leaves a doubt: the message is still good."""
        if not text:
            return None
        moment = read_moment(text, self.zone)
        if moment is None or moment.at > self.received + ahead:
            self.doubts.append(name)
            return None
        if moment.note:
            self.doubts.append(f"{name} {moment.note}")
        self.moments[name] = (moment.iso, moment.precision.value, moment.offset)
        return moment

    def _retired(self, survivor: tuple[Identifier, ...]) -> tuple[Identifier, ...]:
        """MRG-1, first the identifier of the kind that stands for the survivor."""
        merge = self.source.first("MRG")
        found = person.assigned(person.identifiers(merge, 1, self.feed)) if merge else ()
        if not found:
            raise _missing("MRG^1^1", Reason.MISSING_RETIRED_PATIENT, "MRG-1 has no identifier")
        kind = (survivor[0].authority, survivor[0].type)
        return tuple(sorted(found, key=lambda one: (one.authority, one.type) != kind))

    def _visit(self, who: Person) -> Identifier:
        """PV1-19, else the account (PID-18), else the patient's identifier with the time of admission (PV1-44)."""
        visit = person.identifier(self.pv1, 19, "VN", self.feed) or who.account
        if visit:
            return visit
        admitted = self._moment("PV1-44", self.pv1.text(44))
        if admitted is None:
            raise _held(Reason.NO_VISIT)
        record = who.identifiers[0]
        value = f"{record.type} {record.value} {admitted.iso}"
        return Identifier(authority=record.authority, type="PV1-44", value=value)

    def _said(self, who: Person) -> dict[str, Any]:
        said: dict[str, Any] = {}
        pv1 = self.pv1
        plain = {"admission_type": 4, "hospital_service": 10, "readmission_indicator": 13, "admit_source": 14}
        for name, number in plain.items():
            put(said, name, pv1, number, pv1.text(number))
        code = pv1.text(2)
        if code and code not in _NO_CLASS:
            said["class"] = class_of(self.feed.classes.get(code, code)).value
        put(said, "location", pv1, 3, self._location(3))
        put(said, "prior_location", pv1, 6, self._location(6))
        put(said, "discharged_to", pv1, 37, pv1.text(37))
        word = pv1.text(36)
        disposition = disposition_of(word, self.feed.dispositions) if word else None
        if disposition and disposition.nubc is None:
            self.doubts.append("PV1-36")
        put(said, "disposition", pv1, 36, disposition.model_dump() if disposition else None)
        self._put_times(said)
        self._put_people(said)
        if who.account or who.is_account_null:
            said["account"] = who.account.model_dump() if who.account else None
        if diagnoses := self._diagnoses():
            said["diagnoses"] = diagnoses
        return said

    def _put_times(self, said: dict[str, Any]) -> None:
        times = (
            ("admitted_at", self.pv1, "PV1", 44, FURTHEST_PLANNED),
            ("discharged_at", self.pv1, "PV1", 45, FURTHEST_AHEAD),
            ("expected_discharge_at", self.pv2, "PV2", 9, FURTHEST_PLANNED),
        )
        for name, segment, label, number, ahead in times:
            moment = self._moment(f"{label}-{number}", segment.text(number), ahead)
            put(said, name, segment, number, moment.iso if moment else None)

    def _put_people(self, said: dict[str, Any]) -> None:
        for role, number in _PERSON_ROLES.items():
            put(said, role, self.pv1, number, person.practitioners(self.pv1, number))
        for line in self.source.lines.get("PD1", ())[:1]:
            said.update(person.read_primary_care(line, self.source.separators))

    def _location(self, number: int) -> dict[str, str] | None:
        place = self.pv1.value(number)
        parts = enumerate(("point_of_care", "room", "bed", "facility"), 1)
        return {name: text for component, name in parts if (text := place[component])} or None

    def _diagnoses(self) -> list[dict[str, Any]]:
        """All DG1 segments: a snapshot, replaced as a whole. The reason of admission (PV2-3) where there are none."""
        lines = self.source.lines.get("DG1")
        if lines is None:
            coded = self.pv2.value(3)
            return [{"code": coded[1], "text": coded[2], "system": coded[3], "type": "A"}] if coded[1] else []
        return [found for line in lines if (found := _diagnosis(line, self.source.separators))]


@lru_cache(maxsize=4096)
def _diagnosis(line: str, separators: Separators) -> dict[str, Any] | None:
    """One DG1; None where it is deleted or has no code."""
    segment = Segment(line.split(separators.field), separators)
    coded = segment.value(3)
    if not coded[1] or segment.text(21) == "D":
        return None
    rank = segment.text(15) or ""
    said = {
        "code": coded[1],
        "text": coded[2] or segment.text(4),
        "system": coded[3],
        "type": segment.text(6),
        "rank": int(rank) if rank.isdecimal() and len(rank) < 4 else None,  # noqa: PLR2004  (a rank, not a number)
    }
    return {name: value for name, value in said.items() if value is not None}


def _sortable(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
