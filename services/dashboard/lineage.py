"""What caused what, for reading: a timeline whose entries name their cause, and the tree of effects. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from services.dashboard.row import Row
from services.dashboard.sight import uuid_or_none
from services.dashboard.summaries import title_of

BY_MESSAGE = ("intake",)
# Causes that are no events: `timer:<task>:<level>` in transitions, `request:<id>` of a person's call.
WITHOUT_PAGE = {"timer": "its clock", "request": "what somebody did"}


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an event happened. `href` leads there; None where there is no page for it (a person's click, a clock)."""

    words: str
    href: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One event on a timeline. `family` picks its mark: encounter, task, transition, plan, notification …"""

    event_id: str
    type: str
    title: str
    family: str
    summary: str
    source: str
    flags: tuple[str, ...]
    occurred: datetime
    recorded: datetime
    seen: datetime
    cause: Cause


@dataclass(frozen=True, slots=True)
class Node:
    """An event with what it caused, for the tree of effects."""

    entry: Entry
    effects: list["Node"] = field(default_factory=list)


def entry_of(row: Row, known: Mapping[UUID, Row]) -> Entry:
    """`known`: events that stand on the same page, to name the cause by its title."""
    return Entry(
        event_id=str(row["event_id"]),
        type=row["type"],
        title=title_of(row["type"]),
        family=row["type"].split(".")[1],
        summary=row["summary"],
        source=row["source"],
        flags=tuple(row["flags"]),
        occurred=row["occurred"],
        recorded=row["recorded"],
        seen=row["seen"],
        cause=cause_of(row, known),
    )


def cause_of(row: Row, known: Mapping[UUID, Row]) -> Cause:
    """The event that caused it, the message behind an intake event, or words for a clock or a person."""
    causation = str(row["causation"])
    cause_id = uuid_or_none(causation)
    if cause_id is not None and cause_id in known:
        cause = known[cause_id]
        return Cause(f"{title_of(cause['type'])} ({cause['source']})", f"/events/{cause_id}")
    if row["source"] in BY_MESSAGE and cause_id is not None:
        return Cause("message received", f"/messages/{causation}")
    if cause_id is not None:
        return Cause("an earlier event", f"/events/{cause_id}")
    kind = causation.partition(":")[0]
    return Cause(WITHOUT_PAGE.get(kind, f"{kind} (no event)"), None)


def timeline(rows: Sequence[Row], causes: Iterable[Row] = ()) -> list[Entry]:
    """The latest first; `causes` are further events that may be named as causes.

    What one transaction recorded has one instant: among these, an effect stands above its cause.
    """
    known = {row["event_id"]: row for row in (*rows, *causes)}
    ordered = sorted(rows, key=lambda row: (row["recorded"], _depth(row, known), row["sequence"]), reverse=True)
    return [entry_of(row, known) for row in ordered]


def _depth(row: Row, known: Mapping[UUID, Row]) -> int:
    """How many of the known events lie between this one and where it began."""
    depth = 0
    while (cause := uuid_or_none(str(row["causation"]))) in known and cause is not None and depth < len(known):
        row = known[cause]
        depth += 1
    return depth


def tree(rows: Sequence[Row], root: str) -> list[Node]:
    """The effects of `root` (a message or event), as a forest in the order they were recorded."""
    known = {row["event_id"]: row for row in rows}
    nodes = {str(row["event_id"]): Node(entry_of(row, known)) for row in rows}
    top: list[Node] = []
    for row in rows:
        parent = nodes.get(str(row["causation"]))
        siblings = parent.effects if parent is not None and str(row["causation"]) != root else top
        siblings.append(nodes[str(row["event_id"])])
    return top


def chain(rows: Sequence[Row]) -> tuple[list[Entry], Cause | None]:
    """From an event back to where it began: the entries, and the message (or clock, or person) before the first."""
    known = {row["event_id"]: row for row in rows}
    entries = [entry_of(row, known) for row in rows]
    return entries, (cause_of(rows[-1], known) if rows else None)


def node_json(node: Node) -> dict[str, Any]:
    """The tree as the command and scripts read it."""
    entry = node.entry
    return {
        "event_id": entry.event_id,
        "type": entry.type,
        "source": entry.source,
        "summary": entry.summary,
        "occurred": entry.occurred,
        "recorded": entry.recorded,
        "effects": [node_json(effect) for effect in node.effects],
    }
