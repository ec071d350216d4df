"""The pages of the message log with what intake says of it: nothing is missing in any state."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from services.dashboard.pages.messages import FILTERS
from services.dashboard.pages.page import make_templates

MESSAGE = {
    "id": "0192d5a0-0000-7000-8000-00000000beef",
    "received_at": "2026-03-02T09:15:00+00:00",
    "feed": "north",
    "trigger": "A01",
    "control_id": "C1",
    "outcome": "held",
    "reason": "no-visit",
    "version": 1,
    "doubts": [],
}
REPLAY = {
    "id": "r",
    "asked_at": MESSAGE["received_at"],
    "asked_by": "someone",
    "is_dry": True,
    "state": "done",
    "total": 3,
    "read": 3,
    "changed": 1,
    "unchanged": 1,
    "left": 0,
    "failed": 1,
    "events": [{"type": "care.encounter.updated.v1", "count": 1}],
}
CHANGED = {"outcome": ["held", "accepted"], "fields": ["stay: class"], "events": ["care.encounter.updated.v1"]}
FOUND = {"place": 1, "message_id": "m", "feed": "north", "trigger": "A01", "control_id": "C1"}
LISTED = {
    "items": [
        {**FOUND, "found": "changed", "difference": CHANGED},
        {**FOUND, "place": 2, "found": "failed", "difference": {"failed": "KeyError"}},
    ],
    "next": 2,
}
KIND = {
    "reason": "no-visit",
    "meaning": "No visit number.",
    "feed": "north",
    "count": 2,
    "oldest": MESSAGE["received_at"],
}
SIDES = {
    "split": [{"segment": "PID", "fields": [{"place": "PID-5", "value": "•••"}]}],
    "read": [{"place": "trigger", "value": "A01"}],
}
NONE = dict.fromkeys(FILTERS)
AWAY: dict[str, Any] = {"message_id": "m", "raw": None, "nodes": [], "may_reveal": True}


def shown(template: str, **context: Any) -> str:
    common = {
        "request": SimpleNamespace(),
        "caller": SimpleNamespace(subject="someone", roles=set(), organisation=None, facilities=frozenset()),
        "sight": SimpleNamespace(names=False, label="", facilities=None),
        "may_care": False,
        "may_operate": True,
        "navigation": [],
        "here": "/",
        "csrf": "c",
        "once": "o",
        "notice": None,
        "now": datetime.now(UTC),
        "watch": [],
    }
    return make_templates().env.get_template(template).render(**common, **context)


@pytest.mark.parametrize(
    ("more", "offered"),
    [
        ({}, ["carry-out"]),
        ({"changed": 0, "left": 1}, ["carry-out"]),
        ({"changed": 0}, []),
        ({"state": "running"}, ["cancel"]),
        ({"state": "cancelled"}, []),
        ({"is_dry": False}, []),
        ({"is_dry": False, "state": "running"}, ["cancel"]),
    ],
)
def test_a_replay_offers_what_can_be_done_now(more: dict[str, Any], offered: list[str]) -> None:
    html = shown("replay.html", said=REPLAY | more, listed=LISTED, every=None)
    assert [act for act in ("carry-out", "cancel") if f'action="/replays/r/{act}"' in html] == offered


def test_a_replay_of_one_held_message_that_changes_nothing_says_so() -> None:
    said = REPLAY | {"total": 1, "read": 1, "changed": 0, "unchanged": 1, "failed": 0, "events": []}
    html = shown("replay.html", said=said, listed={"items": [], "next": None}, every=None)
    assert "1 message, asked by someone." in html
    assert "what is held stays held" in html


@pytest.mark.parametrize(
    ("template", "context", "words"),
    [
        ("held.html", {"counts": [KIND], "said": {"items": [MESSAGE]}, "params": {}, "reasons": ["x"]}, "Replay all"),
        ("held.html", {"counts": [KIND], "said": {}, "params": {}, "reasons": []}, "No visit number."),
        ("message.html", {**AWAY, "said": MESSAGE, "sides": SIDES}, "See what a replay would change"),
        ("held.html", {"counts": [], "said": {}, "params": {}, "reasons": []}, "Nothing is held"),
        ("replays.html", {"items": [REPLAY]}, "dry run"),
        ("replay.html", {"said": REPLAY, "listed": LISTED, "every": None}, "held → accepted"),
        ("replay.html", {"said": REPLAY | {"state": "running"}, "listed": LISTED, "every": 2}, "Stop"),
        ("messages.html", {"said": {"items": [MESSAGE]}, "chosen": NONE | {"feed": "north"}, "params": {"feed": "x"}},
         "See what a replay"),
        ("messages.html", {"said": {}, "chosen": NONE, "params": {}}, "No message fits"),
        ("message.html", {**AWAY, "said": MESSAGE, "sides": SIDES}, "PID-5"),
        ("message.html", {**AWAY, "said": {}, "sides": {}}, "Reveal"),
    ],
)  # fmt: skip
def test_every_state_of_a_page_is_complete(template: str, context: dict[str, Any], words: str) -> None:
    assert words in shown(template, away=None, **context)
