"""Figures as the console shows them: words, months, bars."""

from datetime import UTC, datetime
from typing import Any

from services.dashboard.pages.page import make_templates
from services.dashboard.quality import chart_of, lines, months_between, share_of, shares_by
from services.dashboard.sight import Who, masked


def masked_one(patient: str) -> Who:
    return Who(patient, masked(patient))


ENVIRONMENT = make_templates().env
FRAME: dict[str, Any] = {
    "caller": None, "here": "/quality", "navigation": [], "csrf": "c", "once": "o", "notice": None, "watch": [],
    "now": datetime(2026, 11, 22, tzinfo=UTC), "kept": "?facility=LAKE", "facilities": [{"facility": "LAKE", "name": None}],
    "chosen": {"facility": "LAKE", "organisation": "", "protocol": "", "since": "", "until": ""},
}  # fmt: skip
TRC: dict[str, Any] = {
    "id": "TRC-3", "title": "Engagement", "family": "trc", "family_title": "Transitions of care", "better": "higher", "version": "1", "source": "HEDIS",
    "cannot_know": ["who was enrolled"],
}  # fmt: skip


EXPECTED = {
    "known": 8, "unknown": 2, "observed": 2, "count": 1.6, "observed_to_expected": 1.25, "incomplete": 3,
    "count_at_most": 4.0, "observed_to_expected_at_least": 0.5,
}  # fmt: skip


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
    assert share.spread == "half within 4 days, nine of ten within 20.5 days"
    early = share_of(figure(median=-58.94, p90=2.5, unit="hours"))
    assert early.spread == "half at least 58.94 hours early, nine of ten within 2.5 hours"
    nobody = share_of(figure(rate=None, numerator=0, denominator=0, median=None, p90=None))
    assert (nobody.words, nobody.spread) == ("none", None)
    assert share_of(None).words == "none"


def test_what_was_expected_in_words() -> None:
    told = EXPECTED
    share = share_of(figure(expected=told))
    words = "observed to expected 1.25 (2 to 1.6), 0.50 if all that 3 scores lack counted"
    assert (share.expected, share.ratio) == (f"{words}; 2 without a rate are counted apart", "1.25")
    assert share_of(figure(expected=told | {"incomplete": 0, "unknown": 0})).expected == words.split(",", 1)[0]
    nobody = share_of(figure(expected=told | {"observed_to_expected": None}))
    assert (nobody.expected, nobody.ratio) == ("no expected rate; 2 without a rate are counted apart", None)
    assert share_of(figure()).expected is None


def test_what_should_not_be_is_shown_as_such_where_lower_is_better() -> None:
    months = ("2026-02", "2026-03")
    higher = chart_of([figure()], months, lower=False, size=(100.0, 40.0))
    lower = chart_of([figure()], months, lower=True, size=(100.0, 40.0))
    assert [bar.is_counted for bar in higher.bars] == [False, True]
    assert [(kind, tall) for kind, _, tall in higher.bars[1].parts] == [("taken", 30.0), ("trouble", 10.0)]
    assert [(kind, tall) for kind, _, tall in lower.bars[1].parts] == [("taken", 10.0), ("trouble", 30.0)]
    assert higher.bars[1].label == "2026-03: 3 of 4, 75 %"


def test_every_measure_has_its_line_also_one_that_counts_nobody() -> None:
    measures: list[dict[str, Any]] = [
        TRC,
        {"id": "PCR", "title": "Readmissions", "family": "pcr", "family_title": "Readmissions", "better": "lower"},
    ]
    found = lines(measures, [figure()], [figure()], ("2026-03",))
    assert [(family, line.id, line.share.words) for family, held in found.items() for line in held] == [
        ("Transitions of care", "TRC-3", "75 %"),
        ("Readmissions", "PCR", "none"),
    ]
    assert [share.name for share in shares_by([figure()], "facility")] == ["(none)"]


def test_the_page_shows_rate_and_months_and_leads_to_the_measure() -> None:
    found = lines([TRC], [figure()], [figure()], ("2026-03",))
    said = {"lines": found, "months": ("2026-03",), "waiting": 1200, "away": None}
    page = ENVIRONMENT.get_template("quality.html").render({**FRAME, **said})
    for shown in (
        "75 %",
        "3 of 4",
        "1,200 changes",
        'href="/quality/TRC-3?facility=LAKE"',
        "2026-03: 3 of 4",
        "bar-trouble",
    ):
        assert shown in page, shown


def test_the_measures_page_shows_who_is_behind_it_to_those_who_may_know() -> None:
    person = {
        "about": "t", "transition_id": "t", "patient_id": "p1", "counted_on": "2026-03-06", "facility": "LAKE",
        "organisation": None, "why": "nothing that counts is known",
    }  # fmt: skip
    said = {
        "measure": TRC, "share": share_of(figure()), "months": ("2026-03",), "people": [person], "by_month": [],
        "chart": chart_of([figure()], ("2026-03",), lower=False, size=(720.0, 96.0)), "who": {"p1": masked_one("p1")},
        "sides": {"facility": shares_by([figure()], "facility")}, "statuses": ("missed", "met"), "listed": "missed",
        "links": {"missed": "/m", "met": "/n"}, "sheet": "/s", "more": "/quality/TRC-3?before=x", "may_read": True,
    }  # fmt: skip
    template = ENVIRONMENT.get_template("measure.html")
    page = template.render({**FRAME, **said})
    for shown in (
        "nothing that counts",
        "/transitions/t",
        "who was enrolled",
        "admitted again",
        "1 met so far",
        "Earlier",
    ):
        assert shown in page, shown
    assert "/transitions/t" not in template.render({**FRAME, **said, "may_read": False})
    table = {"name": "oak-contract", "version": "2026", "source": "Annex B", "organisations": ["oak"]}
    measured = {**TRC, "expected": [table, table | {"organisations": []}]}
    compared = share_of(figure(expected=EXPECTED))
    page = template.render({**FRAME, **said, "measure": measured, "share": compared, "by_month": [compared]})
    for shown in ("Observed to expected 1.25", "oak-contract 2026 (oak): Annex B", "O/E 1.25"):
        assert shown in page, shown
