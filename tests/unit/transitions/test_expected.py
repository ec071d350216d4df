"""Expected rates: which table and row holds for a stay, what stays without a rate, and what a file may say."""

from pathlib import Path

import pytest

from services.transitions.protocols import WrongProtocolError
from services.transitions.quality.expected import IndexStay, read_expected
from services.transitions.quality.figure import Expectation, Figure
from services.transitions.quality.measures import read_measures
from services.transitions.quality.report import measure_report
from services.transitions.quality.sheet import figures_sheet
from services.transitions.risk.scores import rules
from shared.events.people import EncounterClass
from shared.events.transitions import RiskScore
from tests.unit.transitions.counted import MEASURES, ends_as, home
from tests.unit.transitions.stays import at

OWN = """
tables:
  - {name: house, version: "1", source: own, measures: [PCR], rows: [{percent: 9}]}
  - name: oak
    version: "2026"
    source: contract
    measures: [PCR]
    organisations: [oak]
    rows:
      - {min_age: 65, principal: [I50], percent: 21.5}
      - {max_age: 64, classes: [OBSENC], percent: 3}
"""


def score(points: int, highest: int | None = None, name: str = "hospital-2016") -> RiskScore:
    return RiskScore(
        name=name, version="2016", points=points, lowest=points, highest=highest or points, band="", provisional=False
    )


def stay(
    *scores: RiskScore,
    organisation: str | None = None,
    age: int | None = 70,
    principal: str | None = "I509",
    as_class: EncounterClass = EncounterClass.INPATIENT,
) -> IndexStay:
    return IndexStay(organisation=organisation, encounter_class=as_class, principal=principal, age=age, scores=scores)


@pytest.mark.parametrize(
    ("points", "highest", "rate", "most"),
    [(0, 0, 0.058, 0.058), (4, 4, 0.058, 0.058), (4, 5, 0.058, 0.119), (5, 6, 0.119, 0.119), (6, 7, 0.119, 0.228),
     (7, 7, 0.228, 0.228), (13, 13, 0.228, 0.228), (0, 13, 0.058, 0.228)],
)  # fmt: skip
def test_the_class_of_the_score_says_the_rate(points: int, highest: int, rate: float, most: float) -> None:
    found = read_expected().expects("PCR", stay(score(points, highest)))
    assert found is not None
    assert (found.rate, found.most) == pytest.approx((rate, most))
    assert found.by == "hospital-2016-classes 2026.1"


def test_the_shipped_rates_are_those_that_the_score_itself_shows() -> None:
    observed = rules()["hospital"]["observed"]["2016"]
    rates = read_expected()
    for points, band in ((4, "low"), (5, "intermediate"), (7, "high")):
        found = rates.expects("PCR", stay(score(points)))
        assert found is not None
        assert 100 * found.rate == pytest.approx(float(observed[band]))


def test_who_has_no_such_score_or_is_of_another_measure_has_no_rate() -> None:
    rates = read_expected()
    assert rates.expects("PCR", stay()) is None
    assert rates.expects("PCR", stay(score(9, name="lace"))) is None
    assert rates.expects("TRC-1", stay(score(9))) is None
    assert rates.expects("PCR", stay(score(14))) is None


def test_an_organisations_own_table_comes_first_and_its_gaps_stay(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN, encoding="utf-8")
    rates = read_expected(tmp_path / "own.yaml")

    def rate(told: IndexStay, measure: str = "PCR") -> float | None:
        found = rates.expects(measure, told)
        return found.rate if found else None

    assert rate(stay(score(9), organisation="oak")) == pytest.approx(0.215)
    assert rate(stay(organisation="oak", age=65)) == pytest.approx(0.215)
    assert rate(stay(organisation="oak", age=64, as_class=EncounterClass.OBSERVATION)) == pytest.approx(0.03)
    for gap in (stay(score(9), organisation="oak", age=64), stay(organisation="oak", age=None),
                stay(organisation="oak", principal=None)):  # fmt: skip
        assert rate(gap) is None
    assert rate(stay(score(9), organisation="elm")) == pytest.approx(0.09)
    assert rate(stay(score(9), organisation="oak"), "READMISSION-30") == pytest.approx(0.228)
    own = read_measures(expected=tmp_path / "own.yaml")
    assert own.edition != MEASURES.edition
    assert [table.name for table in own.expected.of("PCR")] == ["oak", "house", "hospital-2016-classes"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("measures: [PCR], rows", "measures: [TASKS-IN-TIME], rows", "no measure of stays is named TASKS-IN-TIME"),
        ("{percent: 9}", "{percent: 101}", "less than or equal to 100"),
        ("{percent: 9}", "{percent: 9, points: [1, 2]}", "where the table names their score"),
        ("rows: [{percent: 9}]", "score: lace, rows: [{percent: 9}]", "where the table names their score"),
        ("source: own", "source: ''", "at least 1 character"),
        ('version: "1"', 'version: "1", weather: 1', "Extra inputs"),
        ("tables:", "tables: [", "can't be read"),
    ],
)  # fmt: skip
def test_a_file_that_can_not_be_used_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in OWN
    (tmp_path / "own.yaml").write_text(OWN.replace(old, new), encoding="utf-8")
    with pytest.raises(WrongProtocolError, match=said):
        read_measures(expected=tmp_path / "own.yaml")
    with pytest.raises(WrongProtocolError, match="can't be read"):
        read_expected(tmp_path / "none.yaml")


def test_a_stay_that_is_left_out_expects_nothing() -> None:
    book = home("class=IMP; born=1950-02-14; diagnoses=O80")
    assert "excluded" in ends_as(book, "PCR")
    outcome = book.outcome("PCR")
    assert outcome is not None
    assert outcome.expected is None


def test_sheet_and_report_say_the_ratio_and_who_is_apart() -> None:
    told = Expectation(known=8, observed=2, count=1.6, most=4.0, incomplete=3)
    figure = Figure("PCR", {}, denominator=10, numerator=3, expectation=told)
    assert told.ratio == pytest.approx(1.25)
    assert told.least_ratio == pytest.approx(0.5)
    assert Expectation().ratio is None
    head, line = figures_sheet(MEASURES, [figure], ()).splitlines()
    assert head.endswith("expected_known,expected_unknown,observed,expected,observed_to_expected,expected_at_most")
    assert line.endswith("8,2,2,1.6000,1.2500,4.0000")
    assert figures_sheet(MEASURES, [Figure("TRC-1", {})], ()).splitlines()[1].endswith(",,,,,,")
    days = (at("2026-01-01 00:00").date(), at("2027-01-01 00:00").date())
    by_month = Figure("PCR", {"month": "2026-03"}, denominator=10, numerator=3, expectation=told)
    report = measure_report(
        MEASURES.by_id["PCR"], figure, days, at("2026-12-01 00:00"), strata=[by_month], expects=True
    )
    rate, ratio = report["group"]
    assert (rate["measureScore"]["value"], ratio["measureScore"]["value"]) == (0.3, 1.25)
    assert [one["count"] for one in ratio["population"]] == [10, 8, 2]
    assert ratio["extension"] == [{"url": "urn:handoff:expected-count", "valueDecimal": 1.6}]
    [stratum] = ratio["stratifier"][0]["stratum"]
    assert (stratum["value"]["text"], stratum["measureScore"]["value"]) == ("2026-03", 1.25)
