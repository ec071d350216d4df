"""Figures as the console shows them: words, months, bars."""

from typing import Any

from services.dashboard.quality import chart_of, lines, months_between, share_of, shares_by


def figure(month: str = "2026-03", **changed: Any) -> dict[str, Any]:
    told = {
        "measure": "TRC-3", "group": {"month": month, "facility": None}, "rate": 0.75, "numerator": 3, "denominator": 4,
        "pending": 2, "pending_met": 1, "excluded": {"died": 1, "admitted-again": 2}, "median": 4.0, "p90": 20.5, "unit": "days",
    }  # fmt: skip
    return told | changed


def test_months_run_over_the_years_end() -> None:
    assert months_between("2025-11-01", "2026-03-01") == ("2025-11", "2025-12", "2026-01", "2026-02")
    assert months_between("2026-03-01", "2026-03-01") == ()


def test_a_share_in_words() -> None:
    share = share_of(figure())
    assert (share.words, share.excluded, share.left_out) == ("75 %", 3, (("admitted again", 2), ("died", 1)))
    assert share.spread == "half within 4, nine of ten within 20.5 days"
    nobody = share_of(figure(rate=None, numerator=0, denominator=0, median=None, p90=None))
    assert (nobody.words, nobody.spread) == ("none", None)
    assert share_of(None).words == "none"


def test_what_should_not_be_is_shown_as_such_where_lower_is_better() -> None:
    months = ("2026-02", "2026-03")
    higher = chart_of([figure()], months, lower=False, size=(100.0, 40.0))
    lower = chart_of([figure()], months, lower=True, size=(100.0, 40.0))
    assert [bar.is_counted for bar in higher.bars] == [False, True]
    assert [(kind, tall) for kind, _, tall in higher.bars[1].parts] == [("taken", 30.0), ("trouble", 10.0)]
    assert [(kind, tall) for kind, _, tall in lower.bars[1].parts] == [("taken", 10.0), ("trouble", 30.0)]
    assert higher.bars[1].label == "2026-03: 3 of 4, 75 %"


def test_every_measure_has_its_line_also_one_that_counts_nobody() -> None:
    measures = [
        {"id": "TRC-3", "title": "Engagement", "family": "trc", "better": "higher"},
        {"id": "PCR", "title": "Readmissions", "family": "pcr", "better": "lower"},
    ]
    found = lines(measures, [figure()], [figure()], ("2026-03",))
    assert [(family, line.id, line.share.words) for family, held in found.items() for line in held] == [
        ("trc", "TRC-3", "75 %"),
        ("pcr", "PCR", "none"),
    ]
    assert [share.name for share in shares_by([figure()], "facility")] == ["(none)"]
