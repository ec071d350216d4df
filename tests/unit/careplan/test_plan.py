"""What a plan does when its transition moves: each story in the order in which transitions tells it."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import services.careplan
from services.careplan.catalogue import read_catalogue
from services.careplan.course import Course
from services.careplan.plan import Followed, follow, next_version
from shared.events import AnyEvent
from shared.events.plans import PlanActivated, PlanCompleted, PlanRevised, PlanRevoked, PlanStatus
from shared.events.transitions import TaskStatus, TransitionStatus
from tests.unit.careplan.stories import Stay

CATALOGUE = read_catalogue(Path(services.careplan.__file__).parent / "templates")


def told(events: Sequence[AnyEvent], courses: dict[UUID, Course] | None = None) -> Followed:
    """Each event in a batch of its own, so that every change is told by itself."""
    followed = Followed(dict(courses or {}))
    for event in events:
        step = follow(followed.courses, [event], CATALOGUE)
        step.versions[:0] = followed.versions
        followed = step
    return followed


def test_no_plan_while_the_stay_goes_on() -> None:
    stay = Stay()
    assert told([stay.opened(), stay.task("language-help")]).versions == []


def test_discharge_activates_a_plan_with_needs_goals_team_and_bound_activities() -> None:
    stay = Stay(diagnoses=("I50.9",))
    followed = follow({}, [stay.opened(), stay.discharged(), stay.task("medication-reconciliation")], CATALOGUE)
    [version] = followed.versions
    assert isinstance(version.fact, PlanActivated)
    plan = version.plan
    assert (plan.status, plan.version, plan.template) == (PlanStatus.ACTIVE, 1, "general-discharge+heart-failure")
    assert plan.needs
    assert {"understands-plan", "stable-weight"} <= {goal.code for goal in plan.goals}
    bound = [a for a in plan.activities if a.task_id]
    assert [(a.code, a.status) for a in bound] == [("medicines", "scheduled")]
    assert {(m.role, m.name) for m in plan.team} >= {("attending", "Okoye"), ("care-manager", None)}


def test_one_batch_tells_one_version_however_many_tasks_it_brings() -> None:
    stay = Stay()
    before = follow({}, [stay.opened(), stay.discharged()], CATALOGUE)
    after = follow(before.courses, [stay.task(code) for code in ("contact", "visit", "own-thing")], CATALOGUE)
    [version] = after.versions
    assert isinstance(version.fact, PlanRevised)
    assert {"phone-reinforcement", "follow-up-visit", "own-thing"} == {
        a.code for a in version.plan.activities if a.task_id
    }


def test_a_batch_never_hides_a_status() -> None:
    stay = Stay()
    batch = [stay.opened(), stay.discharged(), stay.becomes(TransitionStatus.ON_HOLD), stay.discharged()]
    followed = follow({}, batch, CATALOGUE)
    statuses = [v.plan.status for v in followed.versions]
    assert statuses == [PlanStatus.ACTIVE, PlanStatus.ON_HOLD, PlanStatus.ACTIVE]
    assert [v.plan.version for v in followed.versions] == [1, 2, 3]


def test_discharge_taken_back_holds_then_revokes() -> None:
    stay = Stay()
    versions = told(
        [
            stay.opened(),
            stay.discharged(),
            stay.becomes(TransitionStatus.ON_HOLD, "discharge cancelled"),
            stay.becomes(TransitionStatus.REVOKED),
        ]
    ).versions
    assert [type(v.fact) for v in versions] == [PlanActivated, PlanRevised, PlanRevoked]
    assert versions[1].reason == "discharge cancelled"
    assert {a.status for a in versions[2].plan.activities} == {"cancelled"}


def test_closed_transition_completes_the_plan_and_keeps_what_was_done() -> None:
    stay = Stay()
    versions = told(
        [
            stay.opened(),
            stay.discharged(),
            stay.task("contact"),
            stay.task("contact", TaskStatus.COMPLETED),
            stay.becomes(TransitionStatus.CLOSED),
        ]
    ).versions
    assert isinstance(versions[-1].fact, PlanCompleted)
    done = {a.code: a.status for a in versions[-1].plan.activities}
    assert done["phone-reinforcement"] == "completed"


def test_death_gets_the_bereavement_plan_alone_even_with_heart_failure() -> None:
    stay = Stay(disposition="20", diagnoses=("I50.9",))
    [version] = told([stay.opened(), stay.becomes(TransitionStatus.CLOSED, "patient-died")]).versions
    assert (version.plan.template, version.plan.status) == ("bereavement", PlanStatus.ACTIVE)
    assert isinstance(version.fact, PlanActivated)


def test_death_after_the_discharge_ends_all_but_bereavement() -> None:
    stay = Stay()
    events = [stay.opened(), stay.discharged(), stay.task("contact")]
    stay.deceased = True
    versions = told([*events, stay.becomes(TransitionStatus.CLOSED, "patient-died")]).versions
    assert (versions[-1].plan.template, versions[-1].plan.status) == ("bereavement", PlanStatus.ACTIVE)
    assert versions[-1].reason == "patient-died"


def test_the_bereavement_plan_is_completed_by_what_people_did() -> None:
    stay = Stay(disposition="20")
    followed = told([stay.opened(), stay.becomes(TransitionStatus.CLOSED, "patient-died")])
    course = followed.courses[stay.transition_id]
    assert course.plan
    done = {activity.code: "completed" for activity in course.plan.activities}
    added = course.added.model_copy(update={"activity_status": done})
    _, fact = next_version(course.model_copy(update={"added": added}), "all done")
    assert isinstance(fact, PlanCompleted)


def test_a_stay_with_nothing_to_do_gets_no_plan() -> None:
    stay = Stay()
    assert told([stay.opened(), stay.becomes(TransitionStatus.CLOSED, "nothing-to-do")]).versions == []


def test_a_return_that_closes_the_transition_holds_the_plan_until_the_next_discharge() -> None:
    first, second = Stay("first"), Stay("second")
    events = [first.opened(), first.discharged(), first.task("contact", TaskStatus.CANCELLED)]
    followed = told([*events, first.becomes(TransitionStatus.CLOSED, "admitted-again"), second.opened()])
    assert [v.plan.status for v in followed.versions][-1] is PlanStatus.ON_HOLD
    assert PlanStatus.COMPLETED not in {v.plan.status for v in followed.versions}
    after = told([second.discharged()], followed.courses).versions
    assert [v.plan.status for v in after] == [PlanStatus.REVOKED, PlanStatus.ACTIVE]
    assert after[1].plan.replaces == after[0].plan.id


def test_a_return_that_never_was_gives_the_plan_back() -> None:
    first = Stay("first")
    followed = told([first.opened(), first.discharged(), first.becomes(TransitionStatus.CLOSED, "admitted-again")])
    after = told([first.discharged()], followed.courses).versions
    assert [v.plan.status for v in after] == [PlanStatus.ACTIVE]


def test_corrected_disposition_changes_the_template_in_a_new_version() -> None:
    stay = Stay()
    events = [stay.opened(), stay.discharged(), stay.task("medication-reconciliation")]
    stay.disposition = "03"
    versions = told([*events, stay.discharged()]).versions
    assert versions[-1].plan.template == "snf-handoff"
    assert [a.code for a in versions[-1].plan.activities if a.task_id] == ["medication-list"]


def test_readmission_holds_the_plan_and_the_next_discharge_replaces_it() -> None:
    first, second = Stay("first"), Stay("second")
    before = told([first.opened(), first.discharged()])
    held = told([second.opened(), second.readmission_of(first)], before.courses)
    assert [(v.plan.status, v.reason) for v in held.versions] == [(PlanStatus.ON_HOLD, "readmission")]
    after = told([first.becomes(TransitionStatus.CLOSED), second.discharged()], held.courses)
    assert [(v.plan.transition_id, v.plan.status) for v in after.versions] == [
        (first.transition_id, PlanStatus.REVOKED),
        (second.transition_id, PlanStatus.ACTIVE),
    ]
    assert after.versions[-1].plan.replaces == before.versions[-1].plan.id


def test_readmission_taken_back_gives_the_plan_back() -> None:
    first, second = Stay("first"), Stay("second")
    events = [first.opened(), first.discharged(), second.opened(), second.readmission_of(first)]
    followed = told([*events, second.becomes(TransitionStatus.REVOKED)])
    assert [v.plan.status for v in followed.versions] == [PlanStatus.ACTIVE, PlanStatus.ON_HOLD, PlanStatus.ACTIVE]


def test_an_older_version_of_the_transition_changes_nothing() -> None:
    stay = Stay()
    opened, discharged = stay.opened(), stay.discharged()
    held = stay.becomes(TransitionStatus.ON_HOLD)
    once = told([opened, discharged, held])
    again = told([discharged, opened, held], once.courses)
    assert again.versions == []
    assert again.courses == once.courses


def test_a_historical_transition_gets_no_plan() -> None:
    stay = Stay()
    stay.historical = True
    assert told([stay.opened(), stay.discharged()]).versions == []


def test_a_merged_patient_is_written_under_the_survivor() -> None:
    stay = Stay(patient="retired")
    followed = follow({}, [stay.opened(), stay.discharged()], CATALOGUE, {"retired": "survivor"})
    [version] = followed.versions
    assert (version.plan.patient.id, version.draft.subject) == ("survivor", "survivor")
