"""SQL of the worklists: one statement a view, so that each walks the index that has its order; and of comments.

The time is `now()`, the statement's: the server may look it up in an index, which it may not with a clock that goes on.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.transitions.store.conditions import Conditions
from shared.events import uuid7
from shared.events.transitions import Task, Transition

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

RUNS = "k.status IN ('requested', 'accepted')"
# Each lane gives its first rows in the order of an index; the page is the first of all lanes, and only those are read.
PAGE = """
WITH RECURSIVE {lanes}
SELECT k.id, k.due_at, k.priority, k.body::text AS body, t.body::text AS transition
FROM (SELECT p.* FROM lane CROSS JOIN LATERAL (
        SELECT k.id, k.transition_id, k.due_at, k.priority, k.body FROM task k WHERE {where}
        ORDER BY k.due_at, k.priority, k.id LIMIT {limit}) p
      ORDER BY p.due_at, p.priority, p.id LIMIT {limit}) k
JOIN transition t ON t.id = k.transition_id ORDER BY k.due_at, k.priority, k.id
"""
ONE_LANE = "lane AS (SELECT 1)"
FACILITY_LANES = "lane AS (SELECT DISTINCT unnest({facilities}::text[]) AS facility)"
IN_FACILITY = "k.facility = lane.facility"
ROLE_LANES = "lane AS (SELECT DISTINCT unnest({roles}::text[]) AS role)"
IN_ROLE = "k.owner_role = lane.role"
# The zones of running tasks, each with its own today: found step by step along the index, without reading the tasks.
TODAY_LANES = f"""zone AS (
  SELECT min(k.time_zone) AS name FROM task k WHERE {RUNS}
  UNION ALL
  SELECT (SELECT min(k.time_zone) FROM task k WHERE {RUNS} AND k.time_zone > zone.name) FROM zone WHERE name IS NOT NULL
), lane AS (
  SELECT name, date_trunc('day', now() AT TIME ZONE name) AT TIME ZONE name AS begins,
    (date_trunc('day', now() AT TIME ZONE name) + interval '1 day') AT TIME ZONE name AS ends
  FROM zone WHERE name IS NOT NULL
)"""
IN_TODAY = "k.time_zone = lane.name AND k.due_at >= lane.begins AND k.due_at < lane.ends"
COMMENT = """
INSERT INTO task_comment (id, task_id, transition_id, at, actor, text)
SELECT $1, id, transition_id, $3, $4, $5 FROM task WHERE id = $2
"""
LATEST_CHANGES = """
SELECT type, caused_by FROM history WHERE transition_id = $1 AND task_id = $2 ORDER BY id DESC LIMIT $3
"""
COMMENTS = "SELECT task_id, at, actor, text FROM task_comment WHERE transition_id = $1 ORDER BY at, id"


class View(StrEnum):
    """Ready-made worklists."""

    OVERDUE = "overdue"
    DUE_TODAY = "due-today"
    ESCALATED = "escalated"
    UNASSIGNED = "unassigned"
    MINE = "mine"
    MY_ROLE = "my-role"
    MY_ORGANISATION = "my-organisation"
    HIGH_RISK = "high-risk"


VIEWS: Mapping[View, str] = {
    View.OVERDUE: "k.due_at < now()",
    View.DUE_TODAY: IN_TODAY,
    View.ESCALATED: "k.level > 0",
    View.UNASSIGNED: "k.owner IS NULL",
    View.HIGH_RISK: "k.priority = 1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksWanted:
    """Which tasks; without a status, those whose clock runs. `roles` are the owner roles (empty: all), `facilities`
    (empty: all) and `bound_to` are what the caller is bound to, `after` is the last one's place (due time,
    priority, id).
    """

    status: str | None = None
    view: View | None = None
    roles: tuple[str, ...] = ()
    owner: str | None = None
    organisation: str | None = None
    bound_to: str | None = None
    due_before: datetime | None = None
    escalated: bool | None = None
    facility: str | None = None
    facilities: tuple[str, ...] = ()
    after: tuple[datetime, int, UUID] | None = None
    limit: int = 50


def statement(wanted: TasksWanted) -> tuple[str, list[Any]]:
    """The statement and its parameters; only what is asked for stands in it."""
    where = Conditions()
    where.when("k.status = {}", wanted.status)
    if wanted.status is None:
        where.add(RUNS)
    where.when("k.owner = {}", wanted.owner)
    where.when("k.organisation = {}", wanted.organisation)
    where.when("k.organisation = {}", wanted.bound_to)
    if wanted.view is not None and wanted.view in VIEWS:
        where.add(VIEWS[wanted.view])
    if wanted.escalated is not None:
        where.add("k.level > 0" if wanted.escalated else "k.level = 0")
    where.within(wanted, "k", "priority")
    lanes = _lanes(wanted, where)
    limit = where.put(wanted.limit)
    return PAGE.format(lanes=lanes, where=where.in_words(), limit=limit), where.given


def _lanes(wanted: TasksWanted, where: Conditions) -> str:
    """In which lanes the list is walked; those bound to facilities see theirs alone. Only without other lanes are
    several roles walked each in its own.
    """
    bound = list(wanted.facilities) or None
    if len(wanted.roles) > 1 and bound is None and wanted.view is not View.DUE_TODAY:
        where.add(IN_ROLE)
        return ROLE_LANES.format(roles=where.put(list(wanted.roles)))
    where.of_roles(wanted.roles, "k.owner_role")
    if wanted.view is View.DUE_TODAY:
        where.when("k.facility = ANY ({}::text[])", bound)
        return TODAY_LANES
    if bound is None:
        return ONE_LANE
    where.add(IN_FACILITY)
    return FACILITY_LANES.format(facilities=where.put(bound))


async def tasks(connection: "Connection", wanted: TasksWanted) -> list[tuple[Task, Transition]]:
    """The soonest due first, and of those due at the same time the patients at higher risk."""
    sql, given = statement(wanted)
    rows = await connection.fetch(sql, *given)
    return [(Task.model_validate_json(r["body"]), Transition.model_validate_json(r["transition"])) for r in rows]


async def comment(connection: "Connection", tasks: Collection[UUID], at: datetime, actor: str, text: str) -> None:
    for task_id in tasks:
        await connection.execute(COMMENT, uuid7(), task_id, at, actor, text)


async def comments_of(connection: "Connection", transition_id: UUID) -> list[Mapping[str, Any]]:
    return [dict(row) for row in await connection.fetch(COMMENTS, transition_id)]


async def latest_changes(
    connection: "Connection", transition_id: UUID, task_id: UUID, limit: int
) -> list[tuple[str, str]]:
    """What was last said of a task, newest first: event type and cause. One row a version."""
    rows = await connection.fetch(LATEST_CHANGES, transition_id, task_id, limit)
    return [(row["type"], row["caused_by"]) for row in rows]
