"""One message while it is read: its segments, its times in the sender's zone, and what could not be read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from services.intake import person
from services.intake.er7 import Message, Segment
from services.intake.feeds import Feed
from services.intake.message import Heading, OrderKey
from services.intake.person import Person
from services.intake.times import Moment, read_moment, zone_of_message
from shared.events.people import Identifier

# What is recorded or happened later than this after its arrival is a wrong clock or a typing error.
FURTHEST_AHEAD = timedelta(days=1)
FURTHEST_PLANNED = timedelta(days=730)


@dataclass
class Context:
    """`received` stands in where the sender's own times are missing, and bounds absurd ones."""

    source: Message
    heading: Heading
    feed: Feed
    received: datetime
    digest: str
    doubts: list[str] = field(default_factory=list)
    moments: dict[str, tuple[str, str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.empty = Segment([], self.source.separators)
        self.event = self.segment("EVN")
        self.pv1 = self.segment("PV1")
        self.pv2 = self.segment("PV2")
        self.doubts += self.source.doubts
        self.zone: tzinfo = zone_of_message(self.source.header.text(7) or "", self.feed.zone)

    def segment(self, name: str) -> Segment:
        """The first segment of that name; an empty one when there is none."""
        return self.source.first(name) or self.empty

    def moment(self, name: str, text: str | None, ahead: timedelta = FURTHEST_PLANNED) -> Moment | None:
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

    def sent(self) -> Moment | None:
        return self.moment("MSH-7", self.source.header.text(7), FURTHEST_AHEAD)

    def order(self, rank: int, recorded: Moment | None, sent: Moment | None) -> OrderKey:
        """The place of what the message says among all that is said of the same thing."""
        written = recorded or sent
        return OrderKey(
            recorded=sortable(written.at if written else self.received),
            sent=sortable(sent.at if sent else written.at if written else self.received),
            rank=rank,
            control_id=self.heading.control_id,
            digest=self.digest[:16],
        )

    def entity(self, segment: Segment, number: int, kind: str) -> Identifier | None:
        """An EI field: an identifier and who assigned it; the facility itself where the message names nobody."""
        one = segment.value(number)
        value = (one[1] or "").strip()
        if not value:
            return None
        return Identifier(authority=self.feed.authority(one[2], one[3]), type=kind, value=value)

    def own_identifier(self, kind: str, *further: str) -> Identifier:
        """Stands in where the sender named no identifier: nothing later can refer to it."""
        value = " ".join((self.heading.control_id, self.digest[:16], *further))
        return Identifier(authority=self.feed.facility.code, type=kind, value=value)

    def demographics(self, who: Person) -> Mapping[str, Any]:
        """What PID says of the person, but a death that lies ahead."""
        flag = (self.segment("PID").text(30) or "").upper()
        said = person.without_death_ahead(who.demographics, self.received + FURTHEST_AHEAD, is_said_dead=flag == "Y")
        if said is not who.demographics:
            self.doubts.append("PID-29")
        return said

    def visit(self, who: Person) -> Identifier | None:
        """PV1-19, else the account (PID-18), else the patient's identifier with the time of admission (PV1-44)."""
        visit = person.identifier(self.pv1, 19, "VN", self.feed) or who.account
        if visit:
            return visit
        admitted = self.moment("PV1-44", self.pv1.text(44))
        if admitted is None:
            return None
        record = who.identifiers[0]
        value = f"{record.type} {record.value} {admitted.iso}"
        return Identifier(authority=record.authority, type="PV1-44", value=value)


def sortable(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
