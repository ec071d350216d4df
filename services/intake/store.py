"""All SQL of receiving. Arrays and unnest: a statement a group, never one a message."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from services.intake.announcing import Announced
from services.intake.arrival import Arrival
from services.intake.chart import Chart, Effect, Patient, Stay
from services.intake.describing import StayIdentity
from services.intake.encounter import EncounterState
from services.intake.message import StayFact
from services.intake.patient import record_as_json, record_from_json
from services.intake.sealing import Seal
from shared.events.people import Facility, Identifier

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

IDENTIFY = "SELECT * FROM identify($1, $2, $3, $4, $5)"
OPEN_GROUP = "SELECT * FROM open_group($1, $2, $3, $4, $5, $6, $7)"
FACTS = "SELECT encounter_id, fact FROM encounter_fact WHERE encounter_id = ANY ($1)"

# One statement for everything a group changes, one document a table: a driver encodes each element of an array on its
# own. A message that is read once more keeps its row and its key.
SAVE = """
WITH told AS MATERIALIZED (
    SELECT m.*, decode(m.digest, 'hex') AS sha256, r.raw
    FROM jsonb_to_recordset($1) AS m (
        place integer, id uuid, received_at timestamptz, feed text, control_id text, trigger text, outcome text,
        reason text, code text, doubts text, patient_id text, encounter_id uuid, effects jsonb, digest text,
        size integer, is_key boolean
    ) JOIN unnest($2::bytea[]) WITH ORDINALITY AS r (raw, place) USING (place)
), keys AS (
    INSERT INTO message_key (feed, control_id, sha256, message_id)
    SELECT feed, control_id, sha256, id FROM told WHERE is_key ORDER BY 1, 2, 3
), messages AS (
    INSERT INTO message AS m (id, received_at, feed, control_id, trigger, outcome, reason, code, doubts, patient_id,
                              encounter_id, effects, sha256, size, raw)
    SELECT id, received_at, feed, control_id, trigger, outcome, reason, code, doubts, patient_id,
           encounter_id, effects, sha256, size, raw FROM told
    ON CONFLICT (id) DO UPDATE SET
        feed = excluded.feed, trigger = excluded.trigger, outcome = excluded.outcome, reason = excluded.reason,
        doubts = excluded.doubts, patient_id = excluded.patient_id, encounter_id = excluded.encounter_id,
        effects = m.effects || excluded.effects, version = m.version + 1
    WHERE m.outcome <> 'accepted'
), patients AS (
    INSERT INTO patient AS p (id, version, record)
    SELECT * FROM jsonb_to_recordset($3) AS t (id text, version integer, record jsonb)
    ON CONFLICT (id) DO UPDATE SET version = excluded.version, record = excluded.record, updated_at = now()
), stays AS (
    INSERT INTO encounter AS e (id, authority, type, value, patient_id, feed, facility, version, status, state,
                                announced)
    SELECT * FROM jsonb_to_recordset($4) AS t (
        id uuid, authority text, type text, value text, patient_id text, feed text, facility jsonb, version integer,
        status text, state jsonb, announced jsonb
    )
    ON CONFLICT (id) DO UPDATE SET version = excluded.version, status = excluded.status, state = excluded.state,
                                   announced = excluded.announced, updated_at = now()
)
INSERT INTO encounter_fact (encounter_id, message_id, fact)
SELECT * FROM jsonb_to_recordset($5) AS t (encounter_id uuid, message_id uuid, fact jsonb)
"""
COUNT_DUPLICATES = """
INSERT INTO duplicates AS d (feed, minute, trigger, count)
SELECT feed, date_trunc('minute', at), trigger, count(*)
FROM unnest($1::text[], $2::timestamptz[], $3::text[]) AS t (feed, at, trigger)
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
ON CONFLICT (feed, minute, trigger) DO UPDATE SET count = d.count + excluded.count
"""
_STAYS = """
SELECT id::text, authority, type, value, patient_id, version, feed, state AS first, announced AS second,
       facility AS third
FROM encounter
"""
OPEN_STAYS = (
    _STAYS
    + """
WHERE status IN ('planned', 'arrived', 'triaged', 'in-progress', 'onleave') AND ($1::uuid IS NULL OR id > $1)
ORDER BY id LIMIT $2
"""
)
STAYS_BY_ID = _STAYS + "WHERE id = ANY ($1) ORDER BY id"
REPARENT = "UPDATE encounter SET patient_id = $2, updated_at = now() WHERE patient_id = $1"
RECORDS = "SELECT id, version, record FROM patient WHERE id = ANY ($1)"


class Proposal(tuple[str, str, str, int, str]):
    """Authority, type, value, preference within the message, and the record to start if nobody knows any of them."""

    __slots__ = ()


async def identify(connection: "Connection", proposals: Sequence[Proposal]) -> dict[Identifier, str]:
    """The record of each identifier; unknown ones are made known."""
    rows = await connection.fetch(IDENTIFY, *_columns(proposals, 5))
    return {Identifier(authority=r["authority"], type=r["type"], value=r["value"]): r["patient_id"] for r in rows}


class Opened:
    """What the head of a group brought: who could be locked, what is a duplicate, and the chart."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self.chart = Chart({})
        self.duplicates: set[tuple[str, str, bytes]] = set()
        take = {"lock": self._lock, "duplicate": self._duplicate, "patient": self._patient, "stay": self._stay}
        for row in rows:
            take[row["what"]](row)

    def _lock(self, row: Any) -> None:
        self.chart.surviving[row["id"]] = row["patient_id"]

    def _duplicate(self, row: Any) -> None:
        self.duplicates.add((row["feed"], row["type"], bytes.fromhex(row["value"])))

    def _patient(self, row: Any) -> None:
        self.chart.patients[row["id"]] = _patient_from(row["id"], row["version"], row["first"])

    def _stay(self, row: Any) -> None:
        stay = _stay_from(row)
        self.chart.stays[stay.identity.visit] = stay


