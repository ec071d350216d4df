"""The SQL of moves that are remembered: which stays they still concern, and which held messages they explain."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from services.intake.message import AdtMessage, OrderKey, StayFact
from services.intake.tracing import Move
from services.intake.triggers import MOVES
from shared.events.people import Identifier

if TYPE_CHECKING:
    from services.intake.store import Connection

# A feed is hardly ever this late: whose stays older moves took along is not looked at again.
REMEMBERED_DAYS = 7

REMEMBER = """
INSERT INTO stay_move AS m (message_id, source, target, account, authority, type, value, said, fact)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (message_id) DO UPDATE SET fact = excluded.fact WHERE m.fact IS NULL
"""
FORGET = "DELETE FROM stay_move WHERE message_id = $1"
# As an array: joined, the server walks through all moves at each merge.
LOOK_AGAIN = """
WITH who AS (
    SELECT id FROM patient_key WHERE id = ANY ($1) UNION SELECT id FROM patient_key WHERE survivor = ANY ($1)
), theirs AS (
    SELECT s.message_id FROM who JOIN stay_move s ON s.source = who.id
    UNION SELECT s.message_id FROM who JOIN stay_move s ON s.target = who.id
)
UPDATE stay_move SET traced_at = '-infinity' WHERE message_id = ANY (ARRAY(SELECT message_id FROM theirs))
"""
NEWEST = """
(SELECT message_id FROM stay_move WHERE traced_at = '-infinity' ORDER BY told_at, message_id LIMIT $1)
UNION
(SELECT message_id FROM stay_move ORDER BY told_at DESC, message_id DESC LIMIT $1)
"""
NEXT = """
SELECT message_id, told_at FROM stay_move
WHERE (told_at, message_id) > ($1, $2) AND told_at > now() - make_interval(days => $3)
ORDER BY told_at, message_id LIMIT $4
"""
# A minute before: who wrote then may have committed after the look.
DUE = """
SELECT m.message_id, m.source, m.target, m.account, m.authority, m.type, m.value, m.said, m.fact FROM stay_move m
WHERE m.message_id = ANY ($1) AND (m.traced_at = '-infinity' OR EXISTS (
    SELECT FROM patient_key k JOIN encounter e ON e.patient_id = coalesce(k.survivor, k.id)
    WHERE k.id IN (m.source, m.target) AND e.updated_at > m.traced_at - interval '1 minute'))
ORDER BY m.said LIMIT $2
"""
HELD = "SELECT id FROM message WHERE id = ANY ($1) AND outcome = 'held'"
TRACED = "UPDATE stay_move SET traced_at = clock_timestamp() + $2 WHERE message_id = ANY ($1)"
# From the patient whom a message names, along merges and moves, to the one whose the visit is now. A move that is held
# itself is taken up once the visit has followed it: see `due`.
# Who stands for somebody is looked up one by one: joined, the server walks through all patients each second.
SET_FREE = """
WITH RECURSIVE way AS (
    SELECT m.id, e.patient_id AS owner,
           coalesce((SELECT survivor FROM patient_key WHERE id = m.patient_id), m.patient_id) AS at
    FROM message m JOIN encounter e ON e.id = m.encounter_id
    WHERE m.outcome = 'held' AND m.reason = 'visit-of-another-patient' AND m.trigger <> ALL ($2)
    UNION
    SELECT w.id, w.owner, coalesce((SELECT survivor FROM patient_key WHERE id = m.target), m.target)
    FROM way w
    JOIN patient_key k ON k.id = w.at OR k.survivor = w.at
    JOIN stay_move m ON m.source = k.id
)
SELECT DISTINCT id FROM way WHERE at = owner ORDER BY id LIMIT $1
"""
# Also where the visit goes on under another number: what is told of the old one is told of that.
OWNERS = """
WITH RECURSIVE visit AS (
    SELECT e.patient_id, e.state -> 'merged_into' AS now FROM encounter e
    JOIN unnest($1::text[], $2::text[], $3::text[]) AS g (authority, type, value) USING (authority, type, value)
    UNION
    SELECT e.patient_id, e.state -> 'merged_into' FROM visit v
    JOIN encounter e ON (e.authority, e.type, e.value)
                      = (v.now ->> 'authority', v.now ->> 'type', v.now ->> 'value')
)
SELECT DISTINCT patient_id FROM visit
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


