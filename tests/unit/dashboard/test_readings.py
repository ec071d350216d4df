"""Readings beside their limits: what is drawn where, what counts as broken, which limits a form sets."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.dashboard.readings import (
    HEIGHT,
    WIDTH,
    broken_by,
    chart_of,
    limit_words,
    own_limits,
    own_values,
    trend_words,
    usual_values,
)
from shared.http import Problem

START = datetime(2026, 3, 6, 18, 0, tzinfo=UTC)
LOW = {"rule": "low", "below": "92", "above": None, "at_least": None, "severity": "advisory"}
VERY_LOW = {"rule": "very-low", "below": "88", "above": None, "at_least": None, "severity": "urgent"}
FEVER = {"rule": "fever", "below": None, "above": None, "at_least": "38", "severity": "advisory"}
HIGH = {"rule": "high", "below": None, "above": "100", "at_least": None, "severity": "advisory"}
OXYGEN: dict[str, Any] = {
    "title": "Oxygen saturation", "unit": "%", "limits": [LOW, VERY_LOW], "trends": [], "is_own": False,
    "usual": {"": [LOW, VERY_LOW], "copd": [VERY_LOW]},
}  # fmt: skip


def reading(value: float | None, hours: float, quality: str = "good", signal: str = "oxygen") -> dict[str, Any]:
    at = (START + timedelta(hours=hours)).isoformat()
    return {"signal": signal, "at": at, "value": value, "quality": quality, "said": str(value), "unit": "%"}


@pytest.mark.parametrize(
    ("value", "limits", "kind"),
    [
        (92, [LOW, VERY_LOW], "good"),
        (91.9, [LOW, VERY_LOW], "advisory"),
        (88, [LOW, VERY_LOW], "advisory"),
        (87.9, [LOW, VERY_LOW], "urgent"),
        (37.9, [FEVER], "good"),
        (38, [FEVER], "advisory"),
        (100, [HIGH], "good"),
        (100.1, [HIGH], "advisory"),
        (5, [], "good"),
    ],
)
def test_the_severest_limit_broken_counts(value: float, limits: list[dict[str, Any]], kind: str) -> None:
    assert broken_by(value, limits) == kind


def test_points_stand_between_the_edges_in_the_order_of_time() -> None:
    told = [
        reading(95, 0),
        reading(87, 12),
        reading(93, 24),
        reading(8, 13, "implausible"),
        reading(70, 1, signal="hr"),
    ]
    chart = chart_of("oxygen", OXYGEN, told, "America/Chicago")
    assert [point.kind for point in chart.points] == ["good", "urgent", "good"]
    assert [point.x for point in chart.points] == [6, WIDTH / 2, WIDTH - 6]
    assert all(0 < y < HEIGHT for y in (*(p.y for p in chart.points), *(b.y for b in chart.bounds)))
    # Up is more: the lowest reading stands lowest, the urgent limit below the advisory one.
    assert chart.points[1].y > chart.bounds[1].y > chart.bounds[0].y > chart.points[0].y
    assert (chart.latest, chart.span, chart.doubtful) == ("93 %", "87 to 95 %", 1)
    assert chart.points[1].words == "87 %, Sat 7 Mar 2026, 00:00 CST: urgent"


def test_a_signal_without_readings_still_shows_its_limits() -> None:
    chart = chart_of("oxygen", OXYGEN, [], "UTC")
    assert (chart.line, chart.latest, len(chart.bounds)) == ("", "no reading", 2)
    bare = chart_of("oxygen", OXYGEN | {"limits": []}, [reading(95, 0)], "UTC")
    assert [(point.x, point.y) for point in bare.points] == [(WIDTH / 2, HEIGHT / 2)]
    assert limit_words(FEVER) == "advisory from 38"


def test_a_form_sets_the_patients_own_limits_and_keeps_the_trends_and_the_other_usual_limits() -> None:
    trends = [{"rule": "gain"}]
    given = {"oxygen:urgent-below": "86,5", "oxygen:advisory-above": " ", "weight:urgent-above": "200"}
    own = own_limits(OXYGEN | {"trends": trends}, given, "oxygen", "ann")
    assert own == {
        "limits": [
            {"rule": "own-very-low", "below": "86.5", "severity": "urgent", "telehealth": True,
             "source": "set for this patient by ann"},
            LOW,
        ],
        "trends": trends,
    }  # fmt: skip
    copd = own_limits(OXYGEN, given | {"variant": "copd", "oxygen:advisory-below": "90"}, "oxygen", "ann")
    assert copd is not None
    assert [one["rule"] for one in copd["limits"]] == ["own-very-low", "own-low"]
    assert own_limits(OXYGEN, {}, "oxygen", "ann") is None
    for wrong in ("low", "inf", "nan"):
        with pytest.raises(Problem) as refused:
            own_limits(OXYGEN, {"oxygen:urgent-below": wrong}, "oxygen", "ann")
        assert refused.value.status == 422
    shown = own_values(OXYGEN | {"is_own": True, "limits": own["limits"]})
    assert shown == {"urgent-below": "86.5"}
    assert own_values(OXYGEN) == {}
    assert usual_values(OXYGEN, "") == {"advisory-below": "92", "urgent-below": "88"}
    assert usual_values(OXYGEN | {"usual": {"": [FEVER]}}, "") == {"advisory-above": "38"}


@pytest.mark.parametrize(
    ("trend", "words"),
    [
        ({"change": "rise", "over": "2", "days": 1, "severity": "advisory"}, "advisory: rise of more than 2 lb in 1 day"),
        ({"change": "fall", "over": None, "at_least": "2.5", "days": 2, "severity": "urgent"},
         "urgent: fall of 2.5 lb or more in 2 days"),
    ],
)  # fmt: skip
def test_a_trend_is_said_in_words(trend: dict[str, Any], words: str) -> None:
    assert trend_words(trend, "lb") == words