def _stay_from(row: Any) -> Stay:
    visit = Identifier(authority=row["authority"], type=row["type"], value=row["value"])
    return Stay(
        identity=StayIdentity(UUID(row["id"]), visit, row["feed"], Facility.model_validate(row["third"])),
        patient_id=row["patient_id"],
        version=row["version"],
        state=EncounterState.model_validate(row["first"]),
        announced=tuple(Announced.model_validate(one) for one in row["second"]),
    )


def _patient_from(patient_id: str, version: int, record: Any) -> Patient:
    return Patient(patient_id, version, record_from_json(record))


async def open_group(connection: "Connection", subjects: Sequence[str], arrivals: Sequence[Arrival]) -> Opened:
    """Locks the idle ones of these records and loads what their messages need. Waits at most 50 ms."""
    parts = (part for arrival in arrivals if arrival.adt for part in arrival.adt.parts)
    visits = {part.visit for part in parts if part.visit}
    rows = await connection.fetch(
        OPEN_GROUP,
        subjects,
        *_columns([arrival.key for arrival in arrivals if not arrival.is_replay], 3),
        *_columns([(v.authority, v.type, v.value) for v in visits], 3),
    )
    return Opened(rows)


async def load_facts(connection: "Connection", stays: Mapping[UUID, Stay]) -> None:
    for row in await connection.fetch(FACTS, list(stays)):
        stays[row["encounter_id"]].older.append(StayFact.from_json(row["fact"]))


async def load_patients(connection: "Connection", ids: Iterable[str]) -> dict[str, Patient]:
    rows = await connection.fetch(RECORDS, list(ids))
    return {row["id"]: _patient_from(row["id"], row["version"], row["record"]) for row in rows}


async def open_stays(connection: "Connection", after: UUID | None, limit: int) -> list[Stay]:
    """Stays that have not ended, in the order of their ids."""
    return [_stay_from(row) for row in await connection.fetch(OPEN_STAYS, after, limit)]


async def stays_by_id(connection: "Connection", ids: Sequence[UUID]) -> list[Stay]:
    return [_stay_from(row) for row in await connection.fetch(STAYS_BY_ID, ids)]


async def save(connection: "Connection", chart: Chart, effects: Sequence[Effect], seal: Seal) -> None:
    stays = [stay for stay in chart.stays.values() if stay.fresh]
    facts = [
        {"encounter_id": stay.identity.id, "message_id": message_id, "fact": fact.as_json()}
        for stay in stays
        for message_id, fact in stay.fresh
    ]
    patients = [
        {"id": patient.id, "version": patient.version, "record": record_as_json(patient.record)}
        for patient in chart.patients.values()
        if patient.is_touched
    ]
    await connection.execute(
        SAVE,
        orjson.dumps([_message_row(place, effect) for place, effect in enumerate(effects, 1)]),
        [seal.close(effect.arrival.raw, effect.arrival.id) for effect in effects],
        orjson.dumps(patients),
        orjson.dumps([_stay_row(stay) for stay in stays]),
        orjson.dumps(facts),
    )


def _message_row(place: int, effect: Effect) -> dict[str, object]:
    arrival, verdict = effect.arrival, effect.verdict
    return {
        "place": place,
        "id": arrival.id,
        "received_at": arrival.received,
        "feed": arrival.feed_name,
        "control_id": arrival.control_id,
        "trigger": arrival.trigger,
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "code": verdict.code,
        "doubts": ",".join(arrival.doubts),
        "patient_id": effect.patient_id,
        "encounter_id": effect.encounter_id,
        "effects": [{"event_id": draft.id, "type": draft.fact.TYPE} for draft in effect.drafts],
        "digest": arrival.digest.hex(),
        "size": len(arrival.raw),
        # Only positive acknowledgements are answered from the store: what was refused is judged anew each time.
        "is_key": verdict.code == "AA" and not arrival.is_replay,
    }


def _stay_row(stay: Stay) -> dict[str, object]:
    visit = stay.identity.visit
    return {
        "id": stay.identity.id,
        "authority": visit.authority,
        "type": visit.type,
        "value": visit.value,
        "patient_id": stay.patient_id,
        "feed": stay.identity.feed,
        "facility": orjson.Fragment(_facility_json(stay.identity.facility)),
        "version": stay.version,
        "status": stay.state.status,
        "state": orjson.Fragment(stay.state.model_dump_json(exclude_defaults=True)),
        "announced": [
            {"key": one.key, "kind": one.kind, "event_id": one.event_id, "at": one.at, "detail": one.detail}
            for one in stay.announced
        ],
    }


@lru_cache(maxsize=256)
def _facility_json(facility: Facility) -> bytes:
    return facility.model_dump_json(exclude_none=True).encode()


async def count_duplicates(connection: "Connection", arrivals: Sequence[Arrival]) -> None:
    rows = [(arrival.feed_name, arrival.received, arrival.trigger) for arrival in arrivals]
    await connection.execute(COUNT_DUPLICATES, *_columns(rows, 3))


async def reparent(connection: "Connection", retired: str, survivor: str) -> None:
    await connection.execute(REPARENT, retired, survivor)


def _columns(rows: Sequence[Sequence[object]], width: int) -> list[list[object]]:
    """Rows as columns; `width` says how many there are when there is no row."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
