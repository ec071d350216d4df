"""The week of a feed on its page: drawn where transitions tells it, and said where it cannot be told."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.dashboard.feeds import health_of
from services.dashboard.weeks import DAYS, WeekChart, week_chart
from tests.unit.dashboard.test_log_templates import shown

NOW = datetime(2026, 3, 6, 18, 30, tzinfo=UTC)
FEED: dict[str, Any] = {"feed": "north", "facility": "NORTH", "last_received_at": NOW, "lately": 10, "total": 100}
WEEK: dict[str, Any] = {
    "feed": "north",
    "time_zone": "America/Chicago",
    "missed": 0.0,
    "counted_by": "0",
    "counts": [30] * 100 + [None] * 68,
    "usual": [40.0] * 168,
    "weeks": [5] * 168,
    "usual_now": {"hourly": 40.0, "weeks": 5, "basis": "hour-of-week"},
}


def content(week: WeekChart | None, away: str | None = None, feed: dict[str, Any] = FEED) -> str:
    """The page as ops sees it."""
    return shown(
        "feeds.html",
        feeds=[health_of(feed, [], [], NOW, timedelta(minutes=5), week)],
        away=away,
        days=DAYS,
        may_look=True,
    )


def test_the_week_is_drawn_with_what_is_usual_and_says_so_in_words() -> None:
    html = content(week_chart(WEEK))
    assert html.count('class="came" d="M0,64v-48') == 1
    assert 'class="usual" d="M0,0V0H2.86' in html
    assert "3000 so far, at most 40; usual at this hour: 40, learned from 5 weeks of this hour" in html
    assert "168 of 168 hours seen. Local time of America/Chicago." in html
    assert [f"<span>{day}</span>" in html for day in DAYS] == [True] * 7


def test_a_week_that_cannot_be_told_is_said_once_and_the_rest_is_shown() -> None:
    html = content(None, "transitions does not answer")
    assert "The week of each feed cannot be told now: transitions does not answer." in html
    assert 'class="line week"' not in html
    assert "Last message" in html


def test_a_feed_that_never_sent_is_neither_flowing_nor_given_a_guess_as_what_is_usual() -> None:
    guess = {"hourly": 7.0, "weeks": 0, "basis": "nothing"}
    unheard = week_chart(WEEK | {"counts": [0] * 168, "usual": [7.0] * 168, "weeks": [0] * 168, "usual_now": guess})
    html = content(unheard, feed=FEED | {"last_received_at": None, "total": 0, "lately": 0})
    assert "never heard from" in html
    assert "flowing" not in html
    assert "What is usual at this hour is not known yet; 0 of 168 hours seen." in html
    assert 'class="usual" d=""' in html
    assert "flowing" in content(week_chart(WEEK))
