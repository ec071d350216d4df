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
_SELECTIVE = frozenset({"control_id", "patients", "visit", "visits"})


class Question(NamedTuple):
    """A statement and its arguments."""

    sql: str
    arguments: tuple[object, ...]


def conditions(filters: Mapping[str, object], first: int = 1) -> tuple[str, list[object]]:
    """The WHERE of these filters (TRUE when there are none), its parameters numbered from `first` on."""
    chosen = [name for name in CONDITIONS if filters.get(name) is not None]
    parts = [CONDITIONS[name].format(f"${number}") for number, name in enumerate(chosen, first)]
    return " AND ".join(parts) or "TRUE", [filters[name] for name in chosen]


def newest(filters: Mapping[str, object], before: UUID | None, limit: int) -> Question:
    """The page of the newest messages that fit, or of those before an id."""
    where, arguments = conditions({**filters, "before": before})
    size = f"${len(arguments) + 1}"
    if filters.get("trigger") is None or filters.get("feed") is not None or _SELECTIVE & filters.keys():
        sql = f"SELECT {SHOWN} FROM message m WHERE {where} ORDER BY id DESC LIMIT {size}"
    else:
        sql = _of_each_feed(where, f"${arguments.index(filters['trigger']) + 1}", size)
    return Question(sql, (*arguments, limit))


def _of_each_feed(where: str, trigger: str, size: str) -> str:
    """The index leads by trigger and feed: a page of each feed that has sent this trigger, then the newest of all."""
    return f"""
        WITH RECURSIVE feeds (feed) AS (
            (SELECT m.feed FROM message m WHERE m.trigger = {trigger} ORDER BY m.feed LIMIT 1)
            UNION ALL
            SELECT (SELECT m.feed FROM message m WHERE m.trigger = {trigger} AND m.feed > f.feed
                    ORDER BY m.feed LIMIT 1)
            FROM feeds f WHERE f.feed IS NOT NULL
        )
        SELECT {SHOWN} FROM (
            SELECT page.* FROM feeds f CROSS JOIN LATERAL (
                SELECT * FROM message m WHERE m.feed = f.feed AND {where} ORDER BY m.id DESC LIMIT {size}
            ) page
        ) m ORDER BY id DESC LIMIT {size}
    """
