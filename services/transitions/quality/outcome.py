"""What one measure says of one stay, referral, task or level, and what is known of a patient to say it by. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any, Self
from uuid import UUID

from services.transitions.evidence import Evidence
from services.transitions.followed import transition_id
from services.transitions.quality.measures import DuplicateMeasure, ReferralMeasure
from services.transitions.readmission import Stayed
from services.transitions.referrals.referral import Referral
from shared.calendar import local_date
from shared.events.people import EncounterClass
from shared.events.transitions import RiskScore, Task, Transition


class Status(StrEnum):
    """`pending`: not met, and its window has not passed; only what has passed is in a denominator."""

    MET = "met"
    MISSED = "missed"
    PENDING = "pending"
    EXCLUDED = "excluded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`counted_at` is what it is counted by (discharge, request, due time); `counted_on` its local day. Before
    `closes_at` it may still change by what is done in time. `value` is in the measure's unit. `why` holds no names.
    `expected` is the share of such stays that it is expected of (`expected_most` if all that its score lacks counted),
    by the table `expected_by`.
    """

    measure: str
    version: str
    about: UUID
    patient_id: str
    transition_id: UUID | None
    facility: str
    organisation: str | None
    protocols: tuple[str, ...]
    counted_at: datetime
    counted_on: date
    closes_at: datetime
    exclusion: str | None = None
    met: bool = False
    met_at: datetime | None = None
    event_id: UUID | None = None
    value: float | None = None
    why: str = ""
    expected: float | None = None
    expected_most: float | None = None
    expected_by: str | None = None

    @classmethod
    def of_referral(
        cls, measure: ReferralMeasure | DuplicateMeasure, referral: Referral, asked_on: date, **said: Any
    ) -> Self:
        """What a measure says of a referral: counted by its request, at its facility and for who performs it."""
        terms = referral.terms
        return cls(
            measure=measure.id,
            version=measure.version,
            about=referral.id,
            patient_id=referral.patient_id,
            transition_id=transition_id(terms.encounter_id) if terms.encounter_id else None,
            facility=terms.facility.code if terms.facility else "",
            organisation=terms.performer,
            protocols=(),
            counted_at=referral.requested_at,
            counted_on=asked_on,
            **said,
        )

    def status(self, now: datetime) -> Status:
        if self.exclusion is not None:
            return Status.EXCLUDED
        if self.met and self.closes_at <= now:
            return Status.MET
        return Status.MISSED if self.closes_at <= now else Status.PENDING


@dataclass(frozen=True, slots=True)
class Told:
    """A level of a task's ladder: when it was due and when it was told."""

    level: int
    due_at: datetime
    fired_at: datetime


@dataclass(frozen=True, slots=True)
class Owed:
    """A task of a transition, with the levels that were told."""

    transition: Transition
    task: Task
    levels: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """Everything known of one patient that a measure looks at: stays that are no error, deeds that stand, in order."""

    patient_id: str
    stays: tuple[Stayed, ...] = ()
    deeds: tuple[Evidence, ...] = ()
    referrals: tuple[Referral, ...] = ()
    tasks: tuple[Owed, ...] = ()
    scores: Mapping[UUID, tuple[RiskScore, ...]] = field(default_factory=dict)
    """Of transitions, as they stand."""


@dataclass(frozen=True)
class Candidate:
    """An episode that is over: the stay that ends it, and those before it that are part of it."""

    stay: Stayed
    left_at: datetime
    parts: tuple[Stayed, ...] = field(default=())

    @property
    def transition(self) -> Transition:
        return self.stay.transition

    @property
    def zone(self) -> str:
        return self.transition.facility.time_zone

    @cached_property
    def left(self) -> date:
        return local_date(self.left_at, self.zone)

    @cached_property
    def came_at(self) -> datetime:
        """The first stay's admission; where no message said it, its discharge."""
        first = (self.parts or (self.stay,))[0].transition
        return first.admitted_at or first.discharged_at or self.left_at

    @cached_property
    def came(self) -> date:
        return local_date(self.came_at, (self.parts or (self.stay,))[0].transition.facility.time_zone)

    @cached_property
    def encounters(self) -> frozenset[UUID]:
        return frozenset(part.transition.encounter_id for part in (*self.parts, self.stay))

    @cached_property
    def transitions(self) -> frozenset[UUID]:
        return frozenset(part.transition.id for part in (*self.parts, self.stay))

    def day(self, at: datetime) -> int:
        """The local day of an instant, counted from the day of the discharge."""
        return (local_date(at, self.zone) - self.left).days

    def after(self, days: int) -> date:
        return self.left + timedelta(days=days)


def began(stay: Stayed) -> date | None:
    """The local day on which the stay began, at its own facility."""
    told = stay.transition
    return local_date(told.admitted_at, told.facility.time_zone) if told.admitted_at else None


def is_of(stay: Stayed, classes: frozenset[EncounterClass]) -> bool:
    return stay.transition.encounter_class in classes
