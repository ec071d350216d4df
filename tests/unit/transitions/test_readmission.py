"""Who came back within 30 days, counted on local dates; and what it means for the earlier stay's tasks."""

import pytest

from services.transitions.task import Why
from shared.events.people import Disposition, EncounterClass, EncounterStatus
from shared.events.transitions import ReadmissionDetected, TransitionStatus
from tests.unit.transitions.stays import NEW_YORK, StayTold, Ward

LEFT = "2026-03-06 15:00-06:00"
VECTORS = [
    # admission of the second stay, is it a readmission, after how many days
    ("2026-04-05 10:00-05:00", 30),
    ("2026-04-06 10:00-05:00", None),
    ("2026-03-06 23:00-06:00", None),  # the same date: a direct transfer, or one episode
    ("2026-03-07 00:30-06:00", 1),
    ("2026-04-05 23:59-05:00", 30),
]


@pytest.mark.parametrize(("came_back", "days"), VECTORS)
def test_counts_local_dates(came_back: str, days: int | None) -> None:
    first, second = StayTold(), StayTold()
    ward = Ward().hear(first.discharge(LEFT), second.admit(came_back))
    found = ward.of(second).readmission
    assert (found.days if found else None) == days
    assert ("transition.readmission-detected" in ward.said_types()) == (days is not None)


def test_dates_are_those_of_each_facility() -> None:
    # 23:30 in Chicago on day 30 is the 31st day in New York.
    first, second = StayTold(), StayTold(facility=NEW_YORK)
    ward = Ward().hear(first.discharge(LEFT), second.admit("2026-04-05 23:30-05:00"))
    assert ward.of(second).readmission is None


NO_INDEX = ["02", "05", "07", "20", "43", "50", "51", "63", "65", "66", "81", "83"]


@pytest.mark.parametrize("nubc", NO_INDEX)
def test_transfers_deaths_advice_refused_and_planned_returns_are_no_index(nubc: str) -> None:
    first, second = StayTold(), StayTold()
    ward = Ward().hear(first.discharge(LEFT, nubc), second.admit("2026-03-16 10:00-05:00"))
    assert ward.of(second).readmission is None


def test_what_is_planned_is_no_readmission() -> None:
    first, second, third = StayTold(), StayTold(), StayTold()
    planned = Disposition(nubc="01", planned_readmission=True)
    ward = Ward().hear(first.discharge(LEFT, disposition=planned), second.admit("2026-03-16 10:00-05:00"))
    assert ward.of(second).readmission is None
    other = Ward().hear(third.discharge(LEFT), second.admit("2026-03-16 10:00-05:00", readmission_indicator="P"))
    assert other.of(second).readmission is None


@pytest.mark.parametrize("encounter_class", [EncounterClass.EMERGENCY, EncounterClass.OBSERVATION])
def test_emergency_and_observation_are_no_readmission_until_admitted(encounter_class: EncounterClass) -> None:
    first, second = StayTold(), StayTold(encounter_class=encounter_class)
    ward = Ward().hear(first.discharge(LEFT), second.admit("2026-03-16 10:00-05:00"))
    assert ward.of(second).readmission is None
    assert any(o.is_live for o in ward.of(first).tasks)
    ward.hear(second.change_class("2026-03-16 14:00-05:00", EncounterClass.INPATIENT))
    assert ward.of(second).readmission is not None
    assert not any(o.is_live for o in ward.of(first).tasks)


def test_the_earlier_tasks_give_way_and_the_earlier_transition_closes() -> None:
    first, second = StayTold(), StayTold()
    ward = Ward().hear(first.discharge(LEFT), second.admit("2026-03-16 10:00-05:00"))
    assert {o.why for o in ward.of(first).tasks} == {Why.ADMITTED_AGAIN}
    assert ward.of(first).transition.status is TransitionStatus.CLOSED
    assert ward.of(first).why is Why.ADMITTED_AGAIN
    [detected] = [draft.fact for draft in ward.said if isinstance(draft.fact, ReadmissionDetected)]
    assert (detected.earlier_encounter_id, detected.days) == (first.id, 10)
    assert detected.transition.encounter_id == second.id


def test_a_planned_return_supersedes_without_being_a_readmission() -> None:
    first, second = StayTold(), StayTold()
    ward = Ward().hear(first.discharge(LEFT, "81"), second.admit("2026-03-16 10:00-05:00"))
    assert ward.of(second).readmission is None
    assert not any(o.is_live for o in ward.of(first).tasks)


def test_a_return_taken_back_gives_the_earlier_tasks_back() -> None:
    first, second = StayTold(), StayTold()
    ward = Ward().hear(
        first.discharge(LEFT), second.admit("2026-03-16 10:00-05:00"), second.cancel("2026-03-16 11:00-05:00")
    )
    assert ward.of(first).transition.status is TransitionStatus.FOLLOWING
    assert len([o for o in ward.of(first).tasks if o.is_live]) == 4
    assert ward.of(second).readmission is None


def test_told_once_and_also_when_the_discharge_is_heard_late() -> None:
    first, second = StayTold(), StayTold()
    ward = Ward().hear(
        first.admit("2026-03-02 10:00-06:00"),
        second.admit("2026-03-16 10:00-05:00"),
        first.discharge(LEFT, late=True),
        second.transfer("2026-03-17 10:00-05:00"),
    )
    assert ward.said_types().count("transition.readmission-detected") == 1


def test_only_the_last_discharge_is_the_index() -> None:
    first, second, third = StayTold(), StayTold(), StayTold()
    ward = Ward().hear(
        first.discharge(LEFT),
        second.admit("2026-03-10 10:00-05:00"),
        second.discharge("2026-03-12 10:00-05:00"),
        third.admit("2026-03-20 10:00-05:00"),
    )
    found = ward.of(third).readmission
    assert found is not None
    assert (found.earlier_encounter_id, found.days) == (second.id, 8)


def test_a_transfer_in_between_is_one_episode() -> None:
    first, second = StayTold(), StayTold()
    ward = Ward().hear(first.discharge(LEFT, "02"), second.admit("2026-03-06 16:00-06:00"))
    assert ward.of(second).readmission is None
    # What the receiving hospital must know is still to be sent.
    assert [o.task.code for o in ward.of(first).tasks if o.is_live] == ["discharge-information"]


def test_a_visit_that_ended_after_the_patient_went_to_a_ward_asks_for_nothing_at_home() -> None:
    visit = StayTold(encounter_class=EncounterClass.EMERGENCY)
    stay = StayTold()
    ward = Ward().hear(
        visit.arrive("2026-03-06 08:00-06:00"),
        stay.admit("2026-03-06 12:00-06:00"),
        visit.discharge("2026-03-06 12:05-06:00", status=EncounterStatus.FINISHED),
    )
    assert not any(o.is_live for o in ward.of(visit).tasks)
