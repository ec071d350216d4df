"""The SQL of moves that are remembered: which stays they still concern, and which held messages they explain."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from services.intake.message import AdtMessage
from services.intake.triggers import MOVES
from shared.events.people import Identifier

if TYPE_CHECKING:
    from services.intake.store import Connection

# A feed is never this late; moves that are older need no looking at.
REMEMBERED_DAYS = 7

REMEMBER = """
INSERT INTO stay_move (message_id, source, target, account, authority, type, value, said)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (message_id) DO NOTHING
"""
# A stay came to its patient with its last move, else when it was opened; only what was said after that can move it on.
PENDING = """
SELECT m.message_id, e.id AS encounter_id
FROM stay_move m
JOIN patient_key s ON s.id = m.source
JOIN patient_key t ON t.id = m.target
JOIN encounter e ON e.patient_id = coalesce(s.survivor, s.id) AND NOT e.state ? 'merged_into'
WHERE m.told_at > now() - make_interval(days => $1)
  AND (m.source = m.target OR coalesce(s.survivor, s.id) <> coalesce(t.survivor, t.id))
  AND (m.account IS NULL OR e.state -> 'said' -> 'account' @> m.account)
  AND (m.value IS NULL OR (e.authority, e.type, e.value) = (m.authority, m.type, m.value))
  AND NOT EXISTS (SELECT FROM encounter_fact f WHERE f.encounter_id = e.id AND f.message_id = m.message_id)
  AND m.said > coalesce(
      (SELECT f.fact -> 'order' FROM encounter_fact f
       WHERE f.encounter_id = e.id AND f.fact ->> 'trigger' = ANY ($2) ORDER BY 1 DESC LIMIT 1),
      (SELECT f.fact -> 'order' FROM encounter_fact f WHERE f.encounter_id = e.id ORDER BY 1 LIMIT 1))
ORDER BY m.said LIMIT $3
"""
# From the patient whom a message names, along merges and moves, to the one whose the visit is now.
SET_FREE = """
WITH RECURSIVE way AS (
    SELECT m.id, e.patient_id AS owner, coalesce(k.survivor, m.patient_id) AS at
    FROM message m JOIN encounter e ON e.id = m.encounter_id LEFT JOIN patient_key k ON k.id = m.patient_id
    WHERE m.outcome = 'held' AND m.reason = 'visit-of-another-patient'
    UNION
    SELECT w.id, w.owner, coalesce(t.survivor, t.id)
    FROM way w
    JOIN patient_key k ON k.id = w.at OR k.survivor = w.at
    JOIN stay_move m ON m.source = k.id
    JOIN patient_key t ON t.id = m.target
)
SELECT DISTINCT id FROM way WHERE at = owner ORDER BY id LIMIT $1
"""
OWNERS = """
SELECT DISTINCT e.patient_id FROM encounter e
JOIN unnest($1::text[], $2::text[], $3::text[]) AS g (authority, type, value) USING (authority, type, value)
"""
WAYS = """
WITH RECURSIVE way AS (
    SELECT coalesce(k.survivor, k.id) AS named, coalesce(k.survivor, k.id) AS at
    FROM patient_key k WHERE k.id = ANY ($1)
    UNION
    SELECT w.named, coalesce(t.survivor, t.id)
    FROM way w
    JOIN patient_key k ON k.id = w.at OR k.survivor = w.at
    JOIN stay_move m ON m.source = k.id
    JOIN patient_key t ON t.id = m.target
)
SELECT named, at FROM way WHERE named <> at
"""


class Pending(NamedTuple):
    """A move that a stay has yet to follow."""

    message_id: UUID
    encounter_id: UUID


async def remember(connection: "Connection", message_id: UUID, adt: AdtMessage, source: str, target: str) -> None:
    former, fact = adt.former, adt.fact
    if former is None or fact is None:
        return
    account = None if adt.trigger in {"A43", "A45"} else former.account
    visit = former.visit if adt.trigger == "A45" else None
    await connection.execute(
        REMEMBER,
        message_id,
        source,
        target,
        {"authority": account.authority, "value": account.value} if account else None,
        *((visit.authority, visit.type, visit.value) if visit else (None, None, None)),
        list(fact.order),
    )


async def pending(connection: "Connection", limit: int) -> list[Pending]:
    """In the order in which they were said."""
    rows = await connection.fetch(PENDING, REMEMBERED_DAYS, sorted(MOVES), limit)
    return [Pending(row["message_id"], row["encounter_id"]) for row in rows]


async def set_free(connection: "Connection", limit: int) -> list[UUID]:
    """Messages held because their visit was another patient's, to whom merges and moves lead now; oldest first."""
    return [row["id"] for row in await connection.fetch(SET_FREE, limit)]


async def owners(connection: "Connection", visits: Iterable[Identifier]) -> set[str]:
    """Whose the visits are."""
    listed = list(visits)
    columns = ([v.authority for v in listed], [v.type for v in listed], [v.value for v in listed])
    return {row["patient_id"] for row in await connection.fetch(OWNERS, *columns)}


async def ways(connection: "Connection", records: Sequence[str]) -> frozenset[tuple[str, str]]:
    """Pairs of patients: whom a record stands for, and to whom its stays were moved, in however many steps."""
    return frozenset((row["named"], row["at"]) for row in await connection.fetch(WAYS, list(records)))
