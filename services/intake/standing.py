"""What follows from statements about appointments, observations, documents and referrals. Pure.

A thing's values are the latest word on each field, by the statements' own order; what is told is the difference to what
was told before. So a late or repeated statement changes nothing that a later one has settled. One small rule a kind, in
the table RULES.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from services.intake.message import OrderKey
from services.intake.patient import Record, learn_under, values_of
from services.intake.statement import About, Statement
from shared.events import Draft, followups, referrals
from shared.events.fact import Fact
from shared.events.people import Facility, PatientSummary

Told = Mapping[str, Any] | None
"""What was told last of a thing; None: nothing yet."""


class Saying(NamedTuple):
    """One event to tell; `status` where the fact carries one. `inferred`: nobody said it, but it must have been."""

    fact: type[Fact]
    status: str | None = None
    inferred: bool = False


Rule = Callable[[Told, Mapping[str, Any]], tuple[Saying, ...]]


@dataclass(slots=True)
class Standing:
    """One appointment, observation, document or referral, as far as it is known. `told` is what was last told of it."""

    id: UUID
    about: About
    feed: str
    patient_id: str
    identifier: Mapping[str, str]
    version: int = 0
    record: Record = ()
    told: dict[str, Any] | None = None
    encounter_id: UUID | None = None
    is_touched: bool = False

    def take(self, statement: Statement) -> tuple[Saying, ...]:
        """Learns what is said and answers what must be told."""
        self.record = learn_under(key_of(statement.order), self.record, statement.said)
        self.version += 1
        self.is_touched = True
        return self.settle(values_of(self.record))

    def settle(self, now: dict[str, Any]) -> tuple[Saying, ...]:
        """What must be told where this is what stands; it then counts as told."""
        sayings = RULES[self.about](self.told, now)
        if sayings:
            self.told = now
        return sayings


def key_of(order: OrderKey) -> tuple[str, ...]:
    """The place of a saying in a record."""
    return (order.recorded, order.sent, str(int(order.rank)), order.control_id, order.digest)


@dataclass(frozen=True, slots=True)
class Occasion:
    """What every event of a statement has in common."""

    patient: PatientSummary
    facility: Facility
    message_id: str
    is_late: bool = False


def drafts(standing: Standing, occurred: datetime, occasion: Occasion, sayings: tuple[Saying, ...]) -> list[Draft]:
    return [
        Draft(
            fact=_fact(standing, saying, occasion),
            subject=occasion.patient.id,
            time=occurred,
            correlation_id=str(standing.encounter_id or standing.id),
            causation_id=occasion.message_id,
            version=standing.version,
            late=occasion.is_late,
            inferred=saying.inferred,
        )
        for saying in sayings
    ]


def _fact(standing: Standing, saying: Saying, occasion: Occasion) -> Fact:
    values: dict[str, Any] = {**(standing.told or {}), "patient": occasion.patient, "facility": occasion.facility}
    values["encounter_id"] = standing.encounter_id
    values[_NAMED[standing.about]] = standing.identifier
    if standing.about is About.REFERRAL:
        values |= {"referral_id": standing.id, "version": standing.version, "status": saying.status}
    else:
        values["followup_id"] = standing.id
    if standing.about is About.OBSERVATION and values.get("status") in _WITHDRAWN:
        values |= {"value": None, "text": None}
    return saying.fact.model_validate(values)


_NAMED = {
    About.APPOINTMENT: "appointment",
    About.DOCUMENT: "document",
    About.REFERRAL: "identifier",
    About.OBSERVATION: "",
}
_APPOINTMENTS: Mapping[str, type[Fact]] = {
    "booked": followups.AppointmentBooked,
    "cancelled": followups.AppointmentCancelled,
    "no-show": followups.AppointmentNoShow,
    "attended": followups.AppointmentAttended,
}
_REFERRALS: Mapping[str, type[Fact]] = {
    "requested": referrals.ReferralRequested,
    "received": referrals.ReferralReceived,
    "accepted": referrals.ReferralAccepted,
    "rejected": referrals.ReferralRejected,
    "cancel-requested": referrals.ReferralCancelRequested,
    "cancelled": referrals.ReferralCancelled,
    "expired": referrals.ReferralExpired,
}
# HL7 table 0085: nothing measured yet, or only asked for.
_NO_RESULT_YET = frozenset({"I", "O", "N"})
# D deleted, W wrong (of another patient), X can't be obtained.
_WITHDRAWN = frozenset({"D", "W", "X"})


def _appointment(told: Told, now: Mapping[str, Any]) -> tuple[Saying, ...]:
    status = now.get("status", "booked")
    was = told.get("status", "booked") if told else None
    if status == "waiting":
        return (Saying(followups.AppointmentCancelled),) if was == "booked" else ()
    if told is None or was != status:
        # Nobody was told that it was ever made: what became of it stands all the same.
        return (Saying(_APPOINTMENTS[status], inferred=told is None and (status != "booked" or "status" not in now)),)
    if status != "booked" or dict(told) == dict(now):
        return ()
    is_moved = told.get("starts_at") != now.get("starts_at")
    return (Saying(followups.AppointmentMoved if is_moved else followups.AppointmentBooked),)


def _observation(told: Told, now: Mapping[str, Any]) -> tuple[Saying, ...]:
    status = now.get("status")
    if told is None and (status in _NO_RESULT_YET or status in _WITHDRAWN):
        return ()
    return (Saying(followups.ObservationRecorded),) if told is None or dict(told) != dict(now) else ()


def _document(told: Told, now: Mapping[str, Any]) -> tuple[Saying, ...]:
    is_available = now.get("status", "available") == "available"
    was_available = told is not None and told.get("status", "available") == "available"
    if not is_available:
        return (Saying(followups.DocumentCancelled),) if was_available else ()
    if was_available and dict(told or {}) == dict(now):
        return ()
    return (Saying(followups.DocumentAvailable),)


def _referral(told: Told, now: Mapping[str, Any]) -> tuple[Saying, ...]:
    status = now.get("status", "requested")
    is_asked = now.get("asked_at") != (told or {}).get("asked_at")
    if told is None and now.keys() <= {"asked_at"}:
        # Nobody has told of it: there is nothing to say where it stands.
        return ()
    request = Saying(referrals.ReferralRequested, "requested", inferred="status" not in now)
    if told is None:
        # Whatever became of it, it was asked for first.
        answer = Saying(_REFERRALS[status], status)
        return (request,) if status == "requested" else (request._replace(inferred=True), answer)
    if told.get("status", "requested") != status:
        return (Saying(_REFERRALS[status], status),)
    if {**told, "asked_at": None} != {**now, "asked_at": None}:
        return (Saying(referrals.ReferralUpdated, status),)
    return (Saying(referrals.ReferralStatusAsked, status),) if is_asked else ()


RULES: Mapping[About, Rule] = {
    About.APPOINTMENT: _appointment,
    About.OBSERVATION: _observation,
    About.DOCUMENT: _document,
    About.REFERRAL: _referral,
}


@dataclass(slots=True)
class Standings:
    """The things that a group's messages speak of, by id: as loaded, and as the rules change them."""

    by_id: dict[UUID, Standing] = field(default_factory=dict)

    def is_of_another(self, feed: str, patient_id: str, statements: tuple[Statement, ...]) -> bool:
        """Whether one of the things is known as another patient's: only the sender can tell whose it is."""
        known = (self.by_id.get(statement.id_on(feed)) for statement in statements)
        return any(standing is not None and standing.patient_id != patient_id for standing in known)

    def find(self, feed: str, patient_id: str, statement: Statement) -> Standing:
        thing = statement.id_on(feed)
        if thing not in self.by_id:
            identifier = statement.identifier.model_dump()
            self.by_id[thing] = Standing(thing, statement.about, feed, patient_id, identifier)
        return self.by_id[thing]


def is_late(record: Record, statement: Statement) -> bool:
    """Whether something later was already known of one of its fields."""
    order = statement.order
    newest = max((one.order for one in record if one.said.keys() & statement.said.keys()), default=None)
    return newest is not None and newest[:2] > (order.recorded, order.sent)
