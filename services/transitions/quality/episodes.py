"""Which stays are one: direct transfers and returns that a measure counts as a single episode. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

from services.transitions.quality.measure_parts import Episodes
from services.transitions.quality.outcome import Candidate, began, is_of
from services.transitions.readmission import Stayed
from shared.calendar import local_date

LONG_AGO = datetime.min.replace(tzinfo=UTC)


def candidates(stays: Iterable[Stayed], rule: Episodes | None) -> tuple[list[Candidate], list[Candidate]]:
    """The episodes that are over, in order of time; and the stays that are over but part of a later one's episode."""
    ordered = sorted(stays, key=_place)
    if rule is None:
        return [Candidate(stay, left) for stay in ordered if (left := _left(stay))], []
    ended, merged = [], []
    for chain in _chains([stay for stay in ordered if is_of(stay, rule.classes)], rule.gap_days):
        merged += [Candidate(stay, left) for stay in chain[:-1] if (left := _left(stay))]
        if left := _left(chain[-1]):
            ended.append(Candidate(chain[-1], left, tuple(chain)))
    return ended, merged


def _chains(stays: Sequence[Stayed], gap_days: int) -> list[list[Stayed]]:
    found: list[list[Stayed]] = []
    for stay in stays:
        if found and _joins(found[-1][-1], stay, gap_days):
            found[-1].append(stay)
        else:
            found.append([stay])
    return [sorted(chain, key=_ending) for chain in found]


def _joins(before: Stayed, stay: Stayed, gap_days: int) -> bool:
    """A stay that was never ended joins nothing: it may be a lost discharge."""
    left, came = _left_on(before), began(stay)
    return left is not None and came is not None and (came - left).days <= gap_days


def _left(stay: Stayed) -> datetime | None:
    return stay.transition.discharged_at if stay.is_over else None


def _left_on(stay: Stayed) -> date | None:
    left = _left(stay)
    return local_date(left, stay.transition.facility.time_zone) if left else None


def _place(stay: Stayed) -> tuple[datetime, datetime, str]:
    told = stay.transition
    return (told.admitted_at or told.discharged_at or LONG_AGO, told.discharged_at or LONG_AGO, str(told.id))


def _ending(stay: Stayed) -> tuple[bool, datetime]:
    """Who is still in ends the chain."""
    left = _left(stay)
    return (left is None, left or LONG_AGO)
