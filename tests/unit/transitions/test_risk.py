"""LACE and HOSPITAL on the published vectors and at every boundary."""

from decimal import Decimal

import pytest

from services.transitions.risk.scores import Inputs, comorbidities, hospital, hospital_2013, lace

CVD, CHF, DM, COPD, METASTATIC = "I63.9", "I50.9", "E11.9", "J44.1", "C78.0"


@pytest.mark.parametrize(
    ("days", "acute", "diagnoses", "visits", "points", "band", "expected"),
    [
        (0, False, (), 0, 0, "low", "2.0"),
        (2, False, (CVD,), 0, 3, "low", "3.5"),
        (4, True, (CHF,), 0, 9, "moderate", "10.3"),
        (5, True, (CHF, DM), 2, 12, "high", "17.0"),
        (5, True, (COPD, CHF), 2, 14, "high", "23.0"),
        (6, False, (), 0, 4, "low", "4.3"),
        (7, False, (), 0, 5, "moderate", "5.1"),
        (13, False, (), 0, 5, "moderate", "5.1"),
        (14, False, (), 0, 7, "moderate", "7.3"),
        (20, True, (METASTATIC,), 9, 19, "high", "43.7"),
    ],
)
def test_lace(
    days: int,
    acute: bool,  # noqa: FBT001
    diagnoses: tuple[str, ...],
    visits: int,
    points: int,
    band: str,
    expected: str,
) -> None:
    score = lace(Inputs(days=days, is_over=True, acute=acute, diagnoses=diagnoses, visits=visits))
    assert (score.points, score.band, score.expected) == (points, band, Decimal(expected))
    assert not score.provisional


ALL_LOW = {"haemoglobin": Decimal(12), "sodium": Decimal(135), "oncology": False, "procedure": False, "acute": False}


@pytest.mark.parametrize(
    ("told", "points", "band"),
    [
        (
            {"haemoglobin": Decimal("10.8"), "sodium": Decimal(133), "acute": True, "admissions": 3, "days": 6},
            7,
            "high",
        ),
        ({"admissions": 0, "days": 4}, 0, "low"),
        ({"admissions": 1, "days": 5}, 2, "low"),
        ({"acute": True, "admissions": 2, "days": 5}, 5, "intermediate"),
        ({"admissions": 5, "days": 0}, 2, "low"),
        ({"admissions": 6, "days": 0}, 5, "intermediate"),
        (
            {"oncology": True, "haemoglobin": Decimal(9), "sodium": Decimal(130), "procedure": True, "acute": True}
            | {"admissions": 6, "days": 10},
            13,
            "high",
        ),
    ],
)
def test_hospital_2016(told: dict[str, object], points: int, band: str) -> None:
    score = hospital(Inputs(is_over=True, **(ALL_LOW | told)))  # type: ignore[arg-type]  # fields of Inputs
    assert (score.points, score.band) == (points, band)


def test_the_versions_differ_in_admissions() -> None:
    told = Inputs(is_over=True, admissions=1, days=5)
    assert (hospital(told).points, hospital_2013(told).points) == (2, 4)


def test_what_is_missing_makes_it_provisional_with_its_range() -> None:
    score = hospital(Inputs(is_over=True, admissions=0, days=5, acute=True))
    assert (score.points, score.lowest, score.highest, score.provisional) == (3, 3, 8, True)
    assert score.missing == ("haemoglobin", "oncology", "sodium", "procedure")
    assert lace(Inputs(days=3, is_over=False, acute=True, visits=0)).provisional


def test_only_the_severe_one_of_a_pair_counts() -> None:
    assert comorbidities([DM, "E11.22"]) == {"diabetes-end-organ"}
    assert comorbidities(["C50.9", METASTATIC]) == {"metastatic"}
    assert comorbidities(["N18.3", "N18.6"]) == {"severe-liver-renal"}


@pytest.mark.parametrize(
    ("code", "named"),
    [("C43.9", {"tumour"}), ("C44.31", set()), ("C4A.9", {"tumour"}), ("C45.0", {"tumour"}), ("C61", {"tumour"})],
)
def test_a_malignant_neoplasm_of_skin_that_is_no_melanoma_is_no_comorbidity(code: str, named: set[str]) -> None:
    assert comorbidities([code]) == named
