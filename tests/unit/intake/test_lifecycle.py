"""What each trigger does to a stay, as stories: the facts, the status, and the milestones that stand."""

import pytest

from services.intake.encounter import EncounterState
from services.intake.lifecycle import fold
from services.intake.message import StayFact
from shared.events.people import EncounterStatus as S
from tests.unit.intake.messages import ICU, STEP_DOWN, WARD, at, fact

ADMIT = fact("A01", "09:00", location=WARD, **{"class": "IMP"})
MOVE = fact("A02", "10:00", location=ICU)
LEAVE = fact("A03", "15:05", "15:00", disposition={"nubc": "01"})
REOPEN = fact("A13", "15:30")
LEAVE_AGAIN = fact("A03", "15:40", "15:00", disposition={"nubc": "01"})

STORIES: list[tuple[str, list[StayFact], S, list[str]]] = [
    ("admitted", [ADMIT], S.IN_PROGRESS, ["admitted::0"]),
    ("moved", [ADMIT, MOVE], S.IN_PROGRESS, ["admitted::0", "transferred:ICU^2^B:0"]),
    ("moved nowhere", [ADMIT, fact("A02", "10:00", location=WARD)], S.IN_PROGRESS, ["admitted::0"]),
    (
        "moved to and fro",
        [ADMIT, MOVE, fact("A02", "11:00", location=WARD), fact("A02", "12:00", location=ICU)],
        S.IN_PROGRESS,
        ["admitted::0", "transferred:ICU^2^B:0", "transferred:4W^401^A:0", "transferred:ICU^2^B:1"],
    ),
    ("move cancelled", [ADMIT, MOVE, fact("A12", "10:30", location=WARD)], S.IN_PROGRESS, ["admitted::0"]),
    ("discharged", [ADMIT, LEAVE], S.FINISHED, ["admitted::0", "discharged::0"]),
    ("discharged twice is once", [ADMIT, LEAVE, LEAVE_AGAIN], S.FINISHED, ["admitted::0", "discharged::0"]),
    ("discharge cancelled", [ADMIT, LEAVE, REOPEN], S.IN_PROGRESS, ["admitted::0"]),
    ("discharged in the end", [LEAVE, REOPEN, LEAVE_AGAIN], S.FINISHED, ["discharged::0"]),
    (
        "reopened in another bed",
        [ADMIT, LEAVE, fact("A13", "15:30", location=STEP_DOWN)],
        S.IN_PROGRESS,
        ["admitted::0", "transferred:5E^510^C:0"],
    ),
    ("still a patient", [ADMIT, fact("A03", "15:05", disposition={"nubc": "30"})], S.IN_PROGRESS, ["admitted::0"]),
    ("admission cancelled", [ADMIT, MOVE, fact("A11", "11:00")], S.CANCELLED, []),
    ("admitted anew", [ADMIT, fact("A11", "11:00"), fact("A01", "12:00")], S.IN_PROGRESS, ["admitted::0"]),
    ("admission repeated", [ADMIT, fact("A01", "09:30", location=WARD)], S.IN_PROGRESS, ["admitted::0"]),
    ("repeated after the end", [ADMIT, LEAVE, fact("A01", "16:00")], S.FINISHED, ["admitted::0", "discharged::0"]),
    ("told of last", [LEAVE, fact("A01", "16:00")], S.FINISHED, ["discharged::0", "admitted::0"]),
    ("discharge alone", [LEAVE], S.FINISHED, ["discharged::0"]),
    ("move alone", [MOVE], S.IN_PROGRESS, ["transferred:ICU^2^B:0"]),
    ("update alone", [fact("A08", "10:00", location=WARD)], S.IN_PROGRESS, []),
    ("cancel alone", [fact("A11", "10:00")], S.CANCELLED, []),
    (
        "update that hides a move and a change of class",
        [ADMIT, fact("A08", "10:00", location=ICU, **{"class": "OBSENC"})],
        S.IN_PROGRESS,
        ["admitted::0", "class-changed:OBSENC:0", "transferred:ICU^2^B:0"],
    ),
    (
        "update after the end moves nobody",
        [ADMIT, LEAVE, fact("A08", "16:00", location=ICU)],
        S.FINISHED,
        ["admitted::0", "discharged::0"],
    ),
    ("planned", [fact("A05", "08:00")], S.PLANNED, ["preadmitted::0"]),
    ("plan cancelled", [fact("A05", "08:00"), fact("A38", "08:30")], S.CANCELLED, []),
    ("planned and come", [fact("A05", "08:00"), ADMIT], S.IN_PROGRESS, ["preadmitted::0", "admitted::0"]),
    ("ED arrival", [fact("A04", "08:00", **{"class": "EMER"})], S.ARRIVED, ["arrived::0"]),
    ("clinic visit", [fact("A04", "08:00", **{"class": "AMB"})], S.IN_PROGRESS, ["arrived::0"]),
    (
        "ED arrival becomes an inpatient",
        [fact("A04", "08:00", **{"class": "EMER"}), fact("A06", "09:00", location=WARD, **{"class": "IMP"})],
        S.IN_PROGRESS,
        ["arrived::0", "class-changed:IMP:0", "admitted::0"],
    ),
    (
        "inpatient becomes an outpatient",
        [ADMIT, fact("A07", "10:00", **{"class": "AMB"})],
        S.IN_PROGRESS,
        ["admitted::0", "class-changed:AMB:0"],
    ),
    ("on leave", [ADMIT, fact("A21", "10:00")], S.ON_LEAVE, ["admitted::0", "leave-started::0"]),
    (
        "back from leave",
        [ADMIT, fact("A21", "10:00"), fact("A22", "12:00")],
        S.IN_PROGRESS,
        ["admitted::0", "leave-started::0", "leave-ended::0"],
    ),
    ("leave cancelled", [ADMIT, fact("A21", "10:00"), fact("A52", "10:30")], S.IN_PROGRESS, ["admitted::0"]),
    (
        "return cancelled",
        [ADMIT, fact("A21", "10:00"), fact("A22", "12:00"), fact("A53", "12:30")],
        S.ON_LEAVE,
        ["admitted::0", "leave-started::0"],
    ),
    (
        "discharged from leave",
        [ADMIT, fact("A21", "10:00"), LEAVE],
        S.FINISHED,
        ["admitted::0", "leave-started::0", "discharged::0"],
    ),
    ("expected home", [ADMIT, fact("A16", "10:00")], S.IN_PROGRESS, ["admitted::0", "discharge-expected::0"]),
    ("not expected any more", [ADMIT, fact("A16", "10:00"), fact("A25", "11:00")], S.IN_PROGRESS, ["admitted::0"]),
    ("deleted", [ADMIT, LEAVE, fact("A23", "16:00"), fact("A08", "17:00")], S.ENTERED_IN_ERROR, []),
]


