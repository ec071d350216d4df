"""Who is known: organisations, what leads to them, and where they want to be told. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from shared.events.notifications import Acknowledgement, Channel

ANYWHERE = "*"


@dataclass(frozen=True, slots=True)
class Spell:
    """A span of days, both ends included."""

    first: date = date.min
    last: date = date.max

    def holds(self, days: Iterable[date]) -> bool:
        return all(self.first <= day <= self.last for day in days)


@dataclass(frozen=True, slots=True)
class Membership:
    """The organisation that a key (an NPI, a code, a panel's patient, a facility) leads to, and when it does."""

    organisation: str
    spell: Spell = Spell()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """Notices of this type must be acknowledged by the organisation; only those that go there on one of the `bases`
    where some are named.
    """

    event_type: str
    priority: Acknowledgement
    bases: frozenset[str] = frozenset()

    def holds(self, event_type: str, bases: Iterable[str]) -> bool:
        return event_type == self.event_type and (not self.bases or not self.bases.isdisjoint(bases))


MOST_PRESSING = (Acknowledgement.STAT, Acknowledgement.URGENT, Acknowledgement.ROUTINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One place where an organisation is told. Without `event_types` it hears every announced type that is not said
    by choice only. `asks` is what the organisation must acknowledge.
    """

    id: UUID
    organisation: str
    channel: Channel = Channel.WEBHOOK
    active: bool = True
    event_types: frozenset[str] = frozenset()
    body: str = "full"
    asks: tuple[Asks, ...] = ()

    def must_acknowledge(self, event_type: str, bases: Iterable[str]) -> Acknowledgement | None:
        """How soon a notice of this type that goes there on these bases must be acknowledged; None: it need not be."""
        asked = {one.priority for one in self.asks if one.holds(event_type, bases)}
        return next((priority for priority in MOST_PRESSING if priority in asked), None)

    def hears(self, event_type: str, *, by_choice: bool = False) -> bool:
        return event_type in self.event_types or not (self.event_types or by_choice)


Memberships = Mapping[str, tuple[Membership, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """The part of the roster that a batch of events can lead to."""

    practitioners: Memberships = field(default_factory=dict)
    codes: Memberships = field(default_factory=dict)
    panels: Memberships = field(default_factory=dict)
    organisations: Memberships = field(default_factory=dict)
    subscriptions: Memberships = field(default_factory=dict)
    endpoints: Mapping[str, tuple[Endpoint, ...]] = field(default_factory=dict)

    def endpoint(self, endpoint_id: UUID) -> Endpoint | None:
        found = (one for several in self.endpoints.values() for one in several if one.id == endpoint_id)
        return next(found, None)


def days_that_count(occurred: datetime, now: datetime) -> tuple[date, date]:
    """A membership must hold on the day of the event and on the day of sending (UTC days)."""
    return occurred.date(), now.date()


def panel_key(authority: str, value: str) -> str:
    """How a patient's identifier is written in a panel."""
    return f"{authority}|{value}"
