"""SQL of counting: who must be counted anew, all that is known of them, and what was found."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from services.transitions.escalation import LAPSE
from services.transitions.evidence import Evidence, standing
from services.transitions.followed import Standing
from services.transitions.quality.outcome import History, Outcome, Owed, Told
from services.transitions.readmission import Stayed
from services.transitions.referrals import store as referrals
from services.transitions.referrals.referral import Referral
from services.transitions.risk.store import weighed_in
from shared.events.transitions import RiskScore, Task, Transition

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

MOST_WAITING = 10_000
# One counter at a time over all replicas; who holds it not has nothing to do.
ALONE = "SELECT pg_try_advisory_xact_lock(hashtext('quality counter'))"
# What is added for these patients while they are counted stays, and has them counted again.
TAKE = """
WITH first AS (SELECT patient_id FROM quality_uncounted WHERE patient_id <> ALL ($2) ORDER BY id LIMIT $1)
DELETE FROM quality_uncounted u USING (SELECT DISTINCT patient_id FROM first) f WHERE u.patient_id = f.patient_id
RETURNING u.patient_id
"""
FIRST = "SELECT patient_id FROM quality_uncounted WHERE patient_id <> ALL ($1) ORDER BY id LIMIT 1"
WAITING = "SELECT count(*) FROM (SELECT FROM quality_uncounted LIMIT $1) AS first"
CHANGED_EDITION = """
INSERT INTO quality_edition (edition) SELECT $1::text WHERE NOT EXISTS (SELECT FROM quality_edition WHERE edition = $1)
"""
OTHER_EDITIONS = "DELETE FROM quality_edition WHERE edition <> $1"
EVERYBODY = """
INSERT INTO quality_uncounted (patient_id)
SELECT patient_id FROM transition UNION SELECT patient_id FROM referral UNION SELECT patient_id FROM quality_outcome
"""
STAYS = """
SELECT patient_id, standing, readmission_indicator, body::text AS body, risk FROM transition
WHERE patient_id = ANY ($1) AND standing <> 'void'
"""
DEEDS = """
SELECT event_id, type, patient_id, at, recorded, of_event, transition_id, encounter_id, about, details::text AS details
FROM evidence WHERE patient_id = ANY ($1)
"""
TASKS = """
SELECT k.id, k.patient_id, k.body::text AS body, t.body::text AS transition
FROM task k JOIN transition t ON t.id = k.transition_id WHERE k.patient_id = ANY ($1)
"""
LEVELS = """
SELECT task_id, level, due_at, fired_at FROM task_timer
WHERE patient_id = ANY ($1) AND fired_at IS NOT NULL AND level < $2 ORDER BY task_id, level
"""
COLUMNS = (
    "measure, about, version, patient_id, transition_id, facility, organisation, counted_at, counted_on, closes_at, "
    "exclusion, met, met_at, event_id, value, why, expected, expected_most, expected_by"
)
# What closed so long ago stands as it was counted: the evidence that it was counted by may be forgotten by now
# (docs/retention.md: after six years). Five years are this house's own choice.
YOUNG = "closes_at > statement_timestamp() - interval '1825 days'"
GONE = f"""
DELETE FROM quality_outcome o WHERE patient_id = ANY ($1) AND o.{YOUNG} AND NOT EXISTS (
    SELECT FROM unnest($2::text[], $3::uuid[]) AS u (measure, about) WHERE (u.measure, u.about) = (o.measure, o.about))
"""
SAVE = f"""
INSERT INTO quality_outcome ({COLUMNS}, protocols)
SELECT {COLUMNS}, CASE protocols WHEN '' THEN '{{}}' ELSE string_to_array(protocols, ',') END
FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::timestamptz[],
    $9::date[], $10::timestamptz[], $11::text[], $12::bool[], $13::timestamptz[], $14::uuid[], $15::float[],
    $16::text[], $17::float[], $18::float[], $19::text[], $20::text[]) AS u ({COLUMNS}, protocols)
ON CONFLICT (measure, about) DO UPDATE SET
    version = excluded.version, patient_id = excluded.patient_id, transition_id = excluded.transition_id,
    facility = excluded.facility, organisation = excluded.organisation, protocols = excluded.protocols,
    counted_at = excluded.counted_at, counted_on = excluded.counted_on, closes_at = excluded.closes_at,
    exclusion = excluded.exclusion, met = excluded.met, met_at = excluded.met_at, event_id = excluded.event_id,
    value = excluded.value, why = excluded.why, expected = excluded.expected, expected_most = excluded.expected_most,
    expected_by = excluded.expected_by
