"""The SQL of reading messages of the log once more: what they did, and what takes its place."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from services.intake.chart import Patient, Stay
from services.intake.encounter import state_as_json
from services.intake.message import StayFact
from services.intake.patient import record_as_json
from services.intake.searching import conditions
from shared.events import uuid7
from shared.events.people import Identifier

if TYPE_CHECKING:
    from services.intake.store import Connection

MESSAGES = """
SELECT id, received_at, outcome, reason, feed, doubts, control_id, trigger, patient_id, encounter_id, version, raw
FROM message WHERE id = ANY ($1) ORDER BY id
"""
VERSIONS = "SELECT id, version FROM message WHERE id = ANY ($1) ORDER BY id FOR UPDATE"
STAY_IDS = """
SELECT e.id FROM unnest($1::text[], $2::text[], $3::text[]) AS v (authority, type, value)
JOIN encounter e USING (authority, type, value)
UNION SELECT unnest($4::uuid[])
"""
FACTS = "SELECT encounter_id, message_id, fact FROM encounter_fact WHERE encounter_id = ANY ($1)"
SAVE_MESSAGES = """
UPDATE message m SET feed = t.feed, trigger = t.trigger, outcome = t.outcome, reason = t.reason, doubts = t.doubts,
                     patient_id = t.patient_id, encounter_id = t.encounter_id, effects = m.effects || t.effects,
                     decided_by = $2, version = m.version + 1
FROM jsonb_to_recordset($1) AS t (id uuid, feed text, trigger text, outcome text, reason text, doubts text,
                                  patient_id text, encounter_id uuid, effects jsonb)
WHERE m.id = t.id
"""
SAVE_KEYS = """
INSERT INTO message_key (feed, control_id, sha256, message_id)
SELECT feed, control_id, sha256, id FROM message WHERE id = ANY ($1) ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING
"""
SAVE_PATIENTS = """
INSERT INTO patient AS p (id, version, record)
SELECT * FROM jsonb_to_recordset($1) AS t (id text, version integer, record jsonb)
ON CONFLICT (id) DO UPDATE SET version = excluded.version, record = excluded.record, updated_at = now()
"""
SAVE_STAYS = """
INSERT INTO encounter AS e (id, authority, type, value, patient_id, feed, facility, version, status, state, announced)
SELECT * FROM jsonb_to_recordset($1) AS t (
    id uuid, authority text, type text, value text, patient_id text, feed text, facility jsonb, version integer,
    status text, state jsonb, announced jsonb
)
ON CONFLICT (id) DO UPDATE SET version = excluded.version, status = excluded.status, state = excluded.state,
                               announced = excluded.announced, updated_at = now()
"""
DROP_FACTS = """
DELETE FROM encounter_fact f USING unnest($1::uuid[], $2::uuid[]) AS t (encounter_id, message_id)
WHERE f.encounter_id = t.encounter_id AND f.message_id = t.message_id
"""
SAVE_FACTS = """
INSERT INTO encounter_fact (encounter_id, message_id, fact)
SELECT * FROM jsonb_to_recordset($1) AS t (encounter_id uuid, message_id uuid, fact jsonb)
ON CONFLICT (encounter_id, message_id) DO UPDATE SET fact = excluded.fact
"""
BEGIN = """
INSERT INTO replay (id, asked_by, filters, is_dry, carries_out) VALUES ($1, $2, $3, $4, $5)
"""
# Whoever the patient was merged into counts as the patient; a message that has none yet stands by itself.
CHOOSE = """
WITH chosen AS (
    SELECT m.id, coalesce(k.survivor, m.patient_id, m.id::text) AS queue
    FROM message m LEFT JOIN patient_key k ON k.id = m.patient_id
    WHERE {where} AND m.reason IS DISTINCT FROM 'skipped-by-person'
    ORDER BY m.id LIMIT {most}
), headed AS (
    SELECT id, queue, first_value(id) OVER (PARTITION BY queue ORDER BY id) AS head FROM chosen
), placed AS (
    SELECT id, queue, row_number() OVER (ORDER BY head, queue, id) AS place FROM headed
)
INSERT INTO replay_message (replay_id, message_id, place, last_place)
SELECT $1, id, place, max(place) OVER (PARTITION BY queue) FROM placed
"""
CHOOSE_AGAIN = """
INSERT INTO replay_message (replay_id, place, last_place, message_id)
SELECT $1, place, last_place, message_id FROM replay_message WHERE replay_id = $2
"""
TOTAL = """
UPDATE replay SET total = (SELECT count(*) FROM replay_message WHERE replay_id = $1) WHERE id = $1 RETURNING total
"""
OLDEST = """
SELECT id, is_dry, place, asked_by FROM replay WHERE state = 'running' ORDER BY asked_at LIMIT 1
"""
# Whole patients, about as many messages as asked.
PORTION = """
SELECT place, last_place, message_id FROM replay_message
WHERE replay_id = $1 AND place > $2 AND place <= (
    SELECT max(last_place) FROM (
        SELECT last_place FROM replay_message WHERE replay_id = $1 AND place > $2 ORDER BY place LIMIT $3
    ) first
) ORDER BY place
"""
NOTE = """
UPDATE replay_message r SET found = t.found, difference = t.difference
FROM jsonb_to_recordset($2) AS t (place bigint, found text, difference jsonb)
WHERE r.replay_id = $1 AND r.place = t.place
"""
ADVANCE = "UPDATE replay SET place = $3 WHERE id = $1 AND place = $2 AND state = 'running' RETURNING place"
FINISH = """
UPDATE replay SET state = $2, finished_at = clock_timestamp() WHERE id = $1 AND state = 'running' RETURNING id
"""
_SHOWN = """
SELECT r.id, r.asked_at, r.asked_by, r.filters, r.is_dry, r.carries_out, r.state, r.total, r.place AS read,
       r.finished_at
