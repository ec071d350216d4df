"""What one may do to a task from a page, to one or to many: what must be said with it, how the API is told. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared.http import Problem

LONGEST_REST_HOURS = 14 * 24
RESTS = ((2, "2 hours"), (4, "4 hours"), (24, "1 day"), (48, "2 days"), (72, "3 days"), (168, "1 week"))
"""Choices of a snooze, in hours. The transitions service allows up to a fortnight."""


@dataclass(frozen=True, slots=True)
class Deed:
    """`says` is the API's field for what was typed; `must_say` whether something must be."""

    name: str
    done: str
    many: str | None
    says: str | None = None
    must_say: bool = False
    path: str = ""

    @property
    def route(self) -> str:
        return self.path or self.name


DEEDS: Mapping[str, Deed] = {
    deed.name: deed
    for deed in (
        Deed("claim", "Task claimed: it is yours now.", "Claim"),
        Deed("complete", "Task completed.", "Complete", says="outcome"),
        Deed("acknowledge", "Acknowledged: its ladder rests for a while.", "Acknowledge"),
        Deed("reassign", "Given to somebody else.", "Give to"),
        Deed("snooze", "Snoozed: its ladder rests, the due time stays.", "Snooze", says="reason", must_say=True),
        Deed("escalate", "Escalated: the next of the ladder is told.", "Escalate now", says="reason", must_say=True),
        Deed("waive", "Waived: nobody owes it any more.", "Waive", says="reason", must_say=True),
        Deed("comment", "Comment kept.", None, says="text", must_say=True, path="comments"),
    )
}
MANY = tuple((deed.name, deed.many) for deed in DEEDS.values() if deed.many is not None)
"""What may be done to many at once, with the words of the choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a form said with the deed."""

    words: str = ""
    owner: str = ""
    role: str = ""
    hours: int = 0


def deed_named(name: str) -> Deed:
    """Raises Problem 404."""
    if name not in DEEDS:
        raise Problem(404, "There is no such act", slug="unknown-act")
    return DEEDS[name]


def body_of(deed: Deed, said: Said, now: datetime) -> dict[str, Any]:
    """What the API is told beside which version was seen. Raises Problem 422 where something must be said first."""
    body: dict[str, Any] = {}
    words = said.words.strip()
    if deed.must_say and not words:
        asked = "say in a few words why" if deed.says == "reason" else "there are no words in it"
        raise Problem(422, asked, slug="words-missing")
    if deed.says and words:
        body[deed.says] = words
    if deed.name == "reassign":
        body |= {name: value for name, value in (("owner", said.owner.strip()), ("role", said.role.strip())) if value}
    if deed.name == "snooze":
        body["until"] = rest_until(said.hours, now).isoformat()
    return body


def rest_until(hours: int, now: datetime) -> datetime:
    """Raises Problem 422 for a rest that is none or too long."""
    if not 0 < hours <= LONGEST_REST_HOURS:
        raise Problem(422, "choose for how long it may rest", slug="words-missing")
    # The service counts from when it hears of it: a second later it must still lie within its bound.
    return now + timedelta(hours=hours) - timedelta(seconds=30 if hours == LONGEST_REST_HOURS else 0)


def chosen(marks: Iterable[str], most: int) -> list[dict[str, Any]]:
    """The tasks that were ticked, each mark as `id:version`. Raises Problem 422 for none, too many or another form."""
    found = {}
    for mark in marks:
        task, _, version = mark.partition(":")
        try:
            found[UUID(task)] = int(version)
        except ValueError:
            raise Problem(422, "This is no task of the list", slug="invalid-choice") from None
    if not 0 < len(found) <= most:
        raise Problem(422, "choose tasks first" if not found else f"choose {most} tasks at most", slug="nothing-chosen")
    return [{"id": str(task), "version": version} for task, version in found.items()]


REFUSALS = {
    "stale-version": "changed meanwhile",
    "unknown": "not there any more, or not yours to see",
    "not-as-it-stands": "can't be done as it stands",
}


def outcome_words(item: Mapping[str, Any]) -> str:
    """Why one of many was refused, for people; empty when it was not."""
    if item["outcome"] == "done":
        return ""
    words = REFUSALS.get(str(item["outcome"]), "refused")
    detail = str(item.get("detail") or "")
    return f"{words}: {detail}" if detail else words


def changed_meanwhile(items: Iterable[Mapping[str, Any]]) -> list[str]:
    """Marks of the tasks that were refused because somebody else had changed them, as they stand now."""
    return [f"{item['id']}:{item['version']}" for item in items if item["outcome"] == "stale-version"]
