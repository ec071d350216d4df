"""Who came back: an unplanned inpatient return within 30 days, and what a return means for the earlier stay. Pure.

Days are counted between local dates, each in the zone of its own facility. Same-day returns are direct transfers or
one episode; which dispositions are no index discharge stands in `disposition.yaml`, the numbers in `returns.yaml`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.transitions.disposition import AGAINST_ADVICE, DIED, TRANSFERRED, base_of, is_index, is_planned
from services.transitions.episodes import Bed, continues
from services.transitions.returns_rules import read_rules
from shared.calendar import local_date
from shared.events.people import EncounterClass
from shared.events.transitions import Transition

RULES = read_rules()
WINDOW_DAYS = RULES.readmission.days
PLANNED_INDICATOR = RULES.readmission.planned_indicators
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Stayed:
    """A stay as far as returns go. `is_over` tells whether its discharge stands; None times are not known."""

    transition: Transition
    is_over: bool
    readmission_indicator: str | None = None

    @property
    def is_inpatient(self) -> bool:
        return self.transition.encounter_class in RULES.readmission.classes


@dataclass(frozen=True, slots=True)
class Return:
    """The stay is a readmission: which discharge it follows, and after how many days."""

    earlier_encounter_id: UUID
    days: int


def readmission(stay: Stayed, others: Iterable[Stayed]) -> Return | None:
    """Whether `stay` is an unplanned readmission, and to which of the patient's other stays."""
    admitted_at = stay.transition.admitted_at
    if not stay.is_inpatient or admitted_at is None or (stay.readmission_indicator or "").startswith(PLANNED_INDICATOR):
        return None
    earlier = [other for other in others if other.is_over and other.is_inpatient and _left_before(other, admitted_at)]
    if not earlier:
        return None
    # Only the stay that ended last is the index: what lies before it has its own next admission.
    index = max(earlier, key=lambda other: (other.transition.discharged_at, other.transition.id))
    days = days_between(index.transition, stay.transition)
    if days is None or not 0 < days <= WINDOW_DAYS or not _is_index(index.transition):
        return None
    return Return(index.transition.encounter_id, days)


@dataclass(frozen=True, slots=True)
class QuickReturn:
    """The patient came back within 72 hours: after which stay, and after how many whole hours."""

    earlier_encounter_id: UUID
    hours: int


def quick_return(bed: Bed, others: Iterable[Bed]) -> QuickReturn | None:
    """Whether the patient was sent home shortly before, from anywhere; a transfer and a visit's own stay are none."""
    rule = RULES.quick_return
    came = bed.admitted_at
    if came is None or bed.encounter_class not in rule.classes:
        return None
    left = {other: other.discharged_at for other in others if other.encounter_class in rule.classes}
    earlier = {other: at for other, at in left.items() if at is not None and at <= came}
    if not earlier:
        return None
    last = max(earlier, key=lambda other: (earlier[other], other.encounter_id))
    apart = came - earlier[last]
    is_none = last.disposition in TRANSFERRED | DIED or continues(bed, last) or _is_of_visit(bed, last, apart)
    return None if is_none or apart > rule.hours * HOUR else QuickReturn(last.encounter_id, apart // HOUR)


def _is_of_visit(bed: Bed, visit: Bed, apart: timedelta) -> bool:
    in_bed = bed.encounter_class is not EncounterClass.EMERGENCY
    from_visit = visit.encounter_class is EncounterClass.EMERGENCY and visit.facility == bed.facility
    return in_bed and from_visit and apart <= RULES.quick_return.led_to_stay_hours * HOUR


def is_superseded(stay: Stayed, others: Iterable[Stayed]) -> bool:
    """Whether the patient went (back) into a hospital bed within 30 days of this discharge, planned or not: what was
    to happen at home cannot, and the later discharge brings its own tasks.
    """
    return any(other.is_inpatient and _outlasts(other.transition, other.is_over, stay.transition) for other in others)


def days_between(left: Transition, came: Transition) -> int | None:
    """Local days from the discharge of one stay to the admission of the other; None while either is not known."""
    if left.discharged_at is None or came.admitted_at is None:
        return None
    until = local_date(came.admitted_at, came.facility.time_zone)
    return (until - local_date(left.discharged_at, left.facility.time_zone)).days


def _left_before(other: Stayed, admitted_at: datetime) -> bool:
    left = other.transition.discharged_at
    return left is not None and left <= admitted_at


def _is_index(transition: Transition) -> bool:
    disposition = transition.disposition
    if disposition is None:
        return True
    if disposition.planned_readmission or is_planned(disposition.nubc):
        return False
    counted = RULES.readmission.against_advice_counts and base_of(disposition.nubc) == AGAINST_ADVICE
    return counted or is_index(disposition.nubc)


def _outlasts(later: Transition, later_is_over: bool, earlier: Transition) -> bool:  # noqa: FBT001
    days = days_between(earlier, later)
    if days is None or days > WINDOW_DAYS or earlier.discharged_at is None:
        return False
    return not later_is_over or later.discharged_at is None or later.discharged_at > earlier.discharged_at
