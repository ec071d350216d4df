"""When a patient is expected to come (PV2-8), to go (PV2-9) and to come back from a leave (PV2-47): told while it matters."""

from uuid import UUID

import pytest

from services.intake.describing import StayIdentity, describe
from services.intake.lifecycle import fold
from services.intake.message import StayFact
from shared.events.encounters import Encounter
from shared.events.people import Facility, Identifier, PatientSummary
from tests.unit.intake.messages import adt, fact
from tests.unit.intake.test_reading import read, said

STAY = StayIdentity(UUID(int=1), Identifier(authority="GENHOSP", type="VN", value="V1"), "general-hospital",
                    Facility(code="GENHOSP", time_zone="America/Chicago"))  # fmt: skip
COMES, GOES, BACK, BACK_LATER = (f"2026-03-{day:02}T15:00:00+00:00" for day in (3, 9, 5, 6))
PLAN = fact("A14", "08:00", **{"class": "IMP"}, expected_admission_at=COMES, expected_discharge_at=GOES)
ADMIT = fact("A01", "09:00", **{"class": "IMP"})
OUT = fact("A21", "10:00", expected_return_at=BACK)
IN = fact("A22", "12:00")


def as_told(*facts: StayFact) -> tuple[str | None, ...]:
    stay: Encounter = describe(STAY, 1, fold(facts), PatientSummary(id="p1"))
    times = (stay.expected_admission_at, stay.expected_discharge_at, stay.expected_return_at)
    return tuple(time.isoformat() if time else None for time in times)


def test_the_times_are_read_from_pv2() -> None:
    pv2 = [""] * 48
    pv2[0], pv2[8], pv2[9], pv2[47] = "PV2", "202603030900", "20260309", "20260305090000-0600"
    message = read(adt("A21") + "|".join(pv2).encode() + b"\r")
    told = said(message)
    assert (told["expected_admission_at"], told["expected_return_at"]) == (COMES, BACK)
    assert told["expected_discharge_at"].startswith("2026-03-09T")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([PLAN], (COMES, GOES, None)),
        ([PLAN, ADMIT], (None, GOES, None)),
        ([PLAN, fact("A27", "08:30")], (None, GOES, None)),
        ([ADMIT, OUT], (None, None, BACK)),
        ([ADMIT, OUT, fact("A08", "10:30", expected_return_at=BACK_LATER)], (None, None, BACK_LATER)),
        ([ADMIT, OUT, IN], (None, None, None)),
        ([ADMIT, OUT, IN, fact("A53", "12:30")], (None, None, BACK)),
        ([ADMIT, OUT, fact("A52", "10:30")], (None, None, None)),
        ([ADMIT, OUT, IN, fact("A21", "13:00")], (None, None, None)),
        ([ADMIT, OUT, IN, fact("A21", "13:00", expected_return_at=BACK_LATER)], (None, None, BACK_LATER)),
    ],
)
def test_each_is_told_while_it_is_still_to_come(facts: list[StayFact], expected: tuple[str | None, ...]) -> None:
    assert as_told(*facts) == expected
