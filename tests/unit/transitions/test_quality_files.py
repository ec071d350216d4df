"""What a measure's file may say, and what a sheet and a report look like."""

from pathlib import Path

import pytest

from services.transitions.protocols import WrongProtocolError
from services.transitions.quality.figure import Figure
from services.transitions.quality.measures import SHIPPED, read_measures
from services.transitions.quality.report import measure_report
from services.transitions.quality.sheet import patients_sheet
from tests.unit.transitions.counted import MEASURES
from tests.unit.transitions.stays import at


def shipped(folder: Path, name: str, old: str, new: str) -> Path:
    for path in SHIPPED.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        assert path.name != name or old in text
        (folder / path.name).write_text(text.replace(old, new) if path.name == name else text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("fuh.yaml", "principal: [mental-illness]", "principal: [bad-mood]", "no value set"),
        ("fuh.yaml", "to_day: 30}", "to_day: 30, business_days: 2}", "exactly one of"),
        ("fuh.yaml", "care.followup.appointment-attended.v1", "care.followup.was-here.v1", "no such event"),
        ("tcm.yaml", "measure: TCM-VISIT-14", "measure: TCM-MEDREC", "own outcome"),
        ("tcm.yaml", "if_met: [TCM-VISIT-14", "if_met: [TCM-VISIT-99", "TCM-VISIT-99"),
        ("fmc.yaml", "id: FMC", "id: PCR", "stands there twice"),
        ("fmc.yaml", "until:", "unitl:", "Extra inputs"),
        ("fmc.yaml", "name: fmc", "name: [", "is not YAML"),
    ],
)
def test_a_file_that_can_not_be_used_is_refused(tmp_path: Path, name: str, old: str, new: str, said: str) -> None:
    with pytest.raises(WrongProtocolError, match=said):
        read_measures(shipped(tmp_path, name, old, new))


def test_another_number_is_another_edition(tmp_path: Path) -> None:
    other = read_measures(shipped(tmp_path, "fmc.yaml", "to_day: 7\n      after", "to_day: 6\n      after"))
    assert other.edition != MEASURES.edition
    assert read_measures().edition == MEASURES.edition


def test_a_sheet_is_no_formula_and_an_empty_report_has_no_score() -> None:
    item = dict.fromkeys(
        ("status", "patient_id", "transition_id", "about", "facility", "counted_on", "closes_at", "exclusion", "met",
         "met_at", "event_id", "value", "why", "version", "expected", "expected_by")
    )  # fmt: skip
    sheet = patients_sheet([{**item, "organisation": '=HYPERLINK("http://x")', "protocols": ["tcm-home", "copd"]}])
    assert "\"'=HYPERLINK" in sheet
    assert "tcm-home copd" in sheet
    days = (at("2026-01-01 00:00").date(), at("2027-01-01 00:00").date())
    report = measure_report(MEASURES.by_id["PCR"], Figure("PCR", {}), days, at("2026-12-01 00:00"))
    assert report["period"] == {"start": "2026-01-01", "end": "2026-12-31"}
    assert "measureScore" not in report["group"][0]
    pending = Figure("PCR", {}, pending=2, left_out={"died": 1})
    counts = measure_report(MEASURES.by_id["PCR"], pending, days, at("2026-12-01 00:00"))["group"][0]["population"]
    assert [one["count"] for one in counts] == [3, 1, 1, 0]