FROM replay r
"""
REPLAY = _SHOWN + "WHERE r.id = $1"
REPLAYS = _SHOWN + "ORDER BY r.asked_at DESC LIMIT 50"
FOUND = """
SELECT count(*) FILTER (WHERE found = 'changed') AS changed, count(*) FILTER (WHERE found = 'unchanged') AS unchanged,
       count(*) FILTER (WHERE found = 'left') AS left, count(*) FILTER (WHERE found = 'failed') AS failed
FROM replay_message WHERE replay_id = $1
"""
EVENTS = """
SELECT event AS type, count(*) AS count FROM replay_message r, jsonb_array_elements_text(r.difference -> 'events') event
WHERE r.replay_id = $1 AND r.found = 'changed' GROUP BY 1 ORDER BY 2 DESC, 1
"""
DIFFERENCES = """
SELECT r.place, r.message_id, r.found, r.difference, m.feed, m.trigger, m.control_id
FROM replay_message r LEFT JOIN message m ON m.id = r.message_id
WHERE r.replay_id = $1 AND r.place > $2 AND r.found IN ('changed', 'left', 'failed') ORDER BY r.place LIMIT $3
"""


async def messages(connection: "Connection", ids: Sequence[UUID]) -> list[Any]:
    """In the order of their arrival."""
    return await connection.fetch(MESSAGES, ids)


async def versions(connection: "Connection", ids: Sequence[UUID]) -> dict[UUID, int]:
    """Locks the messages until the end of the transaction."""
    return {row["id"]: row["version"] for row in await connection.fetch(VERSIONS, ids)}


async def stay_ids(connection: "Connection", visits: Iterable[Identifier], ids: Iterable[UUID]) -> list[UUID]:
    columns = [list(column) for column in zip(*((v.authority, v.type, v.value) for v in visits), strict=True)]
    rows = await connection.fetch(STAY_IDS, *(columns or [[], [], []]), list(ids))
    return [row["id"] for row in rows]


async def facts(connection: "Connection", ids: Sequence[UUID]) -> dict[UUID, dict[UUID, StayFact]]:
    """Every fact of these stays, by stay and message."""
    found: dict[UUID, dict[UUID, StayFact]] = {}
    for row in await connection.fetch(FACTS, ids):
        found.setdefault(row["encounter_id"], {})[row["message_id"]] = StayFact.from_json(row["fact"])
    return found


async def save_messages(connection: "Connection", rows: Sequence[Mapping[str, object]], actor: str) -> None:
    await connection.execute(SAVE_MESSAGES, orjson.dumps(rows, default=str), actor)
    await connection.execute(SAVE_KEYS, [row["id"] for row in rows if row["outcome"] == "accepted"])


async def save_patients(connection: "Connection", patients: Iterable[Patient]) -> None:
    rows = [{"id": one.id, "version": one.version, "record": record_as_json(one.record)} for one in patients]
    if rows:
        await connection.execute(SAVE_PATIENTS, orjson.dumps(rows, default=str))


async def save_stays(connection: "Connection", stays: Iterable[Stay]) -> None:
    rows = [_stay_row(stay) for stay in stays]
    if rows:
        await connection.execute(SAVE_STAYS, orjson.dumps(rows, default=str))


def _stay_row(stay: Stay) -> dict[str, object]:
    visit = stay.identity.visit
    return {
        "id": stay.identity.id,
        "authority": visit.authority,
        "type": visit.type,
        "value": visit.value,
        "patient_id": stay.patient_id,
        "feed": stay.identity.feed,
        "facility": stay.identity.facility.model_dump(mode="json", exclude_none=True),
        "version": stay.version,
        "status": stay.state.status,
        "state": orjson.Fragment(state_as_json(stay.state)),
        "announced": [
            {"key": one.key, "kind": one.kind, "event_id": one.event_id, "at": one.at, "detail": one.detail}
            for one in stay.announced
        ],
    }


async def drop_facts(connection: "Connection", keys: Sequence[tuple[UUID, UUID]]) -> None:
    """`keys`: stay and message."""
    if keys:
        await connection.execute(DROP_FACTS, [stay for stay, _ in keys], [message for _, message in keys])


async def save_facts(connection: "Connection", told: Iterable[tuple[UUID, UUID, StayFact]]) -> None:
    rows = [{"encounter_id": stay, "message_id": message, "fact": fact.as_json()} for stay, message, fact in told]
    if rows:
        await connection.execute(SAVE_FACTS, orjson.dumps(rows, default=str))


async def begin(
    connection: "Connection", actor: str, filters: Mapping[str, object], *, is_dry: bool, most: int
) -> tuple[UUID, int]:
    """A replay of the messages that fit now, at most so many, the oldest first; answers its id and their number."""
    replay_id = uuid7()
    await connection.execute(BEGIN, replay_id, actor, orjson.loads(orjson.dumps(filters)), is_dry, None)
    where, arguments = conditions(filters, first=2)
    sql = CHOOSE.format(where=where, most=int(most))
    await connection.execute(sql, replay_id, *arguments, timeout=600)
    return replay_id, await connection.fetchval(TOTAL, replay_id)


async def begin_again(connection: "Connection", actor: str, dry: Mapping[str, Any]) -> UUID:
    """The replay that carries out a dry run: of the very same messages."""
    replay_id = uuid7()
    is_dry = False
    await connection.execute(BEGIN, replay_id, actor, dry["filters"], is_dry, dry["id"])
    await connection.execute(CHOOSE_AGAIN, replay_id, dry["id"], timeout=600)
    await connection.execute(TOTAL, replay_id)
    return replay_id


async def oldest(connection: "Connection") -> Any:
    """The replay that is to go on: the oldest one that is running; None when there is none."""
    return await connection.fetchrow(OLDEST)


async def portion(connection: "Connection", replay_id: UUID, after: int, size: int) -> list[Any]:
    """The next messages (place, last_place, message_id), whole patients at a time."""
    return await connection.fetch(PORTION, replay_id, after, size)


async def note(
    connection: "Connection", replay_id: UUID, rows: Sequence[Mapping[str, object]], *, after: int, place: int
) -> bool:
    """What was found from `after` up to `place`. False when another replica has done it, or it was cancelled."""
    await connection.execute(NOTE, replay_id, orjson.dumps(rows, default=str))
    return await connection.fetchval(ADVANCE, replay_id, after, place) is not None


async def finish(connection: "Connection", replay_id: UUID, state: str) -> bool:
    return await connection.fetchval(FINISH, replay_id, state) is not None


async def replay(connection: "Connection", replay_id: UUID) -> dict[str, Any] | None:
    """How far it is and what it found, with the events that it caused or, dry, would cause."""
    row = await connection.fetchrow(REPLAY, replay_id)
    if row is None:
        return None
    events = [dict(event) for event in await connection.fetch(EVENTS, replay_id)]
    return {**row, **(await connection.fetchrow(FOUND, replay_id) or {}), "events": events}


async def replays(connection: "Connection") -> list[dict[str, Any]]:
    return [dict(row) for row in await connection.fetch(REPLAYS)]


async def differences(connection: "Connection", replay_id: UUID, after: int, limit: int) -> list[dict[str, Any]]:
    """Of the messages that did not stay as they were, or could not be read, in the order of reading."""
    return [dict(row) for row in await connection.fetch(DIFFERENCES, replay_id, after, limit)]
