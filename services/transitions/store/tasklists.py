"""SQL of the worklists: one statement a view, so that each walks the index that has its order; and of comments."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from shared.events import uuid7
from shared.events.transitions import Task, Transition

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

RUNS = "k.status IN ('requested', 'accepted')"
TASKS = """
SELECT k.id, k.due_at, k.priority, k.body::text AS body, t.body::text AS transition
FROM task k JOIN transition t ON t.id = k.transition_id WHERE {where} ORDER BY k.due_at, k.priority, k.id LIMIT {limit}
"""
# A local day of any zone lies within two days of now: the range is walked, the day itself compared row by row.
DUE_TODAY = """k.due_at > clock_timestamp() - interval '1 day' AND k.due_at < clock_timestamp() + interval '2 days'
  AND (k.due_at AT TIME ZONE (t.body #>> '{facility,time_zone}'))::date
    = (clock_timestamp() AT TIME ZONE (t.body #>> '{facility,time_zone}'))::date"""
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
    View.OVERDUE: "k.due_at < clock_timestamp()",
    View.DUE_TODAY: DUE_TODAY,
    View.ESCALATED: "k.level > 0",
    View.UNASSIGNED: "k.owner IS NULL",
    View.HIGH_RISK: "k.priority = 1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksWanted:
    """Which tasks; without a status, those whose clock runs. `facilities` (empty: all) and `bound_to` are what the
    caller is bound to, `after` is the last one's place (due time,
    priority, id).
    """

    status: str | None = None
    view: View | None = None
    role: str | None = None
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
    given: list[Any] = []

    def put(value: Any) -> str:
        given.append(value)
        return f"${len(given)}"

    where = [RUNS if wanted.status is None else f"k.status = {put(wanted.status)}"]
    equal = {
        "k.owner_role": wanted.role,
        "k.owner": wanted.owner,
        "k.organisation": wanted.organisation,
        "k.facility": wanted.facility,
    }
    where += [f"{column} = {put(value)}" for column, value in equal.items() if value is not None]
    if wanted.view is not None and wanted.view in VIEWS:
        where.append(VIEWS[wanted.view])
    if wanted.escalated is not None:
        where.append("k.level > 0" if wanted.escalated else "k.level = 0")
    if wanted.due_before is not None:
        where.append(f"k.due_at < {put(wanted.due_before)}")
    if wanted.bound_to is not None:
        where.append(f"k.organisation = {put(wanted.bound_to)}")
    if wanted.facilities:
        where.append(f"k.facility = ANY ({put(list(wanted.facilities))}::text[])")
    if wanted.after is not None:
        at, priority, last = (put(part) for part in wanted.after)
        where.append(f"(k.due_at, k.priority, k.id) > ({at}, {priority}::int, {last})")
    return TASKS.format(where=" AND ".join(where), limit=put(wanted.limit)), given


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
