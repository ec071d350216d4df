"""Both sides of the contract: what transitions' own rules say, heard by the rules of care plans."""

from uuid import UUID

import pytest

from services.careplan.course import Course
from services.careplan.plan import follow
from shared.events import AnyEvent, Draft, Event
from shared.events.people import EncounterClass
from shared.events.plans import CarePlan, PlanStatus
from shared.events.transitions import TransitionStatus
from tests.unit.careplan.stories import Stay
from tests.unit.careplan.test_plan import CATALOGUE
from tests.unit.transitions.stays import StayTold, Ward, contact


class Office:
    """Hears all that a ward says, one event after the other."""

    def __init__(self) -> None:
        self.ward = Ward()
        self.courses: dict[UUID, Course] = {}
        self.statuses: list[PlanStatus] = []
        self._heard = 0

    def hear(self, *events: AnyEvent) -> "Office":
        self.ward.hear(*events)
        for draft in self.ward.said[self._heard :]:
            followed = follow(self.courses, [published(draft)], CATALOGUE)
            self.courses = followed.courses
            self.statuses += [version.plan.status for version in followed.versions]
        self._heard = len(self.ward.said)
        return self

    def plan(self, stay: StayTold) -> CarePlan:
        [plan] = [c.plan for c in self.courses.values() if c.transition.encounter_id == stay.id]
        assert plan
        return plan


def published(draft: Draft) -> AnyEvent:
    return Event(
        id=draft.id,
        type=draft.fact.TYPE,
        source="transitions",
        topic=draft.on_topic,
        subject=draft.subject,
        time=draft.time,
        recorded=draft.time,
        sequence=1,
        epoch=1,
        correlation_id=draft.correlation_id,
        causation_id=draft.causation_id,
        version=draft.version,
        traceparent=None,
        fact=draft.fact,
    )


@pytest.mark.parametrize(
    ("nubc", "template"),
    [
        ("01", "general-discharge"),
        ("03", "snf-handoff"),
        ("06", "home-health"),
        ("50", "hospice"),
        ("07", "against-advice"),
    ],
)
def test_every_task_of_a_discharge_is_an_activity_that_the_template_planned(nubc: str, template: str) -> None:
    stay = StayTold()
    office = Office().hear(stay.admit("2026-03-02 10:00"), stay.discharge("2026-03-06 15:00", nubc))
    plan = office.plan(stay)
    tasks = {obligation.task.id for obligation in office.ward.of(stay).tasks}
    assert plan.template == template
    assert {activity.task_id for activity in plan.activities if activity.task_id} == tasks
    planned = {activity.code for activity in CATALOGUE.choose(office.ward.of(stay).transition).activities}
    assert {activity.code for activity in plan.activities} <= planned


def test_a_contact_made_is_seen_in_the_plan() -> None:
    stay = StayTold()
    office = Office().hear(stay.admit("2026-03-02 10:00"), stay.discharge("2026-03-06 15:00"))
    office.hear(contact("2026-03-09 10:00"))
    done = {activity.code: activity.status for activity in office.plan(stay).activities}
    assert done["phone-reinforcement"] == "completed"


def test_a_discharge_taken_back_and_made_again() -> None:
    stay = StayTold()
    office = Office().hear(stay.admit("2026-03-02 10:00"), stay.discharge("2026-03-06 15:00"))
    office.hear(stay.take_back_discharge("2026-03-06 16:00"))
    assert office.plan(stay).status is PlanStatus.ON_HOLD
    office.hear(stay.discharge("2026-03-07 11:00"))
    assert office.plan(stay).status is PlanStatus.ACTIVE


def test_a_stay_that_never_was() -> None:
    stay = StayTold()
    office = Office().hear(stay.admit("2026-03-02 10:00"), stay.discharge("2026-03-06 15:00"))
    office.hear(stay.cancel("2026-03-06 18:00"))
    assert office.plan(stay).status is PlanStatus.REVOKED


def test_a_readmission_holds_and_the_next_discharge_replaces() -> None:
    first, second = StayTold(), StayTold()
    office = Office().hear(first.admit("2026-03-02 10:00"), first.discharge("2026-03-06 15:00"))
    office.hear(second.admit("2026-03-15 08:00"))
    assert office.plan(first).status is PlanStatus.ON_HOLD
    assert PlanStatus.COMPLETED not in office.statuses
    office.hear(second.discharge("2026-03-18 12:00"))
    assert office.plan(first).status is PlanStatus.REVOKED
    assert office.plan(second).replaces == office.plan(first).id


def test_a_readmission_that_never_was_gives_the_plan_back() -> None:
    first, second = StayTold(), StayTold()
    office = Office().hear(first.admit("2026-03-02 10:00"), first.discharge("2026-03-06 15:00"))
    office.hear(second.admit("2026-03-07 08:00"), second.cancel("2026-03-07 09:00"))
    assert office.plan(first).status is PlanStatus.ACTIVE


def test_a_readmission_that_was_an_observation_gives_the_plan_back() -> None:
    first, second = StayTold(), StayTold()
    office = Office().hear(first.admit("2026-03-02 10:00"), first.discharge("2026-03-06 15:00"))
    office.hear(second.admit("2026-03-15 08:00"))
    assert office.plan(first).status is PlanStatus.ON_HOLD
    office.hear(second.change_class("2026-03-15 10:00", EncounterClass.OBSERVATION))
    assert office.ward.of(second).transition.status is not TransitionStatus.REVOKED
    assert office.plan(first).status is PlanStatus.ACTIVE


def test_one_that_was_an_observation_after_all_leaves_both_plans_standing() -> None:
    first, second = StayTold(), StayTold()
    office = Office().hear(first.admit("2026-03-02 10:00"), first.discharge("2026-03-06 15:00"))
    office.hear(second.admit("2026-03-15 08:00"), second.discharge("2026-03-18 12:00"))
    assert office.plan(first).status is PlanStatus.REVOKED
    office.hear(second.change_class("2026-03-18 13:00", EncounterClass.OBSERVATION))
    assert office.plan(first).status is PlanStatus.ACTIVE


def test_a_stay_of_another_patient_holds_no_plan_even_where_that_is_heard_first() -> None:
    earlier, later = Stay("one"), Stay("two")
    events = [earlier.opened(), earlier.discharged(), later.opened(), later.readmission_of(earlier)]
    later.patient = "p2"
    *before, detected = events
    withdrawn = later.no_readmission_of(earlier)
    for order in ([detected, withdrawn], [withdrawn, detected]):
        course = follow({}, [*before, *order], CATALOGUE).courses[earlier.transition_id]
        assert course.plan is not None
        assert (course.held_by, course.plan.status) == (None, PlanStatus.ACTIVE)


def test_a_death_in_hospital_leaves_the_bereavement_plan() -> None:
    stay = StayTold()
    office = Office().hear(stay.admit("2026-03-02 10:00"), stay.discharge("2026-03-06 15:00", "20"))
    assert (office.plan(stay).template, office.plan(stay).status) == ("bereavement", PlanStatus.ACTIVE)
