"""Which events are notices at all, and what a notice shows."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.notifications.announcing import LATE_AFTER, announcement_of
from shared.events.encounters import (
    Admitted,
    Arrived,
    ClassChanged,
    Discharged,
    EncounterFact,
    EncounterUpdated,
    LeaveStarted,
    PatientUpdated,
    Preadmitted,
    Transferred,
)
from shared.events.people import EncounterClass, EncounterStatus, Location
from tests.unit.notifications.stories import Stay, event, patient

E = EncounterClass
WARD, OTHER_WARD = Location(point_of_care="4W", facility="A"), Location(point_of_care="5E", facility="A")
ELSEWHERE = Location(point_of_care="1N", facility="B")


@pytest.mark.parametrize(
    ("kind", "changed", "announces"),
    [
        (Arrived, {"encounter_class": E.EMERGENCY}, True),
        (Arrived, {"encounter_class": E.AMBULATORY}, False),
        (Arrived, {"encounter_class": E.INPATIENT}, False),
        (Admitted, {"encounter_class": E.INPATIENT}, True),
        (Admitted, {"encounter_class": E.OBSERVATION}, True),
        (Discharged, {"encounter_class": E.EMERGENCY}, True),
        (Discharged, {"encounter_class": E.AMBULATORY}, False),
        (ClassChanged, {"encounter_class": E.INPATIENT}, True),
        (ClassChanged, {"encounter_class": E.OBSERVATION}, False),
        (Transferred, {"location": OTHER_WARD, "prior_location": WARD}, False),
        (Transferred, {"location": ELSEWHERE, "prior_location": WARD}, True),
        (Transferred, {"location": ELSEWHERE, "prior_location": None}, False),
        (Preadmitted, {"encounter_class": E.PREADMISSION}, False),
        (LeaveStarted, {}, False),
        (EncounterUpdated, {}, False),
    ],
)
def test_what_is_announced(kind: type[EncounterFact], changed: dict[str, Any], *, announces: bool) -> None:
    assert (announcement_of(Stay().says(kind, **changed)) is not None) is announces


@pytest.mark.parametrize(
    ("status", "changed", "follows"),
    [
        (EncounterStatus.FINISHED, ("diagnoses",), True),
        (EncounterStatus.FINISHED, ("disposition", "phones"), True),
        (EncounterStatus.FINISHED, ("location",), False),
        (EncounterStatus.IN_PROGRESS, ("diagnoses",), False),
    ],
)
def test_only_a_material_change_of_a_finished_stay_is_worth_a_second_notice(
    status: EncounterStatus, changed: tuple[str, ...], *, follows: bool
) -> None:
    said = announcement_of(Stay().says(EncounterUpdated, changed=changed, status=status))
    assert (said is not None and said.corrects_discharge) is follows


def test_snapshots_and_patients_data_are_no_notices() -> None:
    assert announcement_of(Stay().discharged(flags={"snapshot": True})) is None
    assert announcement_of(event(PatientUpdated(patient=patient()), "p1", "p1", 1)) is None


def test_a_notice_names_patient_practitioner_and_hospital_and_no_address() -> None:
    said = announcement_of(Stay().discharged())
    assert said is not None
    assert said.encounter is not None
    assert said.encounter["patient"]["name"] == "Yellow Canary"
    assert said.encounter["treating"] == [{"role": "attending", "name": "Ana Attending", "npi": "1000994925"}]
    assert said.encounter["facility"]["name"] == "General Hospital"
    assert "address" not in said.encounter["patient"]


@pytest.mark.parametrize(
    ("after", "late"),
    [(timedelta(0), False), (LATE_AFTER, False), (LATE_AFTER + timedelta(seconds=1), True), (-LATE_AFTER * 2, False)],
)
def test_what_was_recorded_long_after_it_happened_is_told_as_late(after: timedelta, *, late: bool) -> None:
    discharge = Stay().discharged()
    said = announcement_of(replace(discharge, recorded=discharge.time + after))
    assert said is not None
    assert (said.late, said.recorded_at) == (late, discharge.time + after)


def test_how_long_after_is_a_setting() -> None:
    discharge = Stay().discharged()
    an_hour_old = replace(discharge, recorded=discharge.time + timedelta(hours=1))
    said = announcement_of(an_hour_old, timedelta(minutes=30))
    assert said is not None
    assert said.late
