"""The SQL of looking: message log, patients, encounters, feeds. Newest first, by keyset."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from services.intake.store import Connection

_SHOWN = """
id, received_at, feed, control_id, trigger, outcome, reason, code, doubts, patient_id, encounter_id, effects, size,
version, note, decided_by
"""
MESSAGES = f"""
SELECT {_SHOWN} FROM message
WHERE ($1::uuid IS NULL OR id < $1)
  AND ($2::text IS NULL OR feed = $2)
  AND ($3::text IS NULL OR outcome = $3)
  AND ($4::text IS NULL OR control_id = $4)
  AND ($5::text IS NULL OR trigger = $5)
  AND ($6::text IS NULL OR patient_id = $6)
  AND ($7::uuid IS NULL OR encounter_id = $7)
  AND ($8::timestamptz IS NULL OR id >= first_id($8))
  AND ($9::timestamptz IS NULL OR id < first_id($9))
ORDER BY id DESC LIMIT $10
"""
MESSAGE = f"SELECT {_SHOWN} FROM message WHERE id = $1"
RAW = "SELECT raw, feed, control_id, trigger, received_at, outcome, version, patient_id FROM message WHERE id = $1"
CLAIM = """
UPDATE message SET version = version + 1, decided_by = $3
WHERE id = $1 AND ($2::integer IS NULL OR version = $2) AND outcome <> 'accepted'
RETURNING version
"""
SKIP = """
UPDATE message SET outcome = 'skipped', reason = $4, note = $5, decided_by = $6, version = version + 1
WHERE id = $1 AND ($2::integer IS NULL OR version = $2) AND outcome = ANY ($3)
RETURNING version
"""
FEEDS = """
SELECT feed, max(received_at) AS last_received_at, count(*) AS messages,
       count(*) FILTER (WHERE outcome = 'accepted') AS accepted, count(*) FILTER (WHERE outcome = 'skipped') AS skipped,
       count(*) FILTER (WHERE outcome = 'held') AS held, count(*) FILTER (WHERE outcome = 'rejected') AS rejected
FROM message WHERE id >= first_id(now() - interval '24 hours') GROUP BY feed ORDER BY feed
"""
SURVIVOR = "SELECT coalesce((SELECT survivor FROM patient_key WHERE id = $1), $1)"
ENCOUNTERS_OF = "SELECT id FROM encounter WHERE patient_id = $1 ORDER BY id DESC LIMIT 200"


async def messages(
    connection: "Connection", filters: Mapping[str, object], before: UUID | None, limit: int
) -> list[dict[str, Any]]:
    names = ("feed", "outcome", "control_id", "trigger", "patient", "visit", "since", "until")
    rows = await connection.fetch(MESSAGES, before, *(filters.get(name) for name in names), limit)
    return [_shown(row) for row in rows]


async def message(connection: "Connection", message_id: UUID) -> dict[str, Any] | None:
    row = await connection.fetchrow(MESSAGE, message_id)
    return _shown(row) if row else None


def _shown(row: Any) -> dict[str, Any]:
    found = dict(row)
    return found | {"doubts": [name for name in found["doubts"].split(",") if name]}


async def sealed(connection: "Connection", message_id: UUID) -> Any:
    """The message's sealed bytes, with what is needed to read them again; None if there is no such message."""
    return await connection.fetchrow(RAW, message_id)


async def claim(connection: "Connection", message_id: UUID, version: int | None, actor: str) -> int | None:
    """The new version; None when the message has changed meanwhile, or was applied."""
    claimed: int | None = await connection.fetchval(CLAIM, message_id, version, actor)
    return claimed


async def skip(
    connection: "Connection", message_id: UUID, version: int | None, *, reason: str, note: str, actor: str
) -> int | None:
    """As `claim`: only what is held or rejected can be skipped."""
    skippable = ["held", "rejected"]
    skipped: int | None = await connection.fetchval(SKIP, message_id, version, skippable, reason, note, actor)
    return skipped


async def feed_counts(connection: "Connection") -> dict[str, dict[str, Any]]:
    """Per feed that sent something in the last 24 hours."""
    return {row["feed"]: dict(row) for row in await connection.fetch(FEEDS)}


async def survivor_of(connection: "Connection", patient_id: str) -> str:
    survivor: str = await connection.fetchval(SURVIVOR, patient_id)
    return survivor


async def encounter_ids(connection: "Connection", patient_id: str) -> list[UUID]:
    return [row["id"] for row in await connection.fetch(ENCOUNTERS_OF, patient_id)]
