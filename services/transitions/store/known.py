"""SQL of what was known when: the states a transition and its tasks were in, and the evidence that had been heard."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from shared.events.transitions import Task, Transition

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

TRANSITION = """
SELECT known_at, why, body::text AS body FROM transition_known
WHERE transition_id = $1 AND known_at <= $2 ORDER BY known_at DESC LIMIT 1
"""
TASKS = """
SELECT DISTINCT ON (task_id) body::text AS body FROM task_known
WHERE transition_id = $1 AND known_at <= $2 ORDER BY task_id, known_at DESC
"""
HISTORY = """
SELECT event_id, type, at, recorded, task_id, code, reason, caused_by FROM history
WHERE transition_id = $1 AND recorded <= $2 ORDER BY id DESC LIMIT $3
"""
EVIDENCE = """
SELECT e.event_id, e.type, e.at, e.recorded, e.known_at FROM evidence e JOIN transition t USING (patient_id)
WHERE t.id = $1 AND e.known_at <= $2 AND e.at >= coalesce(t.admitted_at, t.discharged_at) - interval '2 days'
ORDER BY e.known_at DESC LIMIT $3
"""


async def transition(connection: "Connection", transition_id: UUID, known_at: datetime) -> Mapping[str, Any] | None:
    """As it was known at that time; None when nothing was known of it yet."""
    row = await connection.fetchrow(TRANSITION, transition_id, known_at)
    if row is None:
        return None
    told = Transition.model_validate_json(row["body"])
    return {"transition": told, "reason": row["why"], "changed_at": row["known_at"]}


async def tasks(connection: "Connection", transition_id: UUID, known_at: datetime) -> list[Task]:
    rows = await connection.fetch(TASKS, transition_id, known_at)
    return sorted((Task.model_validate_json(row["body"]) for row in rows), key=_place)


def _place(task: Task) -> tuple[bool, datetime | None, str]:
    return (task.due_at is None, task.due_at, task.code)


async def history(
    connection: "Connection", transition_id: UUID, known_at: datetime, limit: int
) -> list[Mapping[str, Any]]:
    return [dict(row) for row in await connection.fetch(HISTORY, transition_id, known_at, limit)]


async def evidence(
    connection: "Connection", transition_id: UUID, known_at: datetime, limit: int
) -> list[Mapping[str, Any]]:
    """The patient's deeds since the stay began: when each was done, when the source's event was recorded by intake,
    and when it became known here.
    """
    return [dict(row) for row in await connection.fetch(EVIDENCE, transition_id, known_at, limit)]
