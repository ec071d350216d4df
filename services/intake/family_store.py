"""The SQL of whose stays are: the records that they may have passed between, and what was said of these."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

import orjson

from services.intake.chart import Stay
from services.intake.encounter import state_as_json
from services.intake.message import OrderKey
from services.intake.move_store import columns_of, move_of, order_of
from services.intake.tracing import Joined, Move
from shared.events.people import Identifier

if TYPE_CHECKING:
    from services.intake.store import Connection

# Where stays of these records may have come: to records that were said to be the same patient, and to those that moves
# lead to; of moves only those that were said since ($2), if that is given.
FAMILY = """
WITH RECURSIVE family AS (
    SELECT unnest($1::text[]) AS id
    UNION
    SELECT next.id FROM family f CROSS JOIN LATERAL (
        SELECT j.survivor AS id FROM same_patient j WHERE j.retired = f.id
        UNION ALL SELECT j.retired FROM same_patient j WHERE j.survivor = f.id
        UNION ALL SELECT m.target FROM stay_move m WHERE m.source = f.id AND ($2::jsonb IS NULL OR m.said >= $2)
    ) next
)
SELECT id FROM family ORDER BY id
"""
MOVES_OF = """
SELECT m.message_id, m.source, m.target, m.account, m.authority, m.type, m.value, m.said, m.fact
FROM stay_move m WHERE m.source = ANY ($1)
"""
JOINS_OF = "SELECT retired, survivor, said FROM same_patient WHERE retired = ANY ($1)"
NOW_UNDER = """
WITH RECURSIVE way AS (
    SELECT n, a, t, v, 0 AS hops FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS g (a, t, v, n)
    UNION ALL
    SELECT w.n, e.state #>> '{merged_into,authority}', e.state #>> '{merged_into,type}',
           e.state #>> '{merged_into,value}', w.hops + 1
    FROM way w JOIN encounter e ON (e.authority, e.type, e.value) = (w.a, w.t, w.v)
    WHERE e.state ? 'merged_into' AND w.hops < 10
)
SELECT DISTINCT ON (n) n, a, t, v FROM way ORDER BY n, hops DESC
"""
SURVIVING = """
SELECT r.id, coalesce(k.survivor, r.id) AS survivor FROM unnest($1::text[]) AS r (id) LEFT JOIN patient_key k USING (id)
"""
STAYS_OF = "SELECT id FROM encounter WHERE patient_id = ANY ($1) AND NOT state ? 'merged_into' ORDER BY id"
SETTLE = """
UPDATE encounter e SET patient_id = t.patient_id, version = t.version, status = t.status, state = t.state,
                       announced = t.announced, updated_at = now()
FROM jsonb_to_recordset($1) AS t (id uuid, patient_id text, version integer, status text, state jsonb, announced jsonb)
WHERE e.id = t.id
"""
SAME = """
INSERT INTO same_patient (cause, retired, survivor, said) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
APART = """
DELETE FROM same_patient
WHERE (retired = ANY ($1) OR survivor = ANY ($1)) AND (retired = ANY ($1)) <> (survivor = ANY ($1))
"""


class Family(NamedTuple):
    """Records that stays may have passed between, the moves from them, and which of them were said to be one."""

    records: tuple[str, ...]
    moves: tuple[Move, ...]
    joins: tuple[Joined, ...]


async def led_to(connection: "Connection", records: Iterable[str], since: OrderKey | None = None) -> list[str]:
    """The records where stays of these may have come."""
    said = list(since) if since else None
    return [row["id"] for row in await connection.fetch(FAMILY, sorted(set(records)), said)]


async def family(connection: "Connection", records: Iterable[str]) -> Family:
    """Of these records."""
    found = await led_to(connection, records)
    moves = [move_of(row) for row in await connection.fetch(MOVES_OF, found)]
    now = await _now_under(connection, {move.visit for move in moves if move.visit})
    moves = [replace(move, visit=now[move.visit]) if move.visit else move for move in moves]
    joins = await connection.fetch(JOINS_OF, found)
    joined = (Joined(row["retired"], row["survivor"], order_of(row["said"])) for row in joins)
    return Family(tuple(found), tuple(moves), tuple(joined))


async def _now_under(connection: "Connection", visits: Iterable[Identifier]) -> dict[Identifier, Identifier]:
    """The number under which each of these visits goes on."""
    listed = list(visits)
    if not listed:
        return {}
    rows = await connection.fetch(NOW_UNDER, *columns_of(listed))
    return {listed[row["n"] - 1]: Identifier(authority=row["a"], type=row["t"], value=row["v"]) for row in rows}


async def surviving(connection: "Connection", records: Iterable[str]) -> dict[str, str]:
    """Whom each of these records stands for now, unlocked."""
    return {row["id"]: row["survivor"] for row in await connection.fetch(SURVIVING, list(records))}


async def stay_ids(connection: "Connection", patients: Iterable[str]) -> list[UUID]:
    """The stays of these patients, but for what is left under old numbers."""
    return [row["id"] for row in await connection.fetch(STAYS_OF, sorted(set(patients)))]


async def save_settled(connection: "Connection", stays: Sequence[Stay]) -> None:
    rows = [
        {
            "id": stay.identity.id,
            "patient_id": stay.patient_id,
            "version": stay.version,
            "status": stay.state.status,
            "state": orjson.Fragment(state_as_json(stay.state)),
            "announced": stay.announced,
        }
        for stay in stays
    ]
    if rows:
        await connection.execute(SETTLE, orjson.dumps(rows))


async def say_same(connection: "Connection", cause: UUID, retired: str, survivor: str, said: OrderKey) -> None:
    """Both records were said to be one patient."""
    await connection.execute(SAME, cause, retired, survivor, list(said))


async def say_apart(connection: "Connection", records: Iterable[str]) -> None:
    """That these records are one with others was never so."""
    await connection.execute(APART, list(records))