@pytest.mark.parametrize(("facts", "status", "standing"), [story[1:] for story in STORIES], ids=[s[0] for s in STORIES])
def test_story(facts: list[StayFact], status: S, standing: list[str]) -> None:
    state = fold(facts)
    assert state.status == status
    assert [milestone.key for milestone in state.milestones] == standing


def test_the_source_corrects_times_and_disposition_afterwards() -> None:
    correction = fact("A08", "17:00", discharged_at=at("14:45"), disposition={"nubc": "03"}, admitted_at=at("08:50"))
    state = fold([ADMIT, LEAVE, correction])
    assert [(m.at, m.detail) for m in state.milestones] == [(at("08:50"), ""), (at("14:45"), "03")]


def test_reopening_drops_what_belonged_to_the_discharge() -> None:
    gone = fact("A03", "15:05", discharged_at=at("15:00"), disposition={"nubc": "01"}, discharged_to="HOME")
    assert set(fold([ADMIT, gone, REOPEN]).said) == {"class", "location"}


def test_a_null_end_does_not_reopen() -> None:
    state = fold([ADMIT, LEAVE, fact("A08", "17:00", discharged_at=None)])
    assert state.status == S.FINISHED


def test_a_cancelled_move_goes_back_to_where_it_came_from() -> None:
    assert fold([ADMIT, MOVE, fact("A12", "11:00")]).location == WARD


def test_what_was_never_opened_is_inferred_until_it_is() -> None:
    stub = fold([LEAVE])
    assert (stub.is_stub, stub.milestones[0].inferred) == (True, True)
    known = fold([ADMIT, LEAVE])
    assert (known.is_stub, [m.inferred for m in known.milestones]) == (False, [False, False])


def test_derived_milestones_say_so() -> None:
    state: EncounterState = fold([ADMIT, fact("A08", "10:00", location=ICU)])
    assert [m.derived for m in state.milestones] == [False, True]


def test_ties_are_broken_by_kind_of_trigger() -> None:
    same = "09:00"
    facts = [fact("A11", same), fact("A03", same), fact("A08", same), fact("A01", same)]
    assert fold(facts).status == S.CANCELLED
    assert fold(facts[1:]).status == S.FINISHED
