"""What the rules look at, and what they find."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.transitions.signals.profile import Usual
from shared.events.operations import SignalKind

Open = frozenset[tuple[SignalKind, str]]
PIPELINE = "pipeline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that stands out: `value` against `usual`, in the unit of its kind; `since` in UTC. `facility` is whose
    matter it is; None where it is everybody's.
    """

    kind: SignalKind
    scope: str
    since: datetime
    value: float
    usual: float | None
    text: str
    facility: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReading:
    """A feed now. `counted_until` is the end of the last minute told, `quiet_since` the end of the last minute in
    which anything came (or the start of counting). `missed`: messages that would usually have come in the quiet time;
    `usual_hour`: in the last hour, None where too few such hours were seen.
    """

    feed: str
    facility: str | None
    counted_until: datetime
    quiet_since: datetime
    missed: float
    usual_now: Usual
    last_hour: int
    usual_hour: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FacilityReading:
    """A facility now: open tasks, how many of them overdue; returns within 72 h in the last 24 h, and the discharges
    that they are a share of.
    """

    facility: str
    open_tasks: int = 0
    overdue_tasks: int = 0
    returns: int = 0
    discharges: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CensusReading:
    """Patients in a facility (unit None) or a unit now; how many there were at this hour of earlier weeks and days."""

    facility: str
    unit: str | None
    patients: int
    earlier_weeks: Sequence[int] = ()
    earlier_days: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LateStay:
    """A patient who is still here after the expected discharge; `expected_by` in UTC."""

    encounter_id: UUID
    facility: str
    unit: str
    expected_by: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UnbookedReferral:
    """An open referral that has no appointment."""

    referral_id: UUID
    facility: str
    priority: str
    requested_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """All that the rules look at. `watched_since` is when somebody began to listen."""

    at: datetime
    watched_since: datetime
    feeds: Sequence[FeedReading] = ()
    facilities: Sequence[FacilityReading] = ()
    census: Sequence[CensusReading] = ()
    late_stays: Sequence[LateStay] = ()
    unbooked: Sequence[UnbookedReferral] = ()


def feed_scope(feed: str) -> str:
    return f"feed:{feed}"


def facility_scope(facility: str, unit: str | None = None) -> str:
    return f"facility:{facility}" if unit is None else f"facility:{facility}/unit:{unit}"