WHERE (quality_outcome.*) IS DISTINCT FROM (excluded.*) AND quality_outcome.{YOUNG}
"""
# Two records became one: what stands as it was counted is the survivor's too.
MOVE = """
UPDATE quality_outcome o SET patient_id = u.patient_id
FROM unnest($1::text[], $2::uuid[], $3::text[]) AS u (measure, about, patient_id)
WHERE (o.measure, o.about) = (u.measure, u.about) AND o.patient_id <> u.patient_id
"""


async def is_alone(connection: "Connection") -> bool:
    """Whether this transaction may count; the lock is given back when it ends."""
    alone: bool = await connection.fetchval(ALONE)
    return alone


async def take_uncounted(connection: "Connection", limit: int, aside: Collection[str] = ()) -> list[str]:
    """Patients of the first changes that wait, up to `limit` of them, but for those `aside`; they are taken off the
    list with the transaction.
    """
    return sorted({row["patient_id"] for row in await connection.fetch(TAKE, limit, list(aside))})


async def first_uncounted(connection: "Connection", aside: Collection[str]) -> str | None:
    """Who would be counted next."""
    patient: str | None = await connection.fetchval(FIRST, list(aside))
    return patient


async def waiting(connection: "Connection") -> int:
    """How many changes wait to be counted; a long list is not walked to its end."""
    count: int = await connection.fetchval(WAITING, MOST_WAITING)
    return count


async def note_edition(connection: "Connection", edition: str) -> bool:
    """Whether the measures differ from those that everybody was counted by; then everybody is to be counted anew."""
    if await connection.execute(CHANGED_EDITION, edition) == "INSERT 0 0":
        return False
    await connection.execute(OTHER_EDITIONS, edition)
    await connection.execute(EVERYBODY)
    return True


async def histories(connection: "Connection", patients: Sequence[str]) -> list[History]:
    (stays, scores), deeds = await _stays(connection, patients), await _deeds(connection, patients)
    owed, asked = await _owed(connection, patients), await _referrals(connection, patients)
    return [
        History(
            who,
            stays=tuple(stays.get(who, ())),
            deeds=tuple(sorted(standing(deeds.get(who, ())), key=lambda deed: deed.order)),
            referrals=tuple(asked.get(who, ())),
            tasks=tuple(owed.get(who, ())),
            scores={stay.transition.id: scores[stay.transition.id] for stay in stays.get(who, ())},
        )
        for who in patients
    ]


async def _stays(
    connection: "Connection", patients: Sequence[str]
) -> tuple[Mapping[str, list[Stayed]], Mapping[UUID, tuple[RiskScore, ...]]]:
    """By patient; and the scores of each."""
    found: dict[str, list[Stayed]] = defaultdict(list)
    scores: dict[UUID, tuple[RiskScore, ...]] = {}
    for row in await connection.fetch(STAYS, patients):
        told = Transition.model_validate_json(row["body"])
        is_over = row["standing"] == Standing.DISCHARGED
        found[row["patient_id"]].append(Stayed(told, is_over, row["readmission_indicator"]))
        scores[told.id] = weighed_in(row["risk"]).scores
    return found, scores


async def _deeds(connection: "Connection", patients: Sequence[str]) -> Mapping[str, list[Evidence]]:
    found: dict[str, list[Evidence]] = defaultdict(list)
    for row in await connection.fetch(DEEDS, patients):
        found[row["patient_id"]].append(Evidence(**dict(row) | {"details": orjson.loads(row["details"])}))
    return found


async def _owed(connection: "Connection", patients: Sequence[str]) -> Mapping[str, list[Owed]]:
    levels: dict[UUID, list[Told]] = defaultdict(list)
    for row in await connection.fetch(LEVELS, patients, LAPSE):
        levels[row["task_id"]].append(Told(row["level"], row["due_at"], row["fired_at"]))
    found: dict[str, list[Owed]] = defaultdict(list)
    for row in await connection.fetch(TASKS, patients):
        stay = Transition.model_validate_json(row["transition"])
        task = Task.model_validate_json(row["body"])
        found[row["patient_id"]].append(Owed(stay, task, tuple(levels.get(row["id"], ()))))
    return found


async def _referrals(connection: "Connection", patients: Sequence[str]) -> Mapping[str, list[Referral]]:
    found: dict[str, list[Referral]] = defaultdict(list)
    for one in await referrals.load(connection, patients):
        found[one.patient_id].append(one)
    return found


async def save_outcomes(connection: "Connection", patients: Collection[str], found: Sequence[Outcome]) -> None:
    """What is said of these patients now; what was said of them before and is no longer is gone. What closed years
    ago stands as it was counted.
    """
    named = ([one.measure for one in found], [one.about for one in found])
    await connection.execute(GONE, list(patients), *named)
    if found:
        await connection.execute(SAVE, *_columns(_row(one) for one in found))
        await connection.execute(MOVE, *named, [one.patient_id for one in found])


def _row(one: Outcome) -> tuple[Any, ...]:
    return (
        *(one.measure, one.about, one.version, one.patient_id, one.transition_id, one.facility, one.organisation),
        *(one.counted_at, one.counted_on, one.closes_at, one.exclusion, one.met, one.met_at, one.event_id, one.value),
        *(one.why, one.expected, one.expected_most, one.expected_by, ",".join(one.protocols)),
    )


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
