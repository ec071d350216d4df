"""What a form says becomes what the API is told; what must be said first is asked for."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.dashboard.clocks import Urgency
from services.dashboard.deeds import DEEDS, MANY, RESTS, Said, body_of, chosen, deed_named, outcome_words
from services.dashboard.records import RECORDS, record_body
from services.dashboard.worklines import VIEW, work_line
from shared.http import Problem

NOW = datetime(2026, 3, 6, 18, 0, tzinfo=UTC)
ONE, OTHER = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(
    ("name", "said", "body"),
    [
        ("claim", Said(words="not asked for"), {}),
        ("complete", Said(), {}),
        ("complete", Said(words=" reached her "), {"outcome": "reached her"}),
        ("waive", Said(words="declined"), {"reason": "declined"}),
        ("escalate", Said(words="nobody answers"), {"reason": "nobody answers"}),
        ("comment", Said(words="call after noon"), {"text": "call after noon"}),
        ("reassign", Said(owner="bea", role="nurse"), {"owner": "bea", "role": "nurse"}),
        ("reassign", Said(), {}),
        ("acknowledge", Said(), {}),
        ("snooze", Said(words="Monday", hours=24), {"reason": "Monday", "until": "2026-03-07T18:00:00+00:00"}),
    ],
)
def test_each_deed_says_what_it_needs_and_no_more(name: str, said: Said, body: dict[str, Any]) -> None:
    assert body_of(DEEDS[name], said, NOW) == body


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("waive", Said(words="  ")),
        ("escalate", Said()),
        ("comment", Said()),
        ("snooze", Said(hours=24)),
        ("snooze", Said(words="why")),
        ("snooze", Said(words="why", hours=-1)),
        ("snooze", Said(words="why", hours=14 * 24 + 1)),
    ],
)
def test_what_must_be_said_is_asked_for(name: str, said: Said) -> None:
    with pytest.raises(Problem) as asked:
        body_of(DEEDS[name], said, NOW)
    assert (asked.value.status, asked.value.slug) == (422, "words-missing")


def test_every_choice_of_a_rest_lies_within_the_fortnight() -> None:
    for hours in (*(hours for hours, _ in RESTS), 14 * 24):
        until = datetime.fromisoformat(body_of(DEEDS["snooze"], Said(words="why", hours=hours), NOW)["until"])
        assert NOW < until < NOW + timedelta(days=14), hours


def test_a_comment_is_for_one_task_alone_and_what_is_unknown_is_not_there() -> None:
    assert {name for name, _ in MANY} == DEEDS.keys() - {"comment"}
    assert DEEDS["comment"].route == "comments"
    with pytest.raises(Problem) as unknown:
        deed_named("explode")
    assert unknown.value.status == 404


def test_ticked_tasks_are_told_once_each_with_the_version_seen() -> None:
    assert chosen([f"{ONE}:3", f"{OTHER}:1", f"{ONE}:3"], 2) == [
        {"id": str(ONE), "version": 3},
        {"id": str(OTHER), "version": 1},
    ]
    for marks, slug in (
        ([], "nothing-chosen"),
        ([f"{ONE}:1", f"{OTHER}:1"], "nothing-chosen"),
        (["x"], "invalid-choice"),
    ):
        with pytest.raises(Problem) as refused:
            chosen(marks, 1)
        assert refused.value.slug == slug


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"outcome": "done"}, ""),
        ({"outcome": "stale-version", "detail": "bea has claimed it"}, "changed meanwhile: bea has claimed it"),
        ({"outcome": "unknown", "detail": None}, "not there any more, or not yours to see"),
        ({"outcome": "something-else"}, "refused"),
    ],
)
def test_a_refusal_is_told_in_words(item: dict[str, Any], words: str) -> None:
    assert outcome_words(item) == words


def test_a_record_says_what_was_done_and_asks_for_what_is_missing() -> None:
    assert record_body("contacts", {"kind": "made", "channel": "", "csrf": "x"}) == {
        "kind": "made", "channel": "phone", "with_whom": "patient",
    }  # fmt: skip
    assert record_body("handoff", {"received_by": "ann", "synthesis": "all", "illness_severity": ""}) == {
        "received_by": "ann", "synthesis": "all",
    }  # fmt: skip
    for kind in RECORDS:
        with pytest.raises(Problem) as asked:
            record_body(kind, {})
        assert asked.value.slug == "incomplete-record"
    with pytest.raises(Problem):
        record_body("tasks", {})


def test_a_line_of_the_worklist_shows_whose_task_it_is_and_marks_what_was_seen() -> None:
    task = {
        "id": str(ONE), "version": 4, "title": "Call", "owner_role": "care-manager", "owner": None, "status": "requested",
        "due_at": "2026-03-06T17:00:00Z", "due_explained": None, "protocol": {"name": "tcm", "version": "1"},
        "escalation_level": 1, "outcome": None, "evidence_event_id": None, "closure": None, "acknowledged_by": "ann",
        "rests_until": "2026-03-07T00:00:00Z",
    }  # fmt: skip
    facility = {"code": "NORTH", "name": None, "time_zone": "America/Chicago"}
    transition = {"id": str(OTHER), "patient": {"id": "p1"}, "facility": facility}
    line = work_line({"task": task, "transition": transition}, NOW)
    assert (line.mark, line.patient_id, line.facility) == (f"{ONE}:4", "p1", "NORTH")
    assert (line.clock.urgency, line.rests) == (Urgency.OVERDUE, "Fri 6 Mar 2026, 18:00 CST")
    past = task | {"rests_until": "2026-03-06T17:59:00Z", "due_at": None, "escalation_level": 0}
    quiet = work_line({"task": past, "transition": transition}, NOW)
    assert (quiet.rests, quiet.clock.urgency) == (None, Urgency.NONE)
    assert "all" in VIEW
