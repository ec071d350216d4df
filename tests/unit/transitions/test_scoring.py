"""Scores of stays that are followed: their inputs, when they change, what they steer, and what they never decide."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.transitions.episodes import Bed
from services.transitions.followed import Followed, PatientCase
from services.transitions.protocols import Library, read_draft, read_protocols
from services.transitions.risk.inputs import Background, Result, days_of, inputs_of, months_before, recount_at
from services.transitions.risk.rules import RiskRules, WrongRiskRulesError, read_rules
from services.transitions.risk.scores import Inputs, Score, lace
from services.transitions.risk.scoring import read_scoring
from services.transitions.risk.weighing import result_in
from services.transitions.transition import settle
from shared.events.followups import ObservationRecorded
from shared.events.people import EncounterClass
from shared.events.transitions import RiskScored, TransitionChanged
from tests.unit.transitions import stays
from tests.unit.transitions.stays import CHICAGO, NEW_YORK, PROTOCOLS, StayTold, Ward, at, follow_up

RULES = read_rules()
CAME, LEFT = "2026-03-02 09:15-06:00", "2026-03-06 15:00-06:00"


def scored(ward: Ward) -> list[RiskScored]:
    return [draft.fact for draft in ward.said if isinstance(draft.fact, RiskScored)]


def inputs(followed: Followed, *others: Bed, behind: Background | None = None) -> Inputs:
    behind = behind or Background()
    is_over = followed.is_discharged
    return inputs_of(followed.transition, is_over=is_over, others=others, behind=behind, rules=RULES.inputs)


def bed(came: str, left: str | None, of: EncounterClass = EncounterClass.INPATIENT, nubc: str = "01") -> Bed:
    """Another stay, in New York where a transfer comes from."""
    stay = StayTold(encounter_class=of, facility=CHICAGO if nubc == "01" else NEW_YORK)
    told = stay.admit(came) if left is None else stay.discharge(left, nubc, admitted_at=at(came))
    return Bed.of(Ward().hear(told).of(stay).transition)


def stayed(**more: object) -> Followed:
    stay = StayTold(diagnoses=("I50.9",))
    stay.state |= more
    return Ward().hear(stay.admit(CAME), stay.discharge(LEFT)).of(stay)


def test_the_specimen_stay_has_its_length_and_its_score() -> None:
    """The specimen messages: four days, emergency, heart failure: 4 + 3 + 2 = 9."""
    found = stayed(admission_type="E")
    assert (inputs(found).days, inputs(found).acute) == (4, True)
    risk = found.transition.risk
    assert risk is not None
    assert (risk.score, risk.points, risk.band, risk.priority, risk.provisional) == ("lace", 9, "moderate", 2, False)


@pytest.mark.parametrize(("code", "acute"), [("A", True), ("E", True), ("U", True), ("C", False), ("R", False)])
def test_the_type_of_admission_says_whether_it_was_acute(code: str, *, acute: bool) -> None:
    assert inputs(stayed(admission_type=code)).acute is acute
    assert inputs(stayed(admission_type=None)).acute is None
    assert inputs(stayed(admission_type="X")).acute is None


@pytest.mark.parametrize(
    ("came", "left", "counts"),
    [
        ("2025-09-02 09:15-06:00", "2025-09-02 12:00-06:00", 1),  # six months to the day
        ("2025-09-01 09:15-06:00", "2025-09-01 12:00-06:00", 0),
        ("2026-03-01 20:00-06:00", "2026-03-01 21:14-06:00", 1),  # ended more than 12 hours before
        ("2026-03-01 20:00-06:00", "2026-03-01 21:15-06:00", 0),  # the visit that led to the stay
        ("2026-03-02 06:00-06:00", "2026-03-02 09:15-06:00", 0),
        ("2026-03-07 06:00-06:00", None, 0),  # after it
    ],
)
def test_emergency_visits_of_six_months_but_not_the_one_that_led_to_the_stay(
    came: str, left: str | None, counts: int
) -> None:
    assert inputs(stayed(), bed(came, left, EncounterClass.EMERGENCY)).visits == counts


@pytest.mark.parametrize(
    ("came", "left", "nubc", "counts"),
    [
        ("2025-03-02 09:15-06:00", "2025-03-05 12:00-06:00", "01", 1),  # twelve months to the day
        ("2025-03-01 09:15-06:00", "2025-03-05 12:00-06:00", "01", 0),
        ("2026-02-20 09:15-06:00", "2026-03-02 08:00-06:00", "02", 0),  # transferred into this stay
        ("2026-02-20 09:15-06:00", "2026-02-27 08:00-06:00", "02", 1),  # transferred elsewhere
    ],
)
def test_admissions_of_twelve_months_a_transfer_being_one_stay(came: str, left: str, nubc: str, counts: int) -> None:
    earlier = bed(came, left, nubc=nubc)
    assert inputs(stayed(), earlier).admissions == counts


def test_observation_and_emergency_are_no_admissions() -> None:
    classes = (EncounterClass.EMERGENCY, EncounterClass.OBSERVATION, EncounterClass.SHORT_STAY)
    others = [bed("2026-01-02 09:15-06:00", "2026-01-03 09:15-06:00", of) for of in classes]
    assert inputs(stayed(), *others).admissions == 0


@pytest.mark.parametrize(
    ("day", "months", "before"),
    [
        (date(2026, 3, 2), 6, date(2025, 9, 2)),
        (date(2026, 8, 31), 6, date(2026, 2, 28)),
        (date(2024, 8, 31), 6, date(2024, 2, 29)),
        (date(2026, 1, 15), 12, date(2025, 1, 15)),
        (date(2026, 12, 31), 1, date(2026, 11, 30)),
    ],
)
def test_months_back_end_on_the_last_day_there_is(day: date, months: int, before: date) -> None:
    assert months_before(day, months) == before


def test_the_last_value_of_the_stay_counts() -> None:
    results = (
        Result("haemoglobin", at("2026-03-01 06:00-06:00"), Decimal(8)),  # before the stay
        Result("haemoglobin", at("2026-03-03 06:00-06:00"), Decimal(11)),
        Result("haemoglobin", at("2026-03-06 06:00-06:00"), Decimal("12.1")),
        Result("haemoglobin", at("2026-03-06 15:01-06:00"), Decimal(7)),  # after the discharge
        Result("sodium", at("2026-03-06 15:00-06:00"), Decimal(134)),
    )
    found = inputs(stayed(), behind=Background(results=results))
    assert (found.haemoglobin, found.sodium) == (Decimal("12.1"), Decimal(134))


def test_peoples_word_counts_before_what_was_derived() -> None:
    stay = stayed(admission_type="C", hospital_service="ONC")
    assert (inputs(stay).acute, inputs(stay).oncology) == (False, True)
    said = {stay.transition.id: {"acute": True, "oncology": False, "sodium": "133"}}
    found = inputs(stay, behind=Background(said=said))
    assert (found.acute, found.oncology, found.sodium) == (True, False, Decimal(133))


def test_a_stay_that_goes_on_counts_its_days_so_far_and_when_to_count_again() -> None:
    stay = StayTold()
    found = Ward().hear(stay.admit("2026-03-02 23:30-06:00")).of(stay).transition
    assert days_of(found, None) is None
    for now, days, again in [
        ("2026-03-02 23:59-06:00", 0, "2026-03-03 00:00-06:00"),
        ("2026-03-03 00:00-06:00", 1, "2026-03-04 00:00-06:00"),
        ("2026-03-07 12:00-06:00", 5, "2026-03-09 00:00-05:00"),  # the clocks went forward on the 8th
        ("2026-03-09 00:00-05:00", 7, "2026-03-16 00:00-05:00"),
    ]:
        assert (days_of(found, at(now)), recount_at(found, at(now), RULES.inputs)) == (days, at(again))
    assert recount_at(found, at("2026-03-16 00:00-05:00"), RULES.inputs) is None


def weighed(stay: Followed, behind: Background) -> Followed:
    key = stay.transition.encounter_id
    case = settle(PatientCase("p1", {key: stay}, behind=behind), stays.library())
    assert settle(case, stays.library()) == case
    return case.followed[key]


def test_a_stay_grows_into_a_higher_band_and_is_provisional_until_it_ends() -> None:
    stay = StayTold(diagnoses=("I50.9", "J44.1"))
    stay.state |= {"admission_type": "E"}
    running = Ward().hear(stay.admit(CAME)).of(stay)
    risks = []
    for days in (0, 2, 7):
        risk = weighed(running, Background(now=at(CAME) + timedelta(days=days))).transition.risk
        assert risk is not None
        risks.append((risk.points, risk.band, risk.provisional))
    assert risks == [(8, "moderate", True), (10, "high", True), (13, "high", True)]


def test_what_changes_no_score_is_not_said_again() -> None:
    stay = StayTold(diagnoses=("I50.9",))
    ward = Ward().hear(stay.admit(CAME), stay.transfer("2026-03-03 10:00-06:00"))
    assert len(scored(ward)) == 1
    ward.hear(stay.correct("2026-03-03 11:00-06:00", admission_type="E"))
    assert [s.points for s in scored(ward)[-1].scores if s.name == "lace"] == [5]
    ward.hear(stay.correct("2026-03-03 12:00-06:00", admission_type="E"), stay.discharge(LEFT))
    assert len(scored(ward)) == 3
    [told] = [s for s in scored(ward)[-1].scores if s.name == "lace"]
    assert (told.points, told.provisional, told.missing) == (9, False, ())
    assert dict(scored(ward)[-1].inputs)["diagnoses"] == ("I50.9",)


def test_a_score_alone_is_told_by_itself() -> None:
    stay = stayed(admission_type="E")
    before = weighed(stay, Background())
    results = (Result("sodium", at(LEFT), Decimal(130)),)
    after = weighed(before, Background(results=results))
    assert before.transition.risk == after.transition.risk
    assert [s.points for s in after.weighed.scores] != [s.points for s in before.weighed.scores]
    ward = Ward()
    ward.cases["p1"] = PatientCase("p1", {after.transition.encounter_id: before}, behind=Background(results=results))
    told = StayTold(id=after.transition.encounter_id, version=9, diagnoses=("I50.9",))
    told.state |= {"admission_type": "E", "admitted_at": at(CAME)}
    ward.hear(told.discharge(LEFT))
    assert [type(d.fact) for d in ward.said] == [RiskScored]
    assert ward.of(told).transition.version == before.transition.version + 1


@pytest.mark.parametrize(
    ("nubc", "scores"),
    [
        ("01", {"lace", "hospital-2016", "hospital-2013"}),
        ("02", {"lace"}),
        ("82", {"lace"}),
        ("07", {"lace"}),
        ("20", set()),
    ],
)
def test_scores_are_not_computed_for_whom_their_cohort_left_out(nubc: str, scores: set[str]) -> None:
    stay = StayTold()
    found = Ward().hear(stay.admit(CAME), stay.discharge(LEFT, nubc)).of(stay)
    assert {score.name for score in found.weighed.scores} == scores
    assert (found.transition.risk is None) == (not scores)


def test_emergency_visits_are_not_scored() -> None:
    visit = StayTold(encounter_class=EncounterClass.EMERGENCY)
    assert Ward().hear(visit.arrive(CAME)).of(visit).transition.risk is None


DRAFT = """
name: close-watch
version: "1"
title: For those at high risk
source: test
applies: {trigger: discharge, risks: [high]}
tasks:
  - {code: close-watch, title: Look again, owner_role: care-manager, due: {calendar_days: 1}, source: test}
