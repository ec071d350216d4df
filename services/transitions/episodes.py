"""Stays that are one: a direct transfer is the same episode of care, whatever hospitals it crosses. Pure.

Days are local dates, each in the zone of its own facility.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Self
from uuid import UUID

from services.transitions.disposition import TRANSFERRED, base_of
from services.transitions.returns_rules import EpisodeRule, read_rules
from shared.calendar import local_date
from shared.events.people import Diagnosis, EncounterClass
from shared.events.transitions import Transition

CATEGORY = 3
"""Of an ICD-10-CM code: what stands before its point names the condition."""


@dataclass(frozen=True, slots=True)
class Bed:
    """A stay as far as episodes go; None times are not known. `condition` is the category of its first diagnosis."""

    encounter_id: UUID
    encounter_class: EncounterClass
    facility: str
    came_on: date | None
    left_on: date | None
    admitted_at: datetime | None
    discharged_at: datetime | None
    disposition: str
    condition: str | None

    @classmethod
    def of(cls, stay: Transition) -> Self:
        zone = stay.facility.time_zone
        return cls(
            encounter_id=stay.encounter_id,
            encounter_class=stay.encounter_class,
            facility=stay.facility.code,
            came_on=local_date(stay.admitted_at, zone) if stay.admitted_at else None,
            left_on=local_date(stay.discharged_at, zone) if stay.discharged_at else None,
            admitted_at=stay.admitted_at,
            discharged_at=stay.discharged_at,
            disposition=base_of(stay.disposition.nubc if stay.disposition else None),
            condition=condition_of(stay.diagnoses),
        )


def condition_of(diagnoses: Iterable[Diagnosis]) -> str | None:
    """The category of the diagnosis with the first rank, else of the first one said."""
    known = list(diagnoses)
    if not known:
        return None
    first = min(known, key=lambda one: one.rank if one.rank is not None else len(known))
    return first.code.replace(".", "").upper()[:CATEGORY]


def continues(later: Bed, earlier: Bed, rule: EpisodeRule | None = None) -> bool:
    """Whether `later` is the same episode as `earlier`, which ended before it."""
    rule = rule or read_rules().episode
    if (
        later.came_on is None
        or earlier.left_on is None
        or not {later.encounter_class, earlier.encounter_class} <= rule.classes
    ):
        return False
    if later.encounter_id == earlier.encounter_id or not _began_after(later, earlier):
        return False
    apart = (later.came_on - earlier.left_on).days
    if rule.within_days is not None and apart <= rule.within_days:
        return True
    elsewhere = later.facility != earlier.facility
    if elsewhere and earlier.disposition in TRANSFERRED:
        return 0 <= apart <= rule.transfer_days
    if apart != 0:
        return False
    return rule.same_day_elsewhere if elsewhere else rule.same_day_same_condition and _same_condition(later, earlier)


def begin_of(bed: Bed, others: Iterable[Bed], rule: EpisodeRule | None = None) -> UUID:
    """The encounter with which the episode of this stay began: its own where nothing came before."""
    known = list(others)
    first, seen = bed, {bed.encounter_id}
    while before := _before(first, known, seen, rule):
        first = before
        seen.add(first.encounter_id)
    return first.encounter_id


def _before(bed: Bed, known: Iterable[Bed], seen: set[UUID], rule: EpisodeRule | None) -> Bed | None:
    found = [other for other in known if other.encounter_id not in seen and continues(bed, other, rule)]
    return max(found, key=lambda other: (str(other.discharged_at), str(other.encounter_id)), default=None)


def _began_after(later: Bed, earlier: Bed) -> bool:
    """A transfer's admission may be recorded a little before the discharge it follows: the earlier began first."""
    if later.admitted_at is None or earlier.admitted_at is None:
        return later.admitted_at is not None
    return (earlier.admitted_at, earlier.encounter_id) < (later.admitted_at, later.encounter_id)


def _same_condition(later: Bed, earlier: Bed) -> bool:
    return later.condition is not None and later.condition == earlier.condition
