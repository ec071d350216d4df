from datetime import UTC, datetime, timedelta
from typing import Any

from services.dashboard.charts import census_back, line_of, stacked_bars
from services.dashboard.feeds import health_of, kind_of
from services.dashboard.gauges import WardLine, ward_lines
from services.dashboard.weeks import week_chart, week_charts

NOW = datetime(2026, 3, 6, 18, 30, 20, tzinfo=UTC)


def test_bars_stand_on_the_ground_and_stack_in_order() -> None:
    chart = stacked_bars([("a", {"taken": 3, "trouble": 1}), ("b", {}), ("c", None)], ("taken", "trouble"), 30, 40)
    assert chart.top == 4
    assert [bar.parts for bar in chart.bars] == [(("taken", 10, 30), ("trouble", 0, 10)), (), ()]
    assert [bar.is_counted for bar in chart.bars] == [True, True, False]
    assert [bar.x for bar in chart.bars] == [0, 10, 20]


def test_no_bars_and_silence_have_no_top() -> None:
    assert stacked_bars([], ("taken",)).top == 0
    assert stacked_bars([("a", {})], ("taken",)).bars[0].parts == ()


def test_a_line_keeps_a_tenth_above_and_below() -> None:
    line = line_of([10, 20], 100, 100)
    assert line.line == "M0.00,90.00 L100.00,10.00"
    assert (line.low, line.high, line.last) == (10, 20, 20)
    assert line_of([5, 5, 5], 100, 100).line == "M0.00,50.00 L50.00,50.00 L100.00,50.00"
    assert line_of([]).line == ""


def test_the_census_is_counted_back_from_who_came_and_went() -> None:
    hour = NOW.replace(minute=0, second=0)
    moves = [{"hour": hour, "came": 3, "went": 1}, {"hour": hour - timedelta(hours=2), "came": 0, "went": 4}]
    assert census_back(NOW, 10, moves, 3) == [12, 8, 8, 10]


def minute(back: int, *counts: tuple[str, str, int]) -> dict[str, Any]:
    at = NOW.replace(second=0) - timedelta(minutes=back)
    listed = [{"trigger": trigger, "outcome": outcome, "count": count} for trigger, outcome, count in counts]
    return {"feed": "north", "minute": at, "total": sum(count for *_, count in counts), "counts": listed}


def feed(last: datetime | None) -> dict[str, Any]:
    return {"feed": "north", "facility": "NORTH", "last_received_at": last, "lately": 10, "total": 100}


def test_a_feed_tells_silence_from_a_pipeline_that_did_not_count() -> None:
    minutes = [minute(2), minute(1, ("A03", "accepted", 4), ("A08", "held", 1))]
    health = health_of(feed(NOW), minutes, [], NOW, timedelta(minutes=5))
    uncounted, silent, busy = health.chart.bars[-3:]
    assert uncounted.label.endswith("not counted")
    assert not uncounted.is_counted
    assert silent.label == "18:28 UTC: none"
    assert busy.label == "18:29 UTC: 4 taken, 1 trouble"
    assert health.outcomes == (("accepted", "taken", 4), ("held", "trouble", 1))
    assert (health.per_minute, health.quiet) == (2.0, False)


def test_a_feed_is_quiet_after_a_while_and_says_what_is_unusual() -> None:
    signals = [{"scope": "feed:north", "text": "quiet for 47 minutes"}, {"scope": "feed:lake", "text": "other"}]
    health = health_of(feed(NOW - timedelta(minutes=6)), [], signals, NOW, timedelta(minutes=5))
    assert health.quiet
    assert health.signal == "quiet for 47 minutes"
    assert health_of(feed(None), [], [], NOW, timedelta(minutes=5)).quiet


def week(counts: list[int | None], usual: list[float], **more: Any) -> dict[str, Any]:
    said = {"feed": "north", "time_zone": "America/Chicago", "missed": 0.4, "counted_by": "0"}
    now = {"hourly": 58.0, "weeks": 5, "basis": "hour-of-week"}
    return said | {"counts": counts, "usual": usual, "weeks": [5, 0], "usual_now": now} | more


def test_a_week_is_drawn_on_one_scale_with_what_is_usual() -> None:
    chart = week_charts([week([30, None], [40.0, 10.0])])["north"]
    assert (chart.top, chart.known, chart.hours, chart.counted) == (40, 1, 2, 30)
    assert chart.bars == "M0,64v-48h192v48z"
    assert chart.usual == "M0,0V0H240V48H480"
    assert chart.now_in_words == "usual at this hour: 58, learned from 5 weeks of this hour"


def test_a_week_of_nothing_draws_nothing() -> None:
    chart = week_chart(week([None, 0], [0.0, 0.0], usual_now={"hourly": 7.0, "weeks": 0, "basis": "nothing"}))
    assert (chart.bars, chart.usual, chart.top) == ("", "", 0)
    assert chart.now_in_words == "what is usual at this hour is not known yet"


def test_a_feed_is_not_quiet_at_an_hour_at_which_nothing_usually_comes() -> None:
    night, day = week_chart(week([0], [0.0])), week_chart(week([0], [60.0], missed=1.0))
    last = NOW - timedelta(minutes=6)
    assert [health_of(feed(last), [], [], NOW, timedelta(minutes=5), w).quiet for w in (night, day)] == [False, True]


def test_gauges_of_wards_make_a_table() -> None:
    told = [
        {"kind": "census", "scope": "facility:NORTH/unit:4W", "value": 12.0},
        {"kind": "arrivals-24h", "scope": "facility:NORTH/unit:4W", "value": 3},
        {"kind": "census", "scope": "facility:NORTH", "value": 40},
        {"kind": "feed-hour", "scope": "feed:north", "value": 9},
        {"kind": "census", "scope": "facility:LAKE/unit:ED", "value": 2},
    ]
    assert ward_lines(told) == [WardLine("LAKE", "ED", 2, None, None), WardLine("NORTH", "4W", 12, 3, None)]


def test_outcomes_fall_in_three_kinds() -> None:
    assert [kind_of(name) for name in ("accepted", "duplicate", "skipped", "held", "rejected")] == [
        "taken", "without-effect", "without-effect", "trouble", "trouble",
    ]  # fmt: skip
