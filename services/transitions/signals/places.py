"""What stands out at a facility or unit: too full, too much overdue, too many back too soon. Pure."""

from collections.abc import Iterable
from datetime import datetime
from statistics import median

from services.transitions.signals.readings import CensusReading, FacilityReading, Finding, Open, facility_scope
from services.transitions.signals.thresholds import Census, Overdue, Returns
from shared.events.operations import SignalKind


def crowded(places: Iterable[CensusReading], at: datetime, standing: Open, limits: Census) -> Iterable[Finding]:
    """Facilities and units with far more patients than usual at this hour, or nearly full where beds are configured."""
    for place in places:
        scope = facility_scope(place.facility, place.unit)
        is_open = (SignalKind.CENSUS, scope) in standing
        usual = usual_census(place, limits)
        reasons = [why for why in (_full(place, limits, is_open), _unusual(place, usual, limits, is_open)) if why]
        if reasons:
            where = f"{place.unit} of {place.facility}" if place.unit else place.facility
            yield Finding(
                kind=SignalKind.CENSUS,
                scope=scope,
                since=at,
                value=float(place.patients),
                usual=usual,
                text=f"{place.patients} patients in {where}: {' and '.join(reasons)}.",
                facility=place.facility,
            )


def usual_census(place: CensusReading, limits: Census) -> float | None:
    """The median at this hour of the week; with too few weeks, of this hour on the days before; else None."""
    for seen in (place.earlier_weeks, place.earlier_days):
        if len(seen) >= limits.hours_known:
            return float(median(seen))
    return None


def _full(place: CensusReading, limits: Census, is_open: bool) -> str | None:  # noqa: FBT001  (which limit counts)
    beds = limits.beds.get(place.facility if place.unit is None else f"{place.facility}/{place.unit}")
    if beds is None or place.patients < (limits.clear_occupancy if is_open else limits.occupancy) * beds:
        return None
    return f"{place.patients / beds:.0%} of {beds} beds"


def _unusual(place: CensusReading, usual: float | None, limits: Census, is_open: bool) -> str | None:  # noqa: FBT001
    if usual is None or place.patients < limits.least:
        return None
    if place.patients < (limits.clear_factor if is_open else limits.factor) * usual:
        return None
    return f"usual at this hour: {usual:.0f}"


def overdue_ratios(
    places: Iterable[FacilityReading], at: datetime, standing: Open, limits: Overdue
) -> Iterable[Finding]:
    """Facilities where too many of the open tasks are overdue."""
    for place in places:
        if place.open_tasks < limits.least:
            continue
        is_open = (SignalKind.OVERDUE_RATIO, facility_scope(place.facility)) in standing
        ratio = place.overdue_tasks / place.open_tasks
        if ratio >= (limits.clear_ratio if is_open else limits.ratio):
            yield Finding(
                kind=SignalKind.OVERDUE_RATIO,
                scope=facility_scope(place.facility),
                since=at,
                value=round(ratio, 3),
                usual=None,
                text=f"{place.overdue_tasks} of {place.open_tasks} open tasks of {place.facility} are overdue.",
                facility=place.facility,
            )


def bounce_backs(places: Iterable[FacilityReading], at: datetime, standing: Open, limits: Returns) -> Iterable[Finding]:
    """Facilities where several patients came back within 72 hours of their discharge."""
    for place in places:
        is_open = (SignalKind.BOUNCE_BACK, facility_scope(place.facility)) in standing
        least = limits.clear_least if is_open else limits.least
        share = place.returns / max(1, place.discharges)
        if place.returns >= least and share >= limits.share:
            text = (
                f"{place.returns} patients came back to {place.facility} within 72 hours in the last day; "
                f"{place.discharges} were discharged before."
            )
            yield Finding(
                kind=SignalKind.BOUNCE_BACK,
                scope=facility_scope(place.facility),
                since=at,
                value=float(place.returns),
                usual=None,
                text=text,
                facility=place.facility,
            )
