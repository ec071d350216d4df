"""Risk as pages show it: a chip whose words say all, scores with what is missing, and what a form may add."""

from typing import Any

import pytest

from services.dashboard.risk import chip_of, input_lines, known_body, score_line, score_title, told_together
from shared.http import Problem

STEERS: dict[str, Any] = {"score": "lace", "points": 13, "band": "high", "priority": 1, "provisional": False}
LACE: dict[str, Any] = {
    "name": "lace", "version": "2010", "points": 13, "lowest": 13, "highest": 13, "band": "high", "expected": "19.8",
    "provisional": False, "missing": [], "parts": {"length": 5, "acute": 3, "comorbidity": 5, "emergency": 0},
}  # fmt: skip


def test_a_chip_says_score_version_points_and_band() -> None:
    chip = chip_of(STEERS, [LACE])
    assert chip is not None
    assert (chip.words, chip.kind) == ("LACE 13 high", "bad")
    assert chip.explained == "Risk of coming back, LACE 2010: 13 points, high"


@pytest.mark.parametrize(("priority", "kind"), [(1, "bad"), (2, "warn"), (3, "plain"), (9, "plain")])
def test_a_chip_is_coloured_by_what_it_steers_to(priority: int, kind: str) -> None:
    chip = chip_of(STEERS | {"priority": priority}, None)
    assert chip is not None
    assert chip.kind == kind


def test_a_provisional_score_says_so_and_no_score_has_no_chip() -> None:
    chip = chip_of(STEERS | {"provisional": True}, None)
    assert chip is not None
    assert chip.words == "LACE 13 high so far"
    assert chip.explained.endswith("13 points, high; provisional, it may still change")
    assert chip_of(None, [LACE]) is None


def test_a_score_shows_its_parts_and_how_far_it_may_move() -> None:
    whole = score_line(LACE)
    assert (whole.title, whole.version, whole.range, whole.expected) == ("LACE", "2010", "", "19.8 %")
    assert ("length of stay", "5") in whole.parts
    part = score_line(LACE | {"missing": ["acute"], "lowest": 10, "points": 10, "expected": None, "provisional": True})
    assert (part.range, part.expected, part.is_provisional) == ("10 to 13", "", True)
    assert ("acute admission", "missing") in part.parts
    assert score_line(LACE | {"parts": {"house-made": 2}}).parts == (("house made", "2"),)


def test_a_version_in_a_name_is_not_said_twice() -> None:
    assert score_title("hospital-2016", "2016") == "HOSPITAL"
    assert score_title("hospital-2013", "2016") == "HOSPITAL 2013"


def test_inputs_are_told_in_words() -> None:
    told = input_lines({"sodium": "131", "days": 8, "acute": True, "oncology": None, "diagnoses": [], "new_one": "x"})
    assert told == [
        ("Days in hospital", "8"),
        ("Acute admission", "yes"),
        ("Diagnoses", "none"),
        ("Sodium, mmol/L", "131"),
        ("Oncology service", "not known"),
        ("new one", "x"),
    ]


def test_a_form_adds_only_what_was_said() -> None:
    given = {"csrf": "x", "acute": "yes", "oncology": "", "procedure": "no", "haemoglobin": " 11,2 ", "sodium": ""}
    assert known_body(given) == {"acute": True, "procedure": False, "haemoglobin": "11.2"}


@pytest.mark.parametrize("given", [{}, {"sodium": " "}, {"acute": "perhaps"}, {"sodium": "low"}, {"sodium": "NaN"}])
def test_nothing_and_no_number_are_asked_for_again(given: dict[str, str]) -> None:
    with pytest.raises(Problem) as asked:
        known_body(given)
    assert asked.value.slug == "words-missing"


def test_scores_of_one_telling_stand_together() -> None:
    rows = [{"number": 3, "score": "hospital-2016"}, {"number": 3, "score": "lace"}, {"number": 1, "score": "lace"}]
    assert [[row["score"] for row in group] for group in told_together(rows)] == [["hospital-2016", "lace"], ["lace"]]
