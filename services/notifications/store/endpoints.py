"""Endpoints as people see and change them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from services.notifications.store import Connection, Record

SHOWN = """id, organisation, channel, url, event_types, body, description, status, disabled_reason, concurrency,
failures, failing_since, nullif(paused_until, '-infinity') AS paused_until, version, created_at, previous_until"""
INSERT = f"""
INSERT INTO endpoint (id, organisation, channel, url, event_types, body, description, concurrency, secret)
VALUES ($1, $2, 'webhook', $3, $4, $5, $6, $7, $8) RETURNING {SHOWN}
"""
SAME_URL = "SELECT id FROM endpoint WHERE organisation = $1 AND url = $2 AND status <> 'deleted'"
LOCK_ORGANISATION = "SELECT 1 FROM organisation WHERE slug = $1 FOR NO KEY UPDATE"
LISTED = f"""
SELECT {SHOWN} FROM endpoint WHERE status <> 'deleted' AND ($1::text IS NULL OR organisation = $1)
ORDER BY organisation, id
"""
ONE = f"SELECT {SHOWN}, secret FROM endpoint WHERE id = $1 AND status <> 'deleted'"
ROTATE = f"""
UPDATE endpoint SET previous_secret = secret, previous_until = now() + $3, secret = $2, version = version + 1
WHERE id = $1 AND status <> 'deleted' RETURNING {SHOWN}
"""
SET_STATUS = f"""
UPDATE endpoint SET status = $2, disabled_reason = $3, failures = 0, failing_since = NULL, paused_until = '-infinity',
       version = version + 1
WHERE id = $1 AND status <> 'deleted' RETURNING {SHOWN}
"""


async def add(connection: "Connection", row: Sequence[Any]) -> "Record":
    """The new endpoint, as shown."""
    added = await connection.fetchrow(INSERT, *row)
    assert added is not None  # noqa: S101  (an insert that answers)
    return added


async def with_url(connection: "Connection", organisation: str, url: str) -> UUID | None:
    """The organisation's endpoint with this very URL. Locks the organisation: two never register it at once."""
    await connection.execute(LOCK_ORGANISATION, organisation)
    found: UUID | None = await connection.fetchval(SAME_URL, organisation, url)
    return found


async def listed(connection: "Connection", organisation: str | None) -> "list[Record]":
    return await connection.fetch(LISTED, organisation)


async def one(connection: "Connection", endpoint_id: UUID) -> "Record | None":
    return await connection.fetchrow(ONE, endpoint_id)


async def rotate(connection: "Connection", endpoint_id: UUID, secret: bytes, overlap: timedelta) -> "Record | None":
    return await connection.fetchrow(ROTATE, endpoint_id, secret, overlap)


async def set_status(connection: "Connection", endpoint_id: UUID, status: str, reason: str | None) -> "Record | None":
    """A fresh start for the circuit, whichever way."""
    return await connection.fetchrow(SET_STATUS, endpoint_id, status, reason)
