"""What of a refused form is kept, and what changed since it was opened."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.dashboard.unsent import carried_along, deed_changes, limit_changes, opened_at, task_changes, typed_in

SINCE = datetime(2026, 3, 6, 18, 0, tzinfo=UTC)
FORM = [
    ("csrf", "mark"), ("once", "key"), ("version", "3"), ("shown", "then"), ("words", " spoke with her "), ("owner", ""),
    ("hours", "24"), ("task", "a:1"), ("task", "b:2"), ("weight:urgent-above", "90"), ("scheduled", "2026-03-10T09:30"),
]  # fmt: skip
TASK: dict[str, Any] = {
    "status": "requested", "owner": None, "owner_role": "care-manager", "due_at": "2026-03-06T23:00:00Z",
    "escalation_level": 0, "outcome": None,
}  # fmt: skip


def test_what_was_typed_is_shown_and_the_rest_carried_along() -> None:
    typed = {field.name: field for field in typed_in(FORM)}
    assert list(typed) == ["words", "weight:urgent-above", "scheduled"]
    assert (typed["words"].value, typed["words"].longest) == (" spoke with her ", 500)
    assert (typed["weight:urgent-above"].label, typed["scheduled"].kind) == ("weight: urgent above", "datetime-local")
    assert carried_along(FORM) == [("owner", ""), ("hours", "24"), ("task", "a:1"), ("task", "b:2")]
    assert typed_in([("words", "  "), ("hours", "24")]) == []


def test_a_task_is_compared_field_by_field_in_the_facilitys_time() -> None:
    now = TASK | {"status": "accepted", "owner": "bea", "due_at": "2026-03-07T23:00:00Z"}
    told = [(each.what, each.before, each.now) for each in task_changes(TASK, now, "America/Chicago")]
    assert told == [
        ("Status", "requested", "accepted"),
        ("Owner", "not set", "bea"),
        ("Due", "Fri 6 Mar 2026, 17:00 CST", "Sat 7 Mar 2026, 17:00 CST"),
    ]
    assert task_changes(TASK, TASK, "UTC") == []
    assert task_changes(None, now, "UTC") == []


def test_of_a_referral_only_later_deeds_are_told() -> None:
    def deed(kind: str, recorded: str, **more: Any) -> dict[str, Any]:
        return {
            "kind": kind,
            "at": recorded,
            "recorded": recorded,
            "actor": None,
            "source": "siu",
            "reason": None,
        } | more

    deeds = [
        deed("request", "2026-03-06T17:00:00Z"),
        deed("schedule", "2026-03-06T18:00:00Z"),
        deed("cancel-appointment", "2026-03-06T18:00:01Z", actor="bea", reason="snow"),
    ]
    [change] = deed_changes(deeds, SINCE, "America/Chicago")
    assert (change.what, change.now) == ("cancel appointment", "by bea, Fri 6 Mar 2026, 12:00 CST: snow")


def test_limits_are_compared_with_what_was_written() -> None:
    own = {"rule": "own-very-low", "below": "91", "severity": "urgent"}
    signals = {"oxygen": {"title": "Oxygen", "is_own": True, "limits": [own]}}
    given = {"oxygen:urgent-below": "89", "oxygen:advisory-above": ""}
    [change] = limit_changes(signals, given)
    assert (change.what, change.before, change.now) == ("Oxygen, urgent below", "you wrote 89", "91")
    assert limit_changes(signals, {"oxygen:urgent-below": "91"}) == []


@pytest.mark.parametrize(
    ("text", "at"),
    [("2026-03-06T18:00:00+00:00", SINCE), ("", None), ("yesterday", None), ("2026-03-06T18:00:00", None)],
)
def test_when_a_form_was_opened_is_known_or_not(text: str, at: datetime | None) -> None:
    assert opened_at(text) == at
