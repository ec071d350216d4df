"""Referrals as the transitions service answers them, made into what a page shows: the loop, its clock, the steps that
are the reader's to take. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.dashboard.clocks import Clock, ago, clock_of, local
from services.dashboard.worklines import WAITS, instant
from shared.http import Problem

STATES = (
    "draft", "requested", "received", "accepted", "scheduled", "no-show", "attended", "in-progress", "on-hold",
    "completed", "closed", "rejected", "failed", "rerouted", "closed-unmet", "cancel-requested", "cancelled",
    "entered-in-error", "expired",
)  # fmt: skip
PROOFS = (
    ("outcome", "Outcome", "the visit was kept, or the work is done"),
    ("result", "Result", "a document or final result came back"),
    ("acknowledgement", "Acknowledged", "the requester has seen it"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step: the words of its button, and the API's field that what was typed goes into."""

    name: str
    words: str
    done: str
    says: str | None = None
    must_say: bool = False
    kind: str = ""


STEPS: Mapping[str, Step] = {
    step.name: step
    for step in (
        Step("receive", "Received", "Marked as received."),
        Step("accept", "Accept", "Accepted.", kind="main"),
        Step("reject", "Decline", "Declined: its requester is told.", "reason", must_say=True, kind="danger"),
        Step("schedule", "Book", "Booked."),
        Step("cancel-appointment", "Appointment fell through", "Noted: it needs another appointment.", "reason"),
        Step("attend", "Visit kept", "Noted that the visit was kept.", kind="main"),
        Step("no-show", "Did not come", "Noted that the patient did not come.", "reason"),
        Step("start", "Begin", "Begun."),
        Step("complete", "Complete", "Completed.", "outcome", must_say=True, kind="main"),
        Step("result", "Result is back", "Noted that the result is back.", "outcome"),
        Step("acknowledge", "Acknowledge", "Acknowledged: the loop is closed.", kind="main"),
        Step("hold", "Put on hold", "Put on hold.", "reason", must_say=True),
        Step("resume", "Resume", "Resumed."),
        Step("fail", "Can't be done", "Noted that it can't be done.", "reason", must_say=True, kind="danger"),
        Step("request", "Ask now", "Asked.", kind="main"),
        Step("request-cancel", "Ask to cancel", "Asked the performer to cancel.", "reason", must_say=True),
        Step("deny-cancel", "Go on all the same", "It goes on.", "reason", must_say=True),
        Step("cancel", "Cancel", "Cancelled.", "reason", must_say=True, kind="danger"),
        Step("close-unmet", "Close unmet", "Closed without a result.", "reason", must_say=True, kind="danger"),
        Step("error", "Entered in error", "Taken back as entered in error.", "reason", must_say=True, kind="danger"),
    )
}
DECISIONS = (("link", "The other one serves"), ("cancel", "Not wanted after all"), ("repeat", "Justified: ask again"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """One referral in a list or on its page. `waits` is None where nobody's turn it is."""

    id: str
    patient_id: str
    service: str
    priority: str
    state: str
    is_held: bool
    performer: str
    requester: str
    facility: str
    waits: str | None
    clock: Clock
    level: int
    changed: str
    version: int


def loop_of(item: Mapping[str, Any], now: datetime) -> Loop:
    terms = item["terms"]
    due = instant(item["due_at"])
    return Loop(
        id=str(item["id"]),
        patient_id=item["patient_id"],
        service=terms.get("service") or terms.get("service_code") or "service not named",
        priority=item["priority"],
        state=item["state"],
        is_held=bool(item["is_held"] and item["is_open"]),
        performer=item["performer"] or "not named",
        requester=item["requester"] or "not named",
        facility=item["facility"],
        waits=WAITS.get(item["waiting_for"], item["waiting_for"]) if item["is_open"] else None,
        clock=clock_of(due if item["is_open"] else None, now),
        level=item["escalation_level"] if item["is_open"] else 0,
        changed=ago(instant(item["changed_at"]), now),
        version=item["version"],
    )


@dataclass(frozen=True, slots=True)
class LevelLine:
    """One level of the clock: who is told, when, and whether that has been done."""

    words: str
    at: str
    is_told: bool


EXPIRY = 99


def level_lines(found: Mapping[str, Any]) -> list[LevelLine]:
    zone = (found["terms"].get("facility") or {}).get("time_zone") or "UTC"
    return [
        LevelLine(_level_words(one), local(instant(one["told_at"] or one["due_at"]), zone), one["told_at"] is not None)
        for one in found["levels"]
    ]


def _level_words(level: Mapping[str, Any]) -> str:
    if level["level"] == EXPIRY:
        return "expires"
    what = "overdue" if level["level"] == 0 else f"level {level['level']}"
    return f"{what}: tells {level['role'] or 'its coordinator'}"


def step_body(name: str, words: str, scheduled_at: datetime | None) -> dict[str, Any]:
    """What the API is told beside the version. Raises Problem 404 for no step, 422 for what must be said first."""
    if name not in STEPS:
        raise Problem(404, "There is no such step", slug="unknown-step")
    step, words = STEPS[name], words.strip()
    if step.must_say and not words:
        asked = "say what came of it" if step.says == "outcome" else "say in a few words why"
        raise Problem(422, asked, slug="words-missing")
    body: dict[str, Any] = {step.says: words} if step.says and words else {}
    if name == "schedule":
        if scheduled_at is None:
            raise Problem(422, "say when the appointment is", slug="words-missing")
        body["scheduled_at"] = scheduled_at.isoformat()
    return body


def asked_body(said: Mapping[str, str]) -> dict[str, str]:
    """What the API is told of a new referral. Raises Problem 422 where it is not said for what or of whom."""
    body = {name: value.strip() for name, value in said.items() if value.strip()}
    for name, words in (("service", "for what it is"), ("performer", "whom it asks")):
        if name not in body:
            raise Problem(422, f"say {words}", slug="words-missing")
    return body
