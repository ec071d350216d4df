"""What the scores ask for, read from what is known of a stay, of the patient's others, and of the laboratory. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from services.transitions.episodes import Bed, continues
from services.transitions.risk.rules import InputRules
from services.transitions.risk.scores import Inputs
from shared.calendar import end_of_day, local_date
from shared.events.people import EncounterClass
from shared.events.transitions import Transition

MONTHS = 12


@dataclass(frozen=True, slots=True)
class Result:
    """A laboratory value that stands, in its analyte's own unit; `at` is when the sample was taken."""

    analyte: str
    at: datetime
    value: Decimal


@dataclass(frozen=True, slots=True)
class Background:
    """What bears on a patient's scores beside the stays followed. `said` is people's word, by transition; `now` is the
    database's clock, None where nobody needs to know how long a stay has lasted so far.
    """

    past: tuple[Bed, ...] = ()
    results: tuple[Result, ...] = ()
    said: Mapping[UUID, Mapping[str, Any]] = field(default_factory=dict)
    now: datetime | None = None


NOTHING_KNOWN = Background()


def inputs_of(
    stay: Transition, *, is_over: bool, others: Iterable[Bed], behind: Background, rules: InputRules
) -> Inputs:
    """People's word counts before what was derived."""
    past = [other for other in others if _came_before(other, stay)]
    derived = {
        "acute": _acute(stay.admission_type, rules),
        "oncology": stay.hospital_service.upper() in rules.oncology if stay.hospital_service else None,
        "haemoglobin": _last(behind.results, "haemoglobin", stay, behind.now),
        "sodium": _last(behind.results, "sodium", stay, behind.now),
    }
    said = {name: _number(name, value) for name, value in behind.said.get(stay.id, {}).items()}
    return Inputs(
        days=days_of(stay, behind.now),
        is_over=is_over,
        diagnoses=tuple(sorted({diagnosis.code for diagnosis in stay.diagnoses})),
        visits=None if stay.admitted_at is None else _visits(past, stay, stay.admitted_at, rules),
        admissions=None if stay.admitted_at is None else _admissions(past, stay, stay.admitted_at, rules),
        **(derived | said),
    )


def days_of(stay: Transition, now: datetime | None) -> int | None:
    """Local dates apart: of admission and discharge, or of now while the stay goes on; None where one is not known."""
    until = stay.discharged_at or now
    if stay.admitted_at is None or until is None:
        return None
    zone = stay.facility.time_zone
    return max(0, (local_date(until, zone) - local_date(stay.admitted_at, zone)).days)


def recount_at(stay: Transition, now: datetime | None, rules: InputRules) -> datetime | None:
    """When the stay, if it goes on, will have lasted one of the numbers of days at which a score changes."""
    days = days_of(stay, now)
    if stay.discharged_at is not None or stay.admitted_at is None or days is None:
        return None
    ahead = min((count for count in rules.recount_days if count > days), default=None)
    if ahead is None:
        return None
    zone = stay.facility.time_zone
    return end_of_day(local_date(stay.admitted_at, zone) + timedelta(days=ahead - 1), zone) + timedelta(microseconds=1)


def _came_before(other: Bed, stay: Transition) -> bool:
    return stay.admitted_at is not None and other.admitted_at is not None and other.admitted_at < stay.admitted_at


def _acute(admission_type: str | None, rules: InputRules) -> bool | None:
    code = (admission_type or "").upper()
    if code in rules.acute:
        return True
    return False if code in rules.elective else None


def _visits(past: Iterable[Bed], stay: Transition, admitted_at: datetime, rules: InputRules) -> int:
    """Emergency visits before the stay; one that ended where it began led to it and is none of them."""
    since = months_before(local_date(admitted_at, stay.facility.time_zone), rules.visit_months)
    led_to_it = admitted_at - timedelta(hours=rules.led_to_stay_hours)
    return sum(
        other.encounter_class is EncounterClass.EMERGENCY and _is_since(other, since) and _ended(other) < led_to_it
        for other in past
    )


def _admissions(past: Iterable[Bed], stay: Transition, admitted_at: datetime, rules: InputRules) -> int:
    """Inpatient stays before this one; what a transfer joins is one, and none where it is joined to this stay."""
    since = months_before(local_date(admitted_at, stay.facility.time_zone), rules.admission_months)
    known = [*(other for other in past if other.encounter_class is EncounterClass.INPATIENT), Bed.of(stay)]
    return sum(_is_since(other, since) and not any(continues(later, other) for later in known) for other in known[:-1])


def _is_since(other: Bed, since: date) -> bool:
    return other.came_on is not None and other.came_on >= since


def _ended(other: Bed) -> datetime:
    ended = other.discharged_at or other.admitted_at
    return ended or datetime.max.replace(tzinfo=UTC)


def _last(results: Iterable[Result], analyte: str, stay: Transition, now: datetime | None) -> Decimal | None:
    """The last value of the stay, until its discharge."""
    until = stay.discharged_at or now
    began = stay.admitted_at
    within = [
        one
        for one in results
        if one.analyte == analyte and began is not None and began <= one.at and (until is None or one.at <= until)
    ]
    return max(within, key=lambda one: (one.at, one.value)).value if within else None


def _number(name: str, value: Any) -> Any:
    return Decimal(str(value)) if name in {"haemoglobin", "sodium"} else value


def months_before(day: date, months: int) -> date:
    """The same day so many months earlier, or that month's last one."""
    year, month = divmod(day.year * MONTHS + day.month - 1 - months, MONTHS)
    for last in range(day.day, day.day - 4, -1):
        try:
            return date(year, month + 1, last)
        except ValueError:
            continue
    raise AssertionError("a month has 28 days at least")