class Place(NamedTuple):
    """Where the last look at moves ended."""

    told_at: datetime
    message_id: UUID


START = Place(datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))


def move_in(message_id: UUID, adt: AdtMessage, source: str, target: str) -> Move:
    """What the message says. Raises ValueError where it says nothing of the kind."""
    former, fact = adt.former, adt.fact
    if former is None or fact is None:
        raise ValueError("the message moves nothing")
    account = None if adt.trigger in {"A43", "A45"} else former.account
    visit = former.visit if adt.trigger == "A45" else None
    account_of = (account.authority, account.value) if account else None
    return Move(message_id, source, target, fact.order, account_of, visit, fact)


async def remember(connection: "Connection", move: Move) -> None:
    account, visit, fact = move.account, move.visit, move.fact
    await connection.execute(
        REMEMBER,
        move.message_id,
        move.source,
        move.target,
        {"authority": account[0], "value": account[1]} if account else None,
        *((visit.authority, visit.type, visit.value) if visit else (None, None, None)),
        list(move.said),
        fact.as_json() if fact else None,
    )


async def forget(connection: "Connection", message_id: UUID) -> None:
    """What a person has skipped was not said, if it is a move at all."""
    await connection.execute(FORGET, message_id)


async def look_again(connection: "Connection", patients: Iterable[str]) -> None:
    """Who these patients are has changed: moves from and to them may concern other stays."""
    await connection.execute(LOOK_AGAIN, list(patients))


async def next_moves(connection: "Connection", after: "Place", newest: int, limit: int) -> tuple[list[UUID], "Place"]:
    """Moves to look at: new ones, and the next ones after that place, in turn; and where to go on from."""
    found = [row["message_id"] for row in await connection.fetch(NEWEST, newest)]
    rows = await connection.fetch(NEXT, after.told_at, after.message_id, REMEMBERED_DAYS, limit)
    place = Place(rows[-1]["told_at"], rows[-1]["message_id"]) if len(rows) == limit else START
    return [*found, *(row["message_id"] for row in rows)], place


async def due(connection: "Connection", message_ids: Sequence[UUID], limit: int) -> list[Move]:
    """Those of these moves from or to whose patients something of a stay has come since, in the order of saying."""
    rows = await connection.fetch(DUE, message_ids, limit)
    return [move_of(row) for row in rows]


async def held(connection: "Connection", message_ids: Sequence[UUID]) -> set[UUID]:
    """Those of these messages that are held."""
    return {row["id"] for row in await connection.fetch(HELD, message_ids)}


async def note_traced(connection: "Connection", message_ids: Sequence[UUID], ahead: timedelta = timedelta()) -> None:
    """They were looked at; `ahead`: what they did themselves needs no looking at again."""
    await connection.execute(TRACED, message_ids, ahead)


async def set_free(connection: "Connection", limit: int) -> list[UUID]:
    """Messages held because their visit was another patient's, to whom merges and moves lead now; oldest first."""
    return [row["id"] for row in await connection.fetch(SET_FREE, limit, sorted(MOVES))]


async def owners(connection: "Connection", visits: Iterable[Identifier]) -> set[str]:
    """Whose the visits are."""
    return {row["patient_id"] for row in await connection.fetch(OWNERS, *columns_of(list(visits)))}


def columns_of(visits: Sequence[Identifier]) -> tuple[list[str], list[str], list[str]]:
    return [v.authority for v in visits], [v.type for v in visits], [v.value for v in visits]


async def ways(connection: "Connection", records: Sequence[str]) -> frozenset[tuple[str, str]]:
    """Pairs of patients: whom a record stands for, and to whom its stays were moved, in however many steps."""
    return frozenset((row["named"], row["at"]) for row in await connection.fetch(WAYS, list(records)))


def move_of(row: Any) -> Move:
    account, visit = row["account"], row["value"]
    return Move(
        message_id=row["message_id"],
        source=row["source"],
        target=row["target"],
        said=order_of(row["said"]),
        account=(account["authority"], account["value"]) if account else None,
        visit=Identifier(authority=row["authority"], type=row["type"], value=visit) if visit else None,
        fact=StayFact.from_json(row["fact"]) if row["fact"] else None,
    )


def order_of(said: Sequence[Any]) -> OrderKey:
    recorded, sent, rank, control_id, digest = said
    return OrderKey(recorded, sent, int(rank), control_id, digest)
