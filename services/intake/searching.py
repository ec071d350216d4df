"""How the message log is searched: which conditions a question has, and which way through the indexes it takes. Pure.

A statement is put together from fixed pieces: with `$1 IS NULL OR …` the server would have to find one plan for all
questions, and would read the whole log for some of them.
"""

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

SHOWN = (
    "id, received_at, feed, control_id, trigger, outcome, reason, code, doubts, patient_id, encounter_id, effects, "
    "size, version, note, decided_by"
)
# Name of a filter -> its condition; {} is the parameter.
CONDITIONS: Mapping[str, str] = {
    "before": "m.id < {}",
    "until": "m.id < first_id({})",
    "since": "m.id >= first_id({})",
    "feed": "m.feed = {}",
    "feeds": "m.feed = ANY ({})",
    "outcome": "m.outcome = {}",
    "reason": "m.reason = {}",
    "control_id": "m.control_id = {}",
    "trigger": "m.trigger = {}",
    "patients": "m.patient_id = ANY ({})",
    "visit": "m.encounter_id = {}",
    "visits": "m.encounter_id = ANY ({})",
}
# With one of these there are so few that the trigger only sifts them.
_SELECTIVE = frozenset({"control_id", "patients", "visit", "visits", "reason"})
# Told like this, and ordered by it too, it can be answered by an index that leads to the trigger, and by no other: the
# way through all messages, the newest first, looks cheaper to a server that does not know how rare the trigger is.
_BY_TRIGGER = {**CONDITIONS, "trigger": "m.trigger = ANY (ARRAY[{}::text])"}


class Question(NamedTuple):
    """A statement and its arguments."""

    sql: str
    arguments: tuple[object, ...]


def conditions(
    filters: Mapping[str, object], first: int = 1, by: Mapping[str, str] = CONDITIONS
) -> tuple[str, list[object]]:
    """The WHERE of these filters (TRUE when there are none), its parameters numbered from `first` on."""
    chosen = [name for name in by if filters.get(name) is not None]
    parts = [by[name].format(f"${number}") for number, name in enumerate(chosen, first)]
    return " AND ".join(parts) or "TRUE", [filters[name] for name in chosen]


def newest(filters: Mapping[str, object], before: UUID | None, limit: int) -> Question:
    """The page of the newest messages that fit, or of those before an id."""
    is_rare = any(filters.get(name) is not None for name in _SELECTIVE)
    leads = filters.get("trigger") is not None and not is_rare
    where, arguments = conditions({**filters, "before": before}, by=_BY_TRIGGER if leads else CONDITIONS)
    order = "m.trigger DESC, m.id DESC" if leads else "m.id DESC"
    sql = f"SELECT {SHOWN} FROM message m WHERE {where} ORDER BY {order} LIMIT ${len(arguments) + 1}"
    return Question(sql, (*arguments, limit))
