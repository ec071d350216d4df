"""The SQL of looking: message log, patients, encounters, feeds. Newest first, by keyset."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.intake.searching import SHOWN, newest

if TYPE_CHECKING:
    from services.intake.store import Connection

MESSAGE = f"SELECT {SHOWN} FROM message WHERE id = $1"
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
# Minutes that were counted are added up: only what came since, and what was not accepted, is counted here.
FEEDS = """
WITH since AS (
    SELECT greatest(max(minute) + interval '1 minute', now() - interval '24 hours') AS at FROM counted_minute
), heard AS (
    SELECT feed, sum(messages) AS messages, max(last_received_at) AS last FROM counted_minute
    WHERE minute >= now() - interval '24 hours' AND messages > 0 GROUP BY feed
    UNION ALL
    SELECT feed, count(*), max(received_at) FROM message WHERE id >= first_id((SELECT at FROM since)) GROUP BY feed
), total AS (
    SELECT feed, sum(messages)::bigint AS messages, max(last) AS last_received_at FROM heard GROUP BY feed
), other AS (
    SELECT feed, count(*) FILTER (WHERE outcome = 'skipped') AS skipped,
           count(*) FILTER (WHERE outcome = 'held') AS held, count(*) FILTER (WHERE outcome = 'rejected') AS rejected
    FROM message WHERE outcome <> 'accepted' AND id >= first_id(now() - interval '24 hours') GROUP BY feed
)
SELECT t.feed, t.last_received_at, t.messages,
       greatest(t.messages - coalesce(o.skipped + o.held + o.rejected, 0), 0) AS accepted,
       coalesce(o.skipped, 0) AS skipped, coalesce(o.held, 0) AS held, coalesce(o.rejected, 0) AS rejected
FROM total t LEFT JOIN other o USING (feed) ORDER BY feed
"""
HAS_SENT = """
SELECT EXISTS (SELECT 1 FROM message WHERE feed = $1) OR EXISTS (SELECT 1 FROM unknown_code WHERE feed = $1)
"""
# Counted in an index alone; the oldest of each kind is its first entry there.
HELD_COUNTS = """
SELECT h.reason, h.feed, h.count, o.received_at AS oldest
FROM (SELECT reason, feed, count(*) AS count FROM message WHERE outcome = 'held' GROUP BY reason, feed) h
CROSS JOIN LATERAL (
    SELECT received_at FROM message m
    WHERE m.outcome = 'held' AND m.reason = h.reason AND m.feed = h.feed ORDER BY m.id LIMIT 1
) o ORDER BY h.count DESC, h.reason, h.feed
"""
RECORDS_OF = """
WITH survivor AS (
    SELECT coalesce(k.survivor, p.id) AS id
    FROM unnest($1::text[]) AS p (id) LEFT JOIN patient_key k USING (id)
)
SELECT id FROM survivor UNION SELECT k.id FROM patient_key k JOIN survivor s ON k.survivor = s.id
"""
# Authorities and types are few: the index is gone through once for each pair of them, not for each person.
PERSON = "SELECT DISTINCT patient_id FROM identifier WHERE value = $1 LIMIT 20"
VISIT = "SELECT id FROM encounter WHERE value = $1 ORDER BY id DESC LIMIT 20"
SURVIVOR = "SELECT coalesce((SELECT survivor FROM patient_key WHERE id = $1), $1)"
ENCOUNTERS_OF = "SELECT id FROM encounter WHERE patient_id = $1 ORDER BY id DESC LIMIT 200"


async def messages(
    connection: "Connection", filters: Mapping[str, object], before: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """The newest that fit. `patient` means whoever the record stands for, with the records merged into it."""
    wanted = dict(filters)
    if (patient := wanted.pop("patient", None)) is not None:
        wanted["patients"] = await records_of(connection, str(patient))
    question = newest(wanted, before, limit)
    return [_shown(row) for row in await connection.fetch(question.sql, *question.arguments)]


async def records_of(connection: "Connection", patient_id: str) -> list[str]:
    """The record, who it was merged into, and all others that were."""
    return await records_of_all(connection, [patient_id])


async def records_of_all(connection: "Connection", patient_ids: Sequence[str]) -> list[str]:
    return [row["id"] for row in await connection.fetch(RECORDS_OF, patient_ids)]


async def held_counts(connection: "Connection") -> list[dict[str, Any]]:
    """Held messages by reason and feed, the most frequent first."""
    return [dict(row) for row in await connection.fetch(HELD_COUNTS)]


async def find_person(connection: "Connection", value: str) -> list[str]:
    """The records that an identifier's value stands for, whichever authority assigned it."""
    return [row["patient_id"] for row in await connection.fetch(PERSON, value)]


async def find_visit(connection: "Connection", value: str) -> list[UUID]:
    """The stays with this visit number."""
    return [row["id"] for row in await connection.fetch(VISIT, value)]


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


async def has_sent(connection: "Connection", feed: str) -> bool:
    """Whether anything of it is still known, configured or not."""
    found: bool = await connection.fetchval(HAS_SENT, feed)
    return found


async def survivor_of(connection: "Connection", patient_id: str) -> str:
    survivor: str = await connection.fetchval(SURVIVOR, patient_id)
    return survivor


async def encounter_ids(connection: "Connection", patient_id: str) -> list[UUID]:
    return [row["id"] for row in await connection.fetch(ENCOUNTERS_OF, patient_id)]
