"""Who did or read what: rows that are chained by hash and can't be changed. The chain is made by the database, under a
lock, on insert (see shared/postgres/migrations/0002_audit.sql); it is checked here, from the outside.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from shared.http.roles import Caller
from shared.metrics import AUDIT_ROWS

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

INSERT = """
INSERT INTO audit (actor, roles, action, subjects, outcome, request_id) VALUES ($1, $2, $3, $4, $5, $6)
"""
ROWS = """
SELECT seq, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') AS at,
       actor, roles, action, subjects, outcome, request_id, prev_hash, hash
FROM audit ORDER BY seq
"""
PAGE = """
SELECT seq, at, actor, roles, action, subjects, outcome, request_id FROM audit
WHERE ($1::bigint IS NULL OR seq < $1) ORDER BY seq DESC LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """`first_bad` is the seq of the first row that is missing, changed or out of the chain; None when all is well.

    A chain can't show that its newest rows were cut off: compare `rows` and `head` with those noted before.
    """

    rows: int
    head: str | None
    first_bad: int | None


async def audited(
    connection: "Connection",
    caller: Caller,
    action: str,
    subjects: Sequence[str],
    request: Request,
    outcome: str = "done",
) -> None:
    """One row that says that the caller did this to these (opaque ids), in the caller's own transaction if any."""
    roles = sorted(caller.roles)
    request_id = request.state.request_id
    await connection.execute(INSERT, caller.subject, roles, action, list(subjects), outcome, request_id)
    AUDIT_ROWS.labels(action).inc()


async def audited_read(
    connection: "Connection", caller: Caller, action: str, subjects: Sequence[str], request: Request
) -> None:
    """One row for a page or a patient opened: `subjects` are the patient ids that were shown."""
    await audited(connection, caller, action, subjects, request, outcome="read")


async def audit_page(connection: "Connection", before: int | None, limit: int) -> list[dict[str, Any]]:
    """The newest rows, or those before a seq, newest first."""
    return [dict(row) for row in await connection.fetch(PAGE, before, limit)]


async def verify_audit(connection: "Connection") -> AuditVerdict:
    """Recomputes the chain from the first row on."""
    previous, rows = b"", 0
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        async for row in connection.cursor(ROWS, prefetch=500):
            rows += 1
            if row["seq"] != rows:
                return AuditVerdict(rows - 1, previous.hex() or None, rows)
            if row["prev_hash"] != previous or row["hash"] != digest(previous, row):
                return AuditVerdict(rows - 1, previous.hex() or None, row["seq"])
            previous = row["hash"]
    return AuditVerdict(rows, previous.hex() or None, None)


def digest(previous: bytes, row: Any) -> bytes:
    """SHA-256 over the previous hash and the row as a JSON array, written as PostgreSQL writes jsonb."""
    said = [row["seq"], row["at"], row["actor"], list(row["roles"]), row["action"], list(row["subjects"])]
    text = json.dumps([*said, row["outcome"], row["request_id"]], ensure_ascii=False)
    return hashlib.sha256(previous + text.encode()).digest()
