"""What a transition and its tasks become, event by event."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from services.transitions.task import Why
from shared.events import AnyEvent
from shared.events.encounters import Arrived, EncounterUpdated, PatientUpdated
from shared.events.people import Disposition, EncounterClass, EncounterStatus
from shared.events.transitions import TaskStatus, TransitionStatus
from tests.unit.transitions.stays import (
    StayTold,
    Ward,
    at,
    attended,
    contact,
    delivered,
    event_of,
    reconciled,
)

HOME = {"interactive-contact", "follow-up-visit", "medication-reconciliation", "discharge-information"}
Told = Callable[[StayTold], list[AnyEvent]]

OPENS: list[tuple[str, Told, TransitionStatus | None]] = [
    ("an inpatient admission", lambda s: [s.admit("2026-03-02 08:00")], TransitionStatus.OPEN),
    ("a preadmission does not", lambda s: [s.preadmit("2026-03-02 08:00")], None),
    (
        "a preadmission that becomes an admission",
        lambda s: [s.preadmit("2026-03-01 08:00"), s.admit("2026-03-02 08:00")],
        TransitionStatus.OPEN,
    ),
    ("a discharge nobody announced", lambda s: [s.discharge("2026-03-06 15:00-06:00")], TransitionStatus.FOLLOWING),
    (
        "a cancelled admission is revoked",
        lambda s: [s.admit("2026-03-02 08:00"), s.cancel("2026-03-02 09:00")],
        TransitionStatus.REVOKED,
    ),
    (
        "a deleted stay is revoked",
        lambda s: [s.admit("2026-03-02 08:00"), s.discharge("2026-03-06 15:00"), s.delete("2026-03-06 16:00")],
        TransitionStatus.REVOKED,
    ),
    (
        "an admission cancelled and made again",
        lambda s: [s.admit("2026-03-02 08:00"), s.cancel("2026-03-02 09:00"), s.admit("2026-03-02 10:00")],
        TransitionStatus.OPEN,
    ),
    (
        "a discharge that says still patient is none",
        lambda s: [s.admit("2026-03-02 08:00"), s.discharge("2026-03-06 15:00", "30")],
        TransitionStatus.OPEN,
    ),
    (
        "a discharge taken back",
        lambda s: [
            s.admit("2026-03-02 08:00"),
            s.discharge("2026-03-06 15:00"),
            s.take_back_discharge("2026-03-06 16:00"),
        ],
        TransitionStatus.ON_HOLD,
    ),
    (
        "a stay that became an outpatient visit",
        lambda s: [s.admit("2026-03-02 08:00"), s.change_class("2026-03-02 09:00", EncounterClass.AMBULATORY)],
        TransitionStatus.REVOKED,
    ),
    (
        "a death in hospital asks for nothing",
        lambda s: [s.admit("2026-03-02 08:00"), s.discharge("2026-03-06 15:00", "20")],
        TransitionStatus.CLOSED,
    ),
]


@pytest.mark.parametrize(("told", "status"), [case[1:] for case in OPENS], ids=[case[0] for case in OPENS])
def test_status_follows_the_stay(told: Told, status: TransitionStatus | None) -> None:
    stay = StayTold()
    ward = Ward().hear(*told(stay))
    found = ward.cases[stay.patient].followed.get(stay.id)
    assert (found.transition.status if found else None) == status


@pytest.mark.parametrize(
    ("encounter_class", "opens"),
    [("EMER", True), ("OBSENC", True), ("AMB", False), ("OTHER", False)],
)
def test_an_arrival_opens_in_the_emergency_department_but_not_for_outpatients(
    encounter_class: str, *, opens: bool
) -> None:
    stay = StayTold(encounter_class=EncounterClass(encounter_class))
    ward = Ward().hear(stay.arrive("2026-03-02 08:00"))
    assert (stay.id in ward.cases["p1"].followed) == opens


def test_an_outpatient_who_is_made_an_inpatient_is_followed() -> None:
    stay = StayTold(encounter_class=EncounterClass.AMBULATORY)
    ward = Ward().hear(stay.arrive("2026-03-02 08:00"), stay.change_class("2026-03-02 12:00", EncounterClass.INPATIENT))
    assert ward.of(stay).transition.status is TransitionStatus.OPEN


def test_a_discharge_home_asks_for_four_tasks_and_says_so() -> None:
    stay = StayTold()
    ward = Ward().hear(stay.admit("2026-03-02 08:00-06:00"), stay.discharge("2026-03-06 15:00-06:00"))
    scored = "transition.risk-scored"
    said = ["transition.opened", scored, "transition.changed", scored, *["task.created"] * 4]
    assert ward.said_types() == said
    followed = ward.of(stay)
    assert {o.task.code: o.task.due_at for o in followed.tasks} == {
        "interactive-contact": at("2026-03-10 23:59:59.999999-05:00"),
        "follow-up-visit": at("2026-03-20 23:59:59.999999-05:00"),
        "medication-reconciliation": at("2026-03-20 23:59:59.999999-05:00"),
        "discharge-information": at("2026-03-08 23:59:59.999999-05:00"),
    }
    assert [p.name for p in followed.transition.protocols] == ["tcm-home"]
    assert followed.why is Why.DISCHARGED


def test_two_protocols_that_ask_for_one_task_make_one_due_at_the_earlier_time() -> None:
    stay = StayTold(diagnoses=("I50.23",))
    ward = Ward().hear(stay.discharge("2026-03-06 15:00-06:00"))
    visit = ward.task(stay, "follow-up-visit").task
    assert visit.due_at == at("2026-03-13 23:59:59.999999-05:00")
    assert visit.protocol.name == "heart-failure"
    assert len(ward.of(stay).tasks) == 7


def test_taking_the_discharge_back_holds_the_tasks_and_a_second_discharge_resumes_them() -> None:
    stay = StayTold()
    ward = Ward().hear(
        stay.admit("2026-03-02 08:00-06:00"),
        stay.discharge("2026-03-06 15:00-06:00"),
        stay.take_back_discharge("2026-03-06 16:00-06:00"),
    )
    assert {o.task.status for o in ward.of(stay).tasks} == {TaskStatus.ON_HOLD}
    before = {o.task.id for o in ward.of(stay).tasks}
    ward.hear(stay.discharge("2026-03-07 10:00-06:00"))
    assert {o.task.status for o in ward.of(stay).tasks} == {TaskStatus.REQUESTED}
    assert {o.task.id for o in ward.of(stay).tasks} == before
    assert ward.task(stay, "follow-up-visit").task.due_at == at("2026-03-21 23:59:59.999999-05:00")
    assert ward.of(stay).why is Why.DISCHARGED_AGAIN


def test_a_second_discharge_elsewhere_exchanges_the_tasks() -> None:
    stay = StayTold()
    ward = Ward().hear(
        stay.discharge("2026-03-06 15:00-06:00"),
        stay.take_back_discharge("2026-03-06 16:00-06:00"),
        stay.discharge("2026-03-07 10:00-06:00", "03"),
    )
    live = {o.task.code for o in ward.of(stay).tasks if o.is_live}
    assert live == {
        "discharge-information",
        "handoff-synthesis",
        "weekly-contact",
        "weekly-contact-2",
        "weekly-contact-3",
        "weekly-contact-4",
        "nurse-report",
        "pending-results",
    }
    cancelled = {o.task.code: o.why for o in ward.of(stay).tasks if o.task.status is TaskStatus.CANCELLED}
    assert cancelled == dict.fromkeys(HOME - {"discharge-information"}, Why.NOT_ASKED_FOR)


def test_a_deed_before_the_second_discharge_does_not_answer_it() -> None:
    stay = StayTold()
    ward = Ward().hear(
        stay.discharge("2026-03-06 15:00-06:00"),
        contact("2026-03-06 15:30-06:00"),
        stay.take_back_discharge("2026-03-06 16:00-06:00"),
        stay.discharge("2026-03-09 10:00-05:00"),
    )
    calls = [o for o in ward.of(stay).tasks if o.task.code == "interactive-contact"]
    assert [o.task.status for o in calls] == [TaskStatus.COMPLETED, TaskStatus.REQUESTED]
    assert calls[1].task.due_at == at("2026-03-11 23:59:59.999999-05:00")


def test_the_notice_of_a_discharge_taken_back_is_no_evidence_for_the_next() -> None:
    stay = StayTold()
    first = stay.discharge("2026-03-06 15:00-06:00")
    ward = Ward().hear(
        first,
        stay.take_back_discharge("2026-03-06 16:00-06:00"),
        stay.discharge("2026-03-06 17:00-06:00"),
        delivered(first, "2026-03-06 18:00-06:00"),
    )
    assert ward.task(stay, "discharge-information").task.status is TaskStatus.REQUESTED


def test_correcting_the_time_moves_the_clocks() -> None:
    stay = StayTold()
    ward = Ward().hear(
        stay.discharge("2026-03-06 15:00-06:00"),
        stay.correct("2026-03-06 18:00-06:00", discharged_at=at("2026-03-05 23:00-06:00")),
    )
    task = ward.task(stay, "interactive-contact").task
    assert task.due_at == at("2026-03-09 23:59:59.999999-05:00")
    assert "Thu 2026-03-05" in (task.due_explained or "")
    assert ward.said_types()[-4:] == ["task.changed"] * 4


def test_correcting_the_disposition_exchanges_the_tasks() -> None:
    stay = StayTold()
    ward = Ward().hear(
        stay.discharge("2026-03-06 15:00-06:00", None),
        stay.correct("2026-03-06 18:00-06:00", disposition=Disposition(nubc="01", fhir="home")),
    )
    assert {o.task.code for o in ward.of(stay).tasks if o.is_live} == HOME
    assert ward.task(stay, "find-destination").why is Why.NOT_ASKED_FOR


def test_a_diagnosis_added_later_brings_the_visit_forward() -> None:
    stay = StayTold()
    ward = Ward().hear(stay.discharge("2026-03-06 15:00-06:00"))
    stay.diagnoses = ("I50.9",)
    ward.hear(stay.correct("2026-03-07 09:00-06:00"))
    assert ward.task(stay, "follow-up-visit").task.due_at == at("2026-03-13 23:59:59.999999-05:00")


def test_more_time_after_a_task_was_told_overdue_begins_its_ladder_anew() -> None:
    stay = StayTold()
    ward = Ward().hear(stay.discharge("2026-03-06 15:00-06:00"))
    case = ward.cases["p1"]
    followed = case.followed[stay.id]
    told = tuple(replace(o, fired=2, task=o.task.model_copy(update={"owner": "ann"})) for o in followed.tasks)
    ward.cases["p1"] = replace(case, followed={stay.id: replace(followed, tasks=told)})
    ward.hear(stay.correct("2026-03-20 09:00-05:00", discharged_at=at("2026-03-19 15:00-05:00")))
    calls = [o for o in ward.of(stay).tasks if o.task.code == "interactive-contact"]
    assert (calls[0].task.status, calls[0].fired, calls[0].why) == (TaskStatus.CANCELLED, 2, Why.DUE_MOVED)
    assert (calls[1].task.status, calls[1].fired, calls[1].task.owner) == (TaskStatus.ACCEPTED, 0, "ann")


def test_an_older_version_of_the_stay_changes_nothing() -> None:
    stay = StayTold()
    admitted, discharged = stay.admit("2026-03-02 08:00-06:00"), stay.discharge("2026-03-06 15:00-06:00")
    ward = Ward().hear(discharged)
    said = len(ward.said)
    ward.hear(admitted)
    assert len(ward.said) == said
    assert ward.of(stay).transition.status is TransitionStatus.FOLLOWING


def test_the_same_news_again_says_nothing_again() -> None:
    stay = StayTold()
    discharged = stay.discharge("2026-03-06 15:00-06:00")
    ward = Ward().hear(discharged)
    said = len(ward.said)
    ward.hear(discharged, discharged)
    assert len(ward.said) == said


def test_movements_within_the_stay_say_nothing() -> None:
    stay = StayTold()
    ward = Ward().hear(stay.admit("2026-03-02 08:00-06:00"), stay.transfer("2026-03-03 08:00-06:00"))
    assert ward.said_types() == ["transition.opened", "transition.risk-scored"]
    assert ward.of(stay).encounter_version == 2


def test_old_news_is_told_to_nobody_until_someone_reviews_it() -> None:
    stay = StayTold()
    ward = Ward().hear(stay.discharge("2026-01-06 15:00-06:00", recorded="2026-03-06 15:00-06:00"))
    assert ward.of(stay).transition.historical
    assert ward.of(stay).tasks == ()
    assert ward.of(stay).transition.status is TransitionStatus.FOLLOWING
    assert ward.said_types() == ["transition.opened", "transition.risk-scored"]
    assert all(draft.historical for draft in ward.said)


@pytest.mark.parametrize(
    ("recorded", "historical"),
    [("2026-03-20 23:00-05:00", False), ("2026-03-21 00:00:01-05:00", True)],
)
def test_news_is_old_when_the_last_window_had_passed(recorded: str, *, historical: bool) -> None:
    stay = StayTold()
    ward = Ward().hear(stay.discharge("2026-03-06 15:00-06:00", recorded=recorded))
    assert ward.of(stay).transition.historical == historical


def test_a_correction_of_old_news_to_a_recent_day_makes_it_news() -> None:
    stay = StayTold()
    ward = Ward().hear(
        stay.discharge("2025-03-06 15:00-06:00", recorded="2026-03-06 16:00-06:00"),
        stay.correct("2026-03-06 17:00-06:00", discharged_at=at("2026-03-06 15:00-06:00")),
    )
    assert not ward.of(stay).transition.historical
    assert {o.task.code for o in ward.of(stay).tasks if o.is_live} == HOME


def test_a_later_correction_of_running_news_does_not_make_it_old() -> None:
    stay = StayTold()
    ward = Ward().hear(
        stay.discharge("2026-03-06 15:00-06:00"), stay.correct("2026-06-06 17:00-05:00", hospital_service="MED")
    )
    assert not ward.of(stay).transition.historical


def test_what_the_source_calls_history_is_history() -> None:
    stay = StayTold()
    ward = Ward().hear(stay.discharge("2026-03-06 15:00-06:00", historical=True))
    assert ward.of(stay).transition.historical
    assert ward.of(stay).tasks == ()


def test_closes_when_all_is_done() -> None:
    stay = StayTold()
    discharge = stay.discharge("2026-03-06 15:00-06:00")
    ward = Ward().hear(
        discharge,
        delivered(discharge, "2026-03-06 15:01-06:00"),
        contact("2026-03-09 10:00-05:00"),
        reconciled("2026-03-11 09:00-05:00"),
        attended("2026-03-11 10:00-05:00"),
    )
    assert ward.of(stay).transition.status is TransitionStatus.CLOSED
    assert ward.of(stay).why is Why.ALL_DONE
    assert ward.said_types()[-1] == "transition.closed"


def test_class_other_is_followed_only_once_admitted() -> None:
    stay = StayTold(encounter_class=EncounterClass.OTHER)
    ward = Ward().hear(stay.tell(Arrived, "2026-03-02 08:00", status=EncounterStatus.ARRIVED))
    assert stay.id not in ward.cases["p1"].followed
    ward.hear(stay.admit("2026-03-02 09:00"), stay.tell(EncounterUpdated, "2026-03-02 10:00"))
    assert ward.of(stay).transition.status is TransitionStatus.OPEN


def test_a_changed_name_reaches_the_transition() -> None:
    stay = StayTold()
    ward = Ward().hear(stay.admit("2026-03-02 08:00"))
    ward.hear(event_of(PatientUpdated(patient=stay.summary(language="es")), "p1", at("2026-03-03 08:00")))
    assert ward.of(stay).transition.patient.language == "es"
    assert ward.said_types() == ["transition.opened", "transition.risk-scored", "transition.changed"]
