"""SQL of the clocks. The database's clock decides what is due; whoever fires locks the patients first."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from services.transitions.escalation import Timer
from services.transitions.protocols import Library
from services.transitions.rounds import Aside
from services.transitions.store.following import obligation_in
from services.transitions.task import Obligation
from shared.events.transitions import Transition

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

# The time of the statement, not of each row: only that can be looked up in an index.
DUE = """
SELECT task_id, patient_id FROM task_timer
WHERE fired_at IS NULL AND due_at <= statement_timestamp() AND task_id <> ALL ($2)
ORDER BY due_at, task_id, level LIMIT $1
"""
# Asked again under the patients' locks: another scheduler may have told them meanwhile, or evidence have come.
CLAIM = """
SELECT task_id, level, due_at FROM task_timer
WHERE task_id = ANY ($1) AND patient_id = ANY ($2) AND fired_at IS NULL AND due_at <= statement_timestamp()
ORDER BY due_at, task_id, level FOR UPDATE SKIP LOCKED
"""
CLOCKED = """
SELECT k.id, k.transition_id, k.code, k.number, k.fired, k.settled_by, k.settled_at, k.why, k.body::text AS body,
       t.body::text AS transition
FROM task k JOIN transition t ON t.id = k.transition_id WHERE k.id = ANY ($1)
"""
FIRED = """
UPDATE task_timer t SET fired_at = clock_timestamp()
FROM unnest($1::uuid[], $2::smallint[]) AS u (task_id, level) WHERE t.task_id = u.task_id AND t.level = u.level
"""
NEXT = """
SELECT extract(epoch FROM due_at - clock_timestamp())::float FROM task_timer WHERE fired_at IS NULL
ORDER BY due_at LIMIT 1
"""
UNCERTAIN = "SELECT DISTINCT subject FROM blocked_key WHERE subject = ANY ($1)"
OVERDUE = """
SELECT count(*) FROM task WHERE status IN ('requested', 'accepted') AND due_at < statement_timestamp()
"""


@dataclass(frozen=True, slots=True)
class Clocked:
    """A task whose timers are due, with the transition it belongs to."""

    transition: Transition
    obligation: Obligation


async def due_tasks(connection: "Connection", limit: int, aside: Aside = ()) -> dict[UUID, str]:
    """Tasks with a level that is due, but for those `aside`, the longest due first, and whose they are. Nothing is
    locked.
    """
    return {row["task_id"]: row["patient_id"] for row in await connection.fetch(DUE, limit, list(aside))}


async def claim(connection: "Connection", tasks: Collection[UUID], patients: Collection[str]) -> list[Timer]:
    """The due levels of these tasks of these (locked) patients, in order of time."""
    rows = await connection.fetch(CLAIM, list(tasks), list(patients))
    return [Timer(**dict(row)) for row in rows]


async def load_clocked(connection: "Connection", library: Library, tasks: Collection[UUID]) -> dict[UUID, Clocked]:
    rows = await connection.fetch(CLOCKED, list(tasks))
    return {
        row["id"]: Clocked(Transition.model_validate_json(row["transition"]), obligation_in(row, library))
        for row in rows
    }


async def mark_fired(connection: "Connection", fired: Sequence[Timer]) -> None:
    await connection.execute(FIRED, [timer.task_id for timer in fired], [timer.level for timer in fired])


async def seconds_to_next(connection: "Connection") -> float | None:
    """Until the next level is due; negative when it is due already, None when no clock runs."""
    seconds: float | None = await connection.fetchval(NEXT)
    return seconds


async def uncertain(connection: "Connection", patients: Collection[str]) -> set[str]:
    """Those of the patients whose events are parked: what is known of them may be out of date."""
    return {row["subject"] for row in await connection.fetch(UNCERTAIN, list(patients))}


async def count_overdue(connection: "Connection") -> int:
    count: int = await connection.fetchval(OVERDUE)
    return count
