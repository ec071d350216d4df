"""One notice decided: told, suppressed with a reason, taken back, corrected."""

from dataclasses import replace
from typing import Any

import pytest

from services.notifications.announcing import announcement_of
from services.notifications.directory import Asks, Directory, Endpoint, Membership
from services.notifications.history import History
from services.notifications.planning import Decision, decide
from shared.events import AnyEvent
from shared.events.encounters import (
    Admitted,
    ClassChanged,
    DischargeCancelled,
    EncounterDeleted,
    EncounterMoved,
    EncounterUpdated,
    TransferCancelled,
)
from shared.events.notifications import Acknowledgement, Channel
from shared.events.notifications import SuppressionReason as Why
from shared.events.people import EncounterClass, EncounterStatus
from shared.events.transitions import TaskEscalated, TaskFact
from tests.unit.notifications.stories import NOW, PCP_NPI, Stay, directory, endpoint

PRIMARY, EXCHANGE = endpoint("primary"), endpoint("exchange")
KNOWN = directory(PRIMARY, EXCHANGE, practitioners={PCP_NPI: (Membership("primary"),)})


def told(event: AnyEvent, history: History, known: Directory = KNOWN) -> Decision:
    decision = tell(event, history, known)
    assert decision is not None
    return decision


def tell(event: AnyEvent, history: History, known: Directory = KNOWN) -> Decision | None:
    said = announcement_of(event)
    return decide(said, known, history, NOW) if said else None


def to(decision: Decision) -> set[str]:
    return {one.endpoint.organisation for one in decision.planned}


def why(decision: Decision) -> list[tuple[str, Why]]:
    return sorted((one.organisation, one.reason) for one in decision.suppressed)


def arrive(history: History) -> None:
    for one in history.told:
        if one.status == "queued":
            one.status = "delivered"


@pytest.mark.parametrize(
    ("known", "reasons"),
    [
        (directory(), [("hospitalists", Why.NO_RECIPIENT), ("primary", Why.NO_RECIPIENT)]),
        (Directory(), [("", Why.NO_RECIPIENT)]),
        (
            directory(endpoint("primary", active=False), endpoint("hospitalists", event_types=frozenset({"x"}))),
            [("hospitalists", Why.NOT_SUBSCRIBED), ("primary", Why.ENDPOINT_DISABLED)],
        ),
        (directory(endpoint("exchange", event_types=frozenset({"x"})), practitioners={}), [("", Why.NO_RECIPIENT)]),
    ],
)
def test_who_is_not_told_has_a_reason(known: Directory, reasons: list[tuple[str, Why]]) -> None:
    assert why(told(Stay().discharged(), History(), known)) == reasons


def test_old_news_is_told_to_nobody() -> None:
    decision = told(Stay().discharged(flags={"historical": True}), History())
    assert (to(decision), why(decision)) == (set(), [("", Why.HISTORICAL)])


def test_after_a_death_the_discharge_is_told_and_the_tasks_are_not() -> None:
    stay = Stay()
    assert to(told(stay.discharged(), History())) == {"primary", "exchange"}
    decision = told(stay.task(TaskEscalated, deceased=True), History())
    assert (to(decision), why(decision)) == (set(), [("", Why.PATIENT_DECEASED)])


def test_the_same_news_twice_is_told_once() -> None:
    history, stay = History(), Stay()
    first = stay.discharged()
    told(first, history)
    again = replace(stay.discharged(), time=first.time)
    assert why(told(again, history)) == [("exchange", Why.DUPLICATE), ("primary", Why.DUPLICATE)]


def test_two_tasks_overdue_in_the_same_minute_are_two_notices() -> None:
    history, stay = History(), Stay()
    first = stay.task()
    assert to(told(first, history)) == {"primary"}
    assert to(told(replace(stay.task(), time=first.time), history)) == {"primary"}


def test_a_retraction_follows_the_original_and_nobody_else() -> None:
    history, stay = History(), Stay()
    discharge = stay.discharged()
    told(discharge, history, directory(EXCHANGE))
    arrive(history)
    decision = told(stay.says(DischargeCancelled, retracts=(discharge.id,)), history)
    assert to(decision) == {"exchange"}
    assert decision.planned[0].retracts == (discharge.id,)


@pytest.mark.parametrize("status", ["delivering", "delivered", "acknowledged"])
def test_whoever_may_have_got_it_is_told(status: str) -> None:
    history, stay = History(), Stay()
    discharge = stay.discharged()
    told(discharge, history)
    for one in history.told:
        one.status = status
    assert to(told(stay.says(DischargeCancelled, retracts=(discharge.id,)), history)) == {"primary", "exchange"}


def test_a_failed_attempt_that_may_have_arrived_is_followed_one_that_did_not_is_not() -> None:
    history, stay = History(), Stay()
    discharge = stay.discharged()
    told(discharge, history)
    history.told[0].status, history.told[0].reached = "failed", True
    history.told[1].status, history.told[1].reached = "failed", False
    decision = told(stay.says(DischargeCancelled, retracts=(discharge.id,)), history)
    assert [one.endpoint.id for one in decision.planned] == [history.told[0].endpoint_id]


def test_nobody_had_been_told() -> None:
    history, stay = History(), Stay()
    discharge = stay.discharged()
    told(discharge, history, directory())
    decision = told(stay.says(DischargeCancelled, retracts=(discharge.id,)), history)
    assert why(decision) == [("", Why.NEVER_TOLD)]


def test_the_cancel_of_a_bed_move_is_no_notice() -> None:
    stay = Stay()
    move = stay.discharged().id
    assert tell(stay.says(TransferCancelled, retracts=(move,)), History()) is None


