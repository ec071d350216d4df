"""All SQL of matching: the queue, blocking keys, pairs, joins. Arrays, never a statement per row."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from services.intake.identity.scoring import Score
from shared.events import uuid7

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

TAKE = """
DELETE FROM identity_queue WHERE id IN (SELECT id FROM identity_queue ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING patient_id
"""
# Whoever was merged away meanwhile is looked at as the survivor.
SURVIVORS = "SELECT id, coalesce(survivor, id) AS survivor FROM patient_key WHERE id = ANY ($1)"
RECORDS = "SELECT id, record FROM patient WHERE id = ANY ($1)"
ADD_KEYS = """
INSERT INTO identity_key (key, patient_id) SELECT * FROM unnest($1::bigint[], $2::text[]) ORDER BY 1, 2
ON CONFLICT DO NOTHING
"""
# A key that too many share tells nobody apart: it is passed over, and costs one look at an index however many they are.
CANDIDATES = """
SELECT DISTINCT least(q.patient_id, found.patient_id) AS one, greatest(q.patient_id, found.patient_id) AS other
FROM unnest($1::bigint[], $2::text[]) AS q (key, patient_id)
CROSS JOIN LATERAL (
    SELECT array_agg(patient_id) AS sharing FROM (
        SELECT coalesce(p.survivor, p.id) AS patient_id FROM (
            SELECT k.patient_id FROM identity_key k WHERE k.key = q.key LIMIT $3 + 1
        ) sharer JOIN patient_key p ON p.id = sharer.patient_id
    ) resolved
) block
CROSS JOIN LATERAL unnest(block.sharing) AS found (patient_id)
WHERE cardinality(block.sharing) <= $3 AND found.patient_id <> q.patient_id
"""
DECIDED = """
SELECT one, other FROM identity_pair JOIN unnest($1::text[], $2::text[]) AS t (one, other) USING (one, other)
WHERE decided_at IS NOT NULL
"""
# A pair that a person has decided stays as it is, whatever the score becomes.
KEEP_PAIRS = """
INSERT INTO identity_pair AS p (id, one, other, state, grade, score, probability, parts, guards, weights)
SELECT id, one, other, state, grade, score, probability, parts, guards, weights
FROM jsonb_to_recordset($1) AS t (
    id uuid, one text, other text, state text, grade text, score float8, probability float8, parts jsonb,
    guards text[], weights text
) ORDER BY one, other
ON CONFLICT (one, other) DO UPDATE SET
    state = excluded.state, grade = excluded.grade, score = excluded.score, probability = excluded.probability,
    parts = excluded.parts, guards = excluded.guards, weights = excluded.weights, version = p.version + 1
WHERE p.state IN ('linking', 'review')
"""
# What no longer reaches the review's threshold is no longer asked about.
DROP_PAIRS = """
DELETE FROM identity_pair p USING unnest($1::text[], $2::text[]) AS t (one, other)
WHERE p.one = t.one AND p.other = t.other AND p.state IN ('linking', 'review')
"""
TO_LINK = "SELECT id, one, other, parts, version FROM identity_pair WHERE state = 'linking' ORDER BY id LIMIT $1"
DECIDE = """
UPDATE identity_pair SET state = $3, decided_at = clock_timestamp(), decided_by = $4, note = $5, version = version + 1
WHERE id = $1 AND ($2::integer IS NULL OR version = $2) AND state = ANY ($6) RETURNING version
"""
POSTPONE = """
UPDATE identity_pair SET state = 'review', version = version + 1 WHERE id = $1 AND state = 'linking'
"""
SET_DISTINCT = """
INSERT INTO identity_pair (id, one, other, state, grade, score, probability, parts, guards, weights, decided_at,
                           decided_by, note)
VALUES ($1, least($2, $3), greatest($2, $3), 'distinct', 'certainly-not', 0, 0, '[]', '{}', '', clock_timestamp(),
        $4, $5)
ON CONFLICT (one, other) DO UPDATE SET state = 'distinct', decided_at = excluded.decided_at,
    decided_by = excluded.decided_by, note = excluded.note, version = identity_pair.version + 1
"""
QUEUE = "INSERT INTO identity_queue (patient_id) SELECT unnest($1::text[])"


class Pair(NamedTuple):
    """Two patients who may be one; `one` sorts before `other`."""

    one: str
    other: str


class Keyed(NamedTuple):
    """A patient under one blocking key."""

    key: int
    patient_id: str


async def take(connection: "Connection", most: int) -> list[str]:
    """Takes patients from the queue, oldest first: they come back if the transaction fails."""
    return [row["patient_id"] for row in await connection.fetch(TAKE, most)]


async def queue(connection: "Connection", patients: Collection[str]) -> None:
    await connection.execute(QUEUE, list(patients))


async def survivors(connection: "Connection", patients: Iterable[str]) -> dict[str, str]:
    rows = await connection.fetch(SURVIVORS, list(patients))
    return {row["id"]: row["survivor"] for row in rows}


async def records(connection: "Connection", patients: Collection[str]) -> dict[str, Any]:
    """The records as stored, by patient."""
    return {row["id"]: row["record"] for row in await connection.fetch(RECORDS, list(patients))}


async def add_keys(connection: "Connection", keyed: Sequence[Keyed]) -> None:
    await connection.execute(ADD_KEYS, *_columns(keyed, 2))


async def candidates(connection: "Connection", keyed: Sequence[Keyed], block_most: int) -> list[Pair]:
    """Pairs of these with whoever shares a key, each once."""
    return [Pair(**dict(row)) for row in await connection.fetch(CANDIDATES, *_columns(keyed, 2), block_most)]


async def decided(connection: "Connection", pairs: Sequence[Pair]) -> set[Pair]:
    """Those that a person, or a link, has decided already."""
    return {Pair(**dict(row)) for row in await connection.fetch(DECIDED, *_columns(pairs, 2))}


async def keep_pairs(connection: "Connection", found: Mapping[Pair, tuple[str, Score]], weights: str) -> None:
    """`found` says for each pair its state (`linking` or `review`) and score."""
    await connection.execute(KEEP_PAIRS, [_pair_row(pair, *one, weights) for pair, one in found.items()])


def _pair_row(pair: Pair, state: str, score: Score, weights: str) -> dict[str, object]:
    return {
        "id": uuid7(),
        **pair._asdict(),
        "state": state,
        "grade": score.grade,
        "score": score.total,
        "probability": score.probability,
        "parts": [part._asdict() for part in score.parts],
        "guards": score.guards,
        "weights": weights,
    }


async def drop_pairs(connection: "Connection", pairs: Sequence[Pair]) -> None:
    await connection.execute(DROP_PAIRS, *_columns(pairs, 2))


async def to_link(connection: "Connection", most: int) -> list[tuple[UUID, Pair]]:
    return [(row["id"], Pair(row["one"], row["other"])) for row in await connection.fetch(TO_LINK, most)]


async def decide(
    connection: "Connection",
    pair_id: UUID,
    version: int | None,
    state: str,
    *,
    by: str | None,
    note: str | None,
    among: Sequence[str],
) -> int | None:
    """The new version; None when the pair has changed meanwhile or stands in none of `among`."""
    decided: int | None = await connection.fetchval(DECIDE, pair_id, version, state, by, note, list(among))
    return decided


async def leave_to_a_person(connection: "Connection", pair_id: UUID) -> None:
    await connection.execute(POSTPONE, pair_id)


async def keep_apart(connection: "Connection", one: str, other: str, by: str, note: str) -> None:
    """A person has said that these are two people."""
    await connection.execute(SET_DISTINCT, uuid7(), one, other, by, note)


def _columns(rows: Sequence[Sequence[object]], width: int) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