"""


def test_a_protocol_may_ask_for_a_band_and_gives_way_when_it_is_another() -> None:
    draft = read_draft("close-watch.yaml", DRAFT, stays.library())
    ward = Ward(Library([*read_protocols(PROTOCOLS), draft]))
    stay = StayTold(diagnoses=("I50.9", "J44.1"))
    ward.hear(stay.admit(CAME), stay.discharge(LEFT))
    assert "close-watch" not in {o.task.code for o in ward.of(stay).tasks}  # 4 + 5: 9, acute not known
    ward.hear(stay.correct("2026-03-06 16:00-06:00", admission_type="E"))
    assert ward.task(stay, "close-watch").is_live
    ward.hear(stay.correct("2026-03-06 17:00-06:00", admission_type="C"))
    assert not ward.task(stay, "close-watch").is_live
    told = [d.fact for d in ward.said if isinstance(d.fact, TransitionChanged)]
    assert {p.name for p in told[-1].transition.protocols} == {"tcm-home", "heart-failure", "copd", "early-visit"}


def test_what_is_asked_of_everybody_depends_on_no_score() -> None:
    """Scores steer the order: whoever is to be told or called is, at any risk."""
    asked = []
    for kind in ("C", "E", None):
        stay = StayTold()
        stay.state |= {"admission_type": kind}
        ward = Ward().hear(stay.admit(CAME), stay.discharge(LEFT))
        asked.append({(o.task.code, o.task.due_at) for o in ward.of(stay).tasks})
    assert asked[0] == asked[1] == asked[2]


def twice_lace(told: Inputs) -> Score:
    found = lace(told)
    return replace(found, name="own", points=found.points * 2)


def test_another_score_is_plugged_in_by_name() -> None:
    scoring = read_scoring([f"own={__name__}:twice_lace"])
    stay = StayTold(diagnoses=("I50.9",))
    ward = Ward(Library(read_protocols(PROTOCOLS), scoring=scoring))
    ward.hear(stay.admit(CAME), stay.discharge(LEFT))
    points = {score.name: score.points for score in ward.of(stay).weighed.scores}
    assert points["own"] == 2 * points["lace"]


@pytest.mark.parametrize(
    "entry", ["own", "own=no.such.module:score", "own=json:no_such", "own=json:decoder.x", "=json:loads"]
)
def test_a_score_that_cannot_be_had_is_told(entry: str) -> None:
    with pytest.raises(WrongRiskRulesError):
        read_scoring([entry])


def test_rules_that_steer_by_no_score_are_told(tmp_path: Path) -> None:
    told = RULES.model_dump(mode="json") | {"scores": ["hospital-2016"]}
    path = tmp_path / "rules.yaml"
    path.write_text(str(told).replace("None", "null"))
    with pytest.raises(WrongRiskRulesError, match=r"rules\.yaml"):
        read_rules(path)
    assert isinstance(RULES, RiskRules)


def result(
    value: str | None, unit: str | None = "g/dL", status: str = "F", code: str = "718-7"
) -> Decimal | str | None:
    said: dict[str, Any] = {"code": code, "value": value and Decimal(value), "unit": unit, "status": status}
    row = result_in(follow_up(ObservationRecorded, LEFT, **said), RULES.laboratory, "p1")
    return "nothing" if row is None else "withdrawn" if row[5] else row[4]


def test_laboratory_values_are_converted_and_only_final_ones_kept() -> None:
    assert result("10.8") == Decimal("10.8")
    assert result("108", "g/L") == Decimal("10.8")
    assert result("7", "mmol/L") == Decimal("11.2798")
    assert result("135", "mmol/L", code="2951-2") == result("135", "meq/L", code="2951-2") == Decimal(135)
    assert result("10.8", "stone") is None
    assert result("0.9") is None
    assert result("31") is None
    assert result(None) is None
    assert result("10.8", status="P") == "nothing"
    assert result("10.8", status="D") == "withdrawn"
    assert result("10.8", code="6690-2") == "nothing"


def test_times_are_those_of_the_sample() -> None:
    taken = datetime(2026, 3, 5, 6, tzinfo=UTC)
    told = follow_up(ObservationRecorded, LEFT, code="718-7", value=Decimal(11), unit="g/dL", observed_at=taken)
    row = result_in(told, RULES.laboratory, "p1")
    assert row is not None
    assert row[3] == taken