def test_a_correction_falls_with_what_it_corrected() -> None:
    history, stay = History(), Stay()
    discharge = stay.discharged()
    told(discharge, history)
    arrive(history)
    amended = stay.says(EncounterUpdated, amends=discharge.id, status=EncounterStatus.FINISHED)
    told(amended, history)
    decision = told(stay.says(DischargeCancelled, retracts=(discharge.id,)), history)
    assert {one.event_id for one in decision.dropped} == {amended.id}
    assert to(decision) == {"primary", "exchange"}


def test_a_stay_entered_in_error_takes_everything_back_in_one_notice() -> None:
    history, stay = History(), Stay()
    admission, discharge = stay.admitted(), stay.discharged()
    told(admission, history)
    told(discharge, history)
    arrive(history)
    decision = told(stay.says(EncounterDeleted, retracts=(discharge.id, admission.id)), history)
    assert len(decision.planned) == 2
    assert {frozenset(one.retracts) for one in decision.planned} == {frozenset({discharge.id, admission.id})}


def test_a_retraction_owed_to_a_disabled_endpoint_stands_there_as_failed() -> None:
    history, stay = History(), Stay()
    discharge = stay.discharged()
    told(discharge, history)
    arrive(history)
    known = directory(replace(PRIMARY, active=False), EXCHANGE)
    decision = told(stay.says(DischargeCancelled, retracts=(discharge.id,)), history, known)
    states = {one.endpoint.organisation: (one.told.status, one.reason) for one in decision.planned}
    assert states == {"primary": ("failed", "endpoint-disabled"), "exchange": ("queued", None)}


def test_a_stay_that_moved_to_another_patient_tells_strangers_no_more_than_that() -> None:
    history, stay = History(), Stay()
    discharge = stay.discharged()
    told(discharge, history)
    arrive(history)
    stay.patient_id = "p2"
    moved = stay.says(EncounterMoved, retracts=(discharge.id,), extra={"from_patient": "p1"}, pcp=None)
    decision = told(moved, history)
    bodies = {one.endpoint.organisation: one.body for one in decision.planned}
    assert bodies == {"primary": "thin", "exchange": "full"}


def test_observation_to_inpatient_is_told_but_an_emergency_admission_only_once() -> None:
    history, stay = History(), Stay()
    inpatient: dict[str, Any] = {"encounter_class": EncounterClass.INPATIENT}
    assert tell(stay.says(ClassChanged, **inpatient), history) is None
    assert to(told(stay.says(Admitted, **inpatient), history)) == {"primary", "exchange"}
    assert to(told(stay.says(ClassChanged, **inpatient), history)) == {"primary", "exchange"}


def test_a_topic_has_it_at_once() -> None:
    topic = endpoint("exchange", channel=Channel.KAFKA)
    decision = told(Stay().discharged(), History(), directory(topic, practitioners={}))
    assert [one.told.status for one in decision.planned] == ["delivered"]


STAT, URGENT, ROUTINE = Acknowledgement.STAT, Acknowledgement.URGENT, Acknowledgement.ROUTINE
DISCHARGED = "care.encounter.discharged.v1"


def asking(*asks: Asks) -> Endpoint:
    return replace(PRIMARY, asks=asks)


@pytest.mark.parametrize(
    ("asks", "priority"),
    [
        ((), None),
        ((Asks(event_type=DISCHARGED, priority=URGENT),), URGENT),
        ((Asks(event_type="care.encounter.admitted.v1", priority=STAT),), None),
        ((Asks(event_type=DISCHARGED, priority=URGENT, bases=frozenset({"receiving-facility"})),), None),
        ((Asks(event_type=DISCHARGED, priority=URGENT, bases=frozenset({"receiving-facility", "pcp"})),), URGENT),
        (tuple(Asks(event_type=DISCHARGED, priority=one) for one in (ROUTINE, STAT, URGENT)), STAT),
        (tuple(Asks(event_type=DISCHARGED, priority=one) for one in (ROUTINE, URGENT)), URGENT),
    ],
)
def test_a_notice_must_be_acknowledged_as_its_roster_says(
    asks: tuple[Asks, ...], priority: Acknowledgement | None
) -> None:
    known = directory(asking(*asks), EXCHANGE, practitioners={PCP_NPI: (Membership("primary"),)})
    decision = told(Stay().discharged(), History(), known)
    assert {one.endpoint.organisation: one.asks for one in decision.planned} == {"primary": priority, "exchange": None}


def test_the_cancel_of_what_must_be_acknowledged_need_not_be() -> None:
    history, stay = History(), Stay()
    known = directory(
        asking(Asks(event_type=DISCHARGED, priority=URGENT)), practitioners={PCP_NPI: (Membership("primary"),)}
    )
    discharge = stay.discharged()
    assert [one.asks for one in told(discharge, history, known).planned] == [URGENT]
    arrive(history)
    back = told(stay.says(DischargeCancelled, retracts=(discharge.id,)), history, known)
    assert [(one.retracts, one.asks) for one in back.planned] == [((discharge.id,), None)]


def test_a_task_that_waits_for_one_organisation_is_told_to_no_other() -> None:
    overdue = Stay().task()
    assert isinstance(overdue.fact, TaskFact)
    awaiting = overdue.fact.model_copy(update={"task": overdue.fact.task.model_copy(update={"asked_of": "exchange"})})
    known = replace(KNOWN, organisations={"exchange": (Membership("exchange"),)})
    assert to(told(overdue, History(), known)) == {"primary"}
    decision = told(replace(overdue, fact=awaiting), History(), known)
    assert [(one.endpoint.organisation, one.bases) for one in decision.planned] == [("exchange", ("awaited",))]
