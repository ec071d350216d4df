"""All SQL of risk scores and of the laboratory values they ask for."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from services.transitions.episodes import Bed
from services.transitions.risk.inputs import Background, Result
from services.transitions.risk.scoring import NOT_WEIGHED, Weighed
from services.transitions.rounds import Aside
from shared.events import Draft
from shared.events.transitions import RiskScore, RiskScored, Transition

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

LONGEST_MEMORY = timedelta(days=2 * 366)
"""How far back stays may count for a score (`inputs.admission_months` has this bound)."""
LONGEST_STAY = timedelta(days=366)

# One round trip for all patients of a batch: stays that are over, laboratory values, people's word, and the clock.
BEHIND = """
SELECT p.id AS patient_id, (SELECT clock_timestamp()) AS now,
    ARRAY(SELECT t.body::text FROM transition t
          WHERE t.patient_id = p.id AND t.standing <> 'void' AND t.admitted_at > $3 AND t.id <> ALL ($2)) AS past,
    (SELECT jsonb_agg(jsonb_build_array(l.analyte, l.at, l.value::text)) FROM laboratory l
     WHERE l.patient_id = p.id AND NOT l.withdrawn AND l.value IS NOT NULL AND l.at > $4)::text AS results,
    (SELECT jsonb_agg(jsonb_build_array(r.transition_id, r.name, r.value))
     FROM transition t JOIN risk_input r ON r.transition_id = t.id WHERE t.patient_id = p.id)::text AS said
FROM unnest($1::text[]) AS p (id)
"""
KEEP_SCORES = """
INSERT INTO risk_score (transition_id, number, score, version, points, lowest, highest, band, expected, provisional,
    missing, inputs)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING
"""
KEPT = """
SELECT number, score, version, points, lowest, highest, band, provisional, missing, inputs::text AS inputs, at
FROM risk_score
WHERE transition_id = $1 ORDER BY number DESC, score LIMIT $2
"""
SAY = """
INSERT INTO risk_input (transition_id, name, value, by, at) VALUES ($1, $2, $3, $4, clock_timestamp())
ON CONFLICT (transition_id, name) DO UPDATE SET value = excluded.value, by = excluded.by, at = excluded.at
"""
# Of one result the word that was recorded last holds.
KEEP_RESULTS = """
INSERT INTO laboratory AS l (id, patient_id, analyte, at, value, withdrawn, known_at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::numeric[], $6::bool[],
    $7::timestamptz[])
ON CONFLICT (id) DO UPDATE SET analyte = excluded.analyte, at = excluded.at, value = excluded.value,
    withdrawn = excluded.withdrawn, known_at = excluded.known_at
WHERE l.known_at <= excluded.known_at
"""
DUE = """
SELECT id, patient_id FROM transition WHERE recount_at <= statement_timestamp() AND id <> ALL ($2)
ORDER BY recount_at, id LIMIT $1
"""
ENCOUNTERS = "SELECT encounter_id FROM transition WHERE id = ANY ($1)"

ResultRow = tuple[UUID, str, str, datetime, Decimal | None, bool, datetime]


async def behind(
    connection: "Connection", patients: Collection[str], near: Collection[UUID], since: datetime
) -> dict[str, Background]:
    """What bears on the scores of these patients beside their followed stays (`near`)."""
    given = (sorted(patients), list(near), since - LONGEST_MEMORY, since - LONGEST_STAY)
    return {row["patient_id"]: _background(row) for row in await connection.fetch(BEHIND, *given)}


def _background(row: Any) -> Background:
    said: dict[UUID, dict[str, Any]] = {}
    for transition_id, name, value in orjson.loads(row["said"] or b"[]"):
        said.setdefault(UUID(transition_id), {})[name] = value
    results = orjson.loads(row["results"] or b"[]")
    return Background(
        past=tuple(Bed.of(Transition.model_validate_json(body)) for body in row["past"]),
        results=tuple(Result(analyte, datetime.fromisoformat(at), Decimal(value)) for analyte, at, value in results),
        said=said,
        now=row["now"],
    )


def weighed_in(stored: Any) -> Weighed:
    """The scores of a row, as they were computed last."""
    if stored is None:
        return NOT_WEIGHED
    inputs = {name: tuple(v) if isinstance(v, list) else v for name, v in stored["inputs"].items()}
    return Weighed(tuple(RiskScore.model_validate(s) for s in stored["scores"]), tuple(sorted(inputs.items())))


def row_of(weighed: Weighed) -> bytes | None:
    if not weighed.scores:
        return None
    scores = [score.model_dump(mode="json") for score in weighed.scores]
    return orjson.dumps({"scores": scores, "inputs": dict(weighed.inputs)})


async def keep(connection: "Connection", drafts: Iterable[Draft]) -> None:
    """Keeps the scores that are said with their inputs: any can be computed again and explained."""
    rows = [row for draft in drafts if isinstance(draft.fact, RiskScored) for row in _score_rows(draft.fact)]
    if rows:
        await connection.executemany(KEEP_SCORES, rows)


def _score_rows(fact: RiskScored) -> Iterable[tuple[Any, ...]]:
    number = fact.transition.version
    for s in fact.scores:
        told = (s.points, s.lowest, s.highest, s.band, s.expected, s.provisional, list(s.missing))
        yield (fact.transition.id, number, s.name, s.version, *told, fact.inputs)


async def kept(connection: "Connection", transition_id: UUID, limit: int) -> list[Mapping[str, Any]]:
    """The stay's scores as they were said, newest first."""
    rows = await connection.fetch(KEPT, transition_id, limit)
    return [dict(row) | {"inputs": orjson.loads(row["inputs"])} for row in rows]


async def say(connection: "Connection", transition_id: UUID, told: Mapping[str, Any], by: str) -> None:
    """What people know of the stay: the last word on each input."""
    await connection.executemany(SAY, [(transition_id, name, value, by) for name, value in told.items()])


async def keep_results(connection: "Connection", rows: Sequence[ResultRow]) -> None:
    """Each result once: the word recorded last."""
    newest = {row[0]: row for row in sorted(rows, key=lambda row: row[-1])}
    if newest:
        await connection.execute(KEEP_RESULTS, *(list(column) for column in zip(*newest.values(), strict=True)))


async def due(connection: "Connection", limit: int, aside: Aside = ()) -> dict[UUID, str]:
    """Transitions whose stay has lasted long enough for another score, but for those `aside`, and whose they are."""
    return {row["id"]: row["patient_id"] for row in await connection.fetch(DUE, limit, list(aside))}


async def encounters(connection: "Connection", transitions: Collection[UUID]) -> list[UUID]:
    return [row["encounter_id"] for row in await connection.fetch(ENCOUNTERS, list(transitions))]
