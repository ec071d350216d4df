"""Referrals as a page shows them: whose turn it is, what the clock told, what a step must say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.dashboard.clocks import Urgency
from services.dashboard.loops import STEPS, level_lines, loop_of, step_body
from shared.http import Problem

NOW = datetime(2026, 3, 6, 18, 0, tzinfo=UTC)
DUE = (NOW - timedelta(hours=1)).isoformat()
ITEM: dict[str, Any] = {
    "id": "r1", "patient_id": "p1", "facility": "LAKE", "priority": "urgent", "state": "requested", "is_open": True,
    "is_held": False, "performer": "heart-clinic", "requester": None, "waiting_for": "decision", "due_at": DUE,
    "escalation_level": 1, "version": 3, "changed_at": (NOW - timedelta(minutes=5)).isoformat(),
    "terms": {"service_code": "CARD", "facility": {"code": "LAKE", "time_zone": "America/Chicago"}},
}  # fmt: skip


def test_an_open_loop_says_whose_turn_it_is_and_how_late() -> None:
    loop = loop_of(ITEM, NOW)
    assert (loop.service, loop.performer, loop.requester) == ("CARD", "heart-clinic", "not named")
    assert (loop.waits, loop.clock.urgency, loop.level) == ("an answer to the request", Urgency.OVERDUE, 1)
    assert loop.changed == "5 min 0 s ago"
    assert loop_of(ITEM | {"waiting_for": "something-new"}, NOW).waits == "something-new"


def test_what_is_over_waits_for_nothing() -> None:
    loop = loop_of(ITEM | {"is_open": False, "is_held": True, "state": "closed"}, NOW)
    assert (loop.waits, loop.clock.urgency, loop.level, loop.is_held) == (None, Urgency.NONE, 0, False)


def test_levels_say_who_is_told_and_when_in_the_facilitys_time() -> None:
    levels = [
        {"level": 0, "role": "scheduler", "due_at": DUE, "told_at": DUE},
        {"level": 1, "role": None, "due_at": DUE, "told_at": None},
        {"level": 99, "role": None, "due_at": DUE, "told_at": None},
    ]
    told = level_lines(ITEM | {"levels": levels})
    assert [line.words for line in told] == ["overdue: tells scheduler", "level 1: tells its coordinator", "expires"]
    assert [line.is_told for line in told] == [True, False, False]
    assert told[0].at == "Fri 6 Mar 2026, 11:00 CST"


@pytest.mark.parametrize(
    ("step", "words", "body"),
    [
        ("accept", "ignored", {}),
        ("reject", " no room ", {"reason": "no room"}),
        ("complete", "seen, plan made", {"outcome": "seen, plan made"}),
        ("no-show", "", {}),
        ("acknowledge", "", {}),
    ],
)
def test_a_step_says_what_it_needs(step: str, words: str, body: dict[str, str]) -> None:
    assert step_body(step, words, None) == body


def test_a_booking_needs_its_time_and_what_ends_a_loop_needs_words() -> None:
    assert step_body("schedule", "", NOW) == {"scheduled_at": NOW.isoformat()}
    silent = [name for name, step in STEPS.items() if step.must_say]
    assert {"reject", "complete", "cancel", "error", "fail", "close-unmet"} <= set(silent)
    for name in ("schedule", *silent):
        with pytest.raises(Problem) as asked:
            step_body(name, " ", None)
        assert asked.value.slug == "words-missing", name
    with pytest.raises(Problem) as unknown:
        step_body("explode", "", None)
    assert unknown.value.status == 404
