"""Census, and what did not happen to a stay or a referral: every boundary."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.transitions.signals.cases import discharges_overdue, referrals_unbooked
from services.transitions.signals.places import crowded
from services.transitions.signals.readings import CensusReading, Finding, LateStay, Open, UnbookedReferral
from services.transitions.signals.thresholds import read_thresholds
from shared.events.operations import SignalKind

NOW = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
LIMITS = read_thresholds()
NOTHING: Open = frozenset()


@pytest.mark.parametrize(
    ("patients", "weeks", "days", "was_open", "stands"),
    [
        (25, (20, 20, 20), (), False, True),
        (24, (20, 20, 20), (), False, False),
        (24, (20, 20, 20), (), True, True),  # once raised, it stands until clearly over
        (23, (20, 20, 20), (), True, True),
        (22, (20, 20, 20), (), True, False),
        (25, (20, 20), (20, 20, 20), False, True),  # too few weeks: this hour of other days
        (25, (20, 20), (20, 20), False, False),  # nothing is usual yet
        (25, (20, 20, 20), (5, 5, 5), False, True),  # enough weeks: the days say nothing
        (9, (1, 1, 1), (), False, False),  # a small unit
        (10, (8, 8, 8), (), False, True),
        (10, (0, 0, 0), (), False, True),
    ],
)
def test_census_against_the_same_hour(
    patients: int, weeks: tuple[int, ...], days: tuple[int, ...], *, was_open: bool, stands: bool
) -> None:
    place = CensusReading(facility="N", unit="4W", patients=patients, earlier_weeks=weeks, earlier_days=days)
    standing = frozenset({(SignalKind.CENSUS, "facility:N/unit:4W")}) if was_open else NOTHING
    assert len(list(crowded([place], NOW, standing, LIMITS.census))) == stands


@pytest.mark.parametrize(
    ("unit", "patients", "was_open", "text"),
    [
        (None, 90, False, "90 patients in N: 90% of 100 beds."),
        (None, 89, False, None),
        (None, 85, True, "85 patients in N: 85% of 100 beds."),
        (None, 84, True, None),
        ("ICU", 9, False, "9 patients in ICU of N: 90% of 10 beds."),  # few patients can fill a unit
        ("4W", 99, False, None),  # no beds were configured
    ],
)
def test_census_against_the_beds(unit: str | None, patients: int, *, was_open: bool, text: str | None) -> None:
    limits = LIMITS.census.model_copy(update={"beds": {"N": 100, "N/ICU": 10}})
    standing = frozenset({(SignalKind.CENSUS, "facility:N")}) if was_open else NOTHING
    found = crowded([CensusReading(facility="N", unit=unit, patients=patients)], NOW, standing, limits)
    assert [each.text for each in found] == ([text] if text else [])


def stay(number: int = 1, hours: float = 12, facility: str = "N") -> LateStay:
    return LateStay(encounter_id=UUID(int=number), facility=facility, unit="4W", expected_by=NOW - hours * HOUR)


def late(*stays: LateStay, standing: Open = NOTHING) -> list[Finding]:
    return discharges_overdue(stays, NOW, standing, LIMITS.expected_discharge)


@pytest.mark.parametrize(("hours", "is_late"), [(11.99, False), (12, True), (200, True)])
def test_an_expected_discharge_is_overdue_after_its_hours(hours: float, *, is_late: bool) -> None:
    assert len(late(stay(hours=hours))) == is_late


def test_a_late_stay_is_named_by_its_id_and_nothing_else() -> None:
    [found] = late(stay())
    assert (found.kind, found.scope, found.value) == (SignalKind.DISCHARGE_OVERDUE, f"encounter:{UUID(int=1)}", 12.0)
    assert found.text == "A stay on 4W of N is 12 hours past its expected discharge; no A03 came."


@pytest.mark.parametrize(
    ("priority", "hours", "is_late"),
    [
        ("routine", 239.9, False),
        ("routine", 240, True),
        ("urgent", 47.9, False),
        ("urgent", 48, True),
        ("stat", 7.9, False),
        ("stat", 8, True),
    ],
)
def test_a_referral_without_an_appointment_is_late_by_its_priority(
    priority: str, hours: float, *, is_late: bool
) -> None:
    one = UnbookedReferral(referral_id=UUID(int=1), facility="N", priority=priority, requested_at=NOW - hours * HOUR)
    found = referrals_unbooked([one], NOW, NOTHING, LIMITS.referral)
    assert [each.scope for each in found] == ([f"referral:{UUID(int=1)}"] if is_late else [])


def scopes(found: list[Finding]) -> list[str]:
    return [each.scope for each in found]


def single(number: int) -> str:
    return f"encounter:{UUID(int=number)}"


def test_up_to_ten_of_one_house_are_told_one_by_one() -> None:
    assert scopes(late(*(stay(n) for n in range(10)))) == [single(n) for n in range(10)]


def test_more_than_ten_at_once_are_one_signal_of_the_house_and_others_are_left_alone() -> None:
    found = late(*(stay(n, hours=12 + n) for n in range(11)), stay(99, facility="S"))
    assert scopes(found) == ["facility:N", single(99)]
    assert (found[0].value, found[0].since) == (11.0, NOW - 22 * HOUR)
    assert found[0].text == "11 stays are past their expected discharge without an A03 at N."


def test_those_that_were_open_before_the_flood_stay_open() -> None:
    standing = frozenset({(SignalKind.DISCHARGE_OVERDUE, single(3))})
    assert scopes(late(*(stay(n) for n in range(11)), standing=standing)) == ["facility:N", single(3)]


@pytest.mark.parametrize(("left", "stands"), [(10, True), (6, True), (5, False), (0, False)])
def test_the_signal_of_the_house_stands_until_half_are_left(left: int, *, stands: bool) -> None:
    standing = frozenset({(SignalKind.DISCHARGE_OVERDUE, "facility:N")})
    found = scopes(late(*(stay(n) for n in range(left)), standing=standing))
    assert found == (["facility:N"] if stands else [single(n) for n in range(left)])
