"""SQL of what people look at: pages of transitions and tasks (keyset), one transition with its tasks and history."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from shared.events.transitions import Task, Transition

if TYPE_CHECKING:
    import asyncpg

    from shared.postgres.transaction import Connection

# An empty list of facilities means all of them; what is not asked for is null.
TRANSITIONS = """
SELECT id, changed_at, is_reviewed, why, body::text AS body FROM transition
WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR facility = $2)
  AND (cardinality($3::text[]) = 0 OR facility = ANY ($3)) AND ($4::text IS NULL OR patient_id = $4)
  AND (NOT $5::bool OR (historical AND NOT is_reviewed))
  AND ($6::timestamptz IS NULL OR (changed_at, id) < ($6, $7))
  AND ($8::text IS NULL OR body ->> 'pcp_organisation' = $8)
ORDER BY changed_at DESC, id DESC LIMIT $9
"""
TRANSITION = "SELECT id, changed_at, is_reviewed, why, body::text AS body FROM transition WHERE id = $1"
TASKS_OF = "SELECT body::text AS body FROM task WHERE transition_id = $1 ORDER BY due_at, code, number"
HISTORY_OF = """
SELECT event_id, type, at, recorded, task_id, code, reason, caused_by FROM history
WHERE transition_id = $1 ORDER BY id DESC LIMIT $2
"""
OPEN = """
SELECT body::text AS body FROM transition
WHERE status IN ('open', 'following', 'on-hold') AND ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2
"""
WITH_TASKS = """
SELECT body::text AS body,
    ARRAY(SELECT k.body::text FROM task k WHERE k.transition_id = t.id ORDER BY k.due_at, k.code, k.number) AS tasks
FROM transition t WHERE id = ANY ($1) ORDER BY id
"""
PLACE_OF_TRANSITION = """
SELECT patient_id, encounter_id, facility, body ->> 'pcp_organisation' AS organisation FROM transition WHERE id = $1
"""
PLACE_OF_TASK = """
SELECT t.patient_id, t.encounter_id, t.facility, t.body ->> 'pcp_organisation' AS organisation
FROM task k JOIN transition t ON t.id = k.transition_id
WHERE k.id = $1
"""
DONE_ONCE = "INSERT INTO request_done (about, key) VALUES ($1, $2) ON CONFLICT DO NOTHING"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionsWanted:
    """Which transitions; `facilities` (empty: all) and `organisation` are those the caller is bound to. `before` is the
    last one's place.
    """

    status: str | None = None
    facility: str | None = None
    facilities: tuple[str, ...] = ()
    organisation: str | None = None
    patient: str | None = None
    to_review: bool = False
    before: tuple[datetime, UUID] | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Place:
    """Whose a transition is, and where: what must be known to lock the patient and to judge who may act."""

    patient_id: str
    encounter_id: UUID
    facility: str
    organisation: str | None


async def transitions(connection: "Connection", wanted: TransitionsWanted) -> list[Mapping[str, Any]]:
    at, last = wanted.before or (None, None)
    rows = await connection.fetch(
        TRANSITIONS,
        wanted.status,
        wanted.facility,
        list(wanted.facilities),
        wanted.patient,
        wanted.to_review,
        at,
        last,
        wanted.organisation,
        wanted.limit,
    )
    return [_shown(row) for row in rows]


def _shown(row: "asyncpg.Record") -> Mapping[str, Any]:
    return {
        "transition": Transition.model_validate_json(row["body"]),
        "reason": row["why"],
        "reviewed": row["is_reviewed"],
        "changed_at": row["changed_at"],
    }


async def transition(connection: "Connection", transition_id: UUID) -> Mapping[str, Any] | None:
    row = await connection.fetchrow(TRANSITION, transition_id)
    return _shown(row) if row else None


async def tasks_of(connection: "Connection", transition_id: UUID) -> list[Task]:
    return [Task.model_validate_json(row["body"]) for row in await connection.fetch(TASKS_OF, transition_id)]


async def history_of(connection: "Connection", transition_id: UUID, limit: int) -> list[Mapping[str, Any]]:
    """What was said of the transition and its tasks, newest first, with what caused it."""
    return [dict(row) for row in await connection.fetch(HISTORY_OF, transition_id, limit)]


async def place_of_transition(connection: "Connection", transition_id: UUID) -> Place | None:
    row = await connection.fetchrow(PLACE_OF_TRANSITION, transition_id)
    return Place(**dict(row)) if row else None


async def place_of_task(connection: "Connection", task_id: UUID) -> Place | None:
    row = await connection.fetchrow(PLACE_OF_TASK, task_id)
    return Place(**dict(row)) if row else None


async def is_first(connection: "Connection", about: UUID, key: bytes) -> bool:
    """Notes that a request with this key took effect; False when one did before."""
    return str(await connection.execute(DONE_ONCE, about, key)) == "INSERT 0 1"


async def open_page(connection: "Connection", after: UUID | None, limit: int) -> list[Transition]:
    """Transitions that are open, followed or on hold, in the order of their ids."""
    return [Transition.model_validate_json(row["body"]) for row in await connection.fetch(OPEN, after, limit)]


async def with_tasks(connection: "Connection", ids: Collection[UUID]) -> list[tuple[Transition, list[Task]]]:
    rows = await connection.fetch(WITH_TASKS, list(ids))
    return [
        (Transition.model_validate_json(row["body"]), [Task.model_validate_json(task) for task in row["tasks"]])
        for row in rows
    ]
