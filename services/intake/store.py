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

# One statement for everything a group changes. A message that is read once more keeps its row and its key.
SAVE = """
WITH keys AS (
    INSERT INTO message_key (feed, control_id, sha256, message_id)
    SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::uuid[])
), messages AS (
    INSERT INTO message AS m (id, received_at, feed, control_id, trigger, outcome, reason, code, doubts, patient_id,
                              encounter_id, effects, sha256, size, raw)
    SELECT * FROM unnest($5::uuid[], $6::timestamptz[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
                         $12::text[], $13::text[], $14::text[], $15::uuid[], $16::jsonb[], $17::bytea[], $18::int[],
                         $19::bytea[])
    ON CONFLICT (id) DO UPDATE SET
        feed = excluded.feed, trigger = excluded.trigger, outcome = excluded.outcome, reason = excluded.reason,
        doubts = excluded.doubts, patient_id = excluded.patient_id, encounter_id = excluded.encounter_id,
        effects = m.effects || excluded.effects, version = m.version + 1
    WHERE m.outcome <> 'accepted'
), patients AS (
    INSERT INTO patient AS p (id, version, record)
    SELECT * FROM unnest($20::text[], $21::int[], $22::jsonb[])
    ON CONFLICT (id) DO UPDATE SET version = excluded.version, record = excluded.record, updated_at = now()
), stays AS (
    INSERT INTO encounter AS e (id, authority, type, value, patient_id, feed, facility, version, status, state,
                                announced)
    SELECT * FROM unnest($23::uuid[], $24::text[], $25::text[], $26::text[], $27::text[], $28::text[], $29::jsonb[],
                         $30::int[], $31::text[], $32::jsonb[], $33::jsonb[])
    ON CONFLICT (id) DO UPDATE SET version = excluded.version, status = excluded.status, state = excluded.state,
                                   announced = excluded.announced, updated_at = now()
)
INSERT INTO encounter_fact (encounter_id, message_id, fact) SELECT * FROM unnest($34::uuid[], $35::uuid[], $36::jsonb[])
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
    visits = {arrival.adt.visit for arrival in arrivals if arrival.adt and arrival.adt.visit}
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
        (stay.identity.id, message_id, orjson.dumps(fact.as_json()))
        for stay in stays
        for message_id, fact in stay.fresh
    ]
    patients = [
        (p.id, p.version, orjson.dumps(record_as_json(p.record))) for p in chart.patients.values() if p.is_touched
    ]
    await connection.execute(
        SAVE,
        *_columns([_key_row(effect) for effect in effects if _is_told_again(effect)], 4),
        *_columns([_message_row(effect, seal) for effect in effects], 15),
        *_columns(patients, 3),
        *_columns([_stay_row(stay) for stay in stays], 11),
        *_columns(facts, 3),
    )


def _is_told_again(effect: Effect) -> bool:
    """Only positive acknowledgements are answered from the store: what was refused is judged anew each time."""
    return effect.verdict.code == "AA" and not effect.arrival.is_replay


def _key_row(effect: Effect) -> tuple[object, ...]:
    return (*effect.arrival.key, effect.arrival.id)


def _message_row(effect: Effect, seal: Seal) -> tuple[object, ...]:
    arrival, verdict = effect.arrival, effect.verdict
    return (
        arrival.id,
        arrival.received,
        arrival.feed_name,
        arrival.control_id,
        arrival.trigger,
        verdict.outcome.value,
        verdict.reason.value if verdict.reason else None,
        verdict.code,
        ",".join(arrival.doubts),
        effect.patient_id,
        effect.encounter_id,
        orjson.dumps([{"event_id": draft.id, "type": draft.fact.TYPE} for draft in effect.drafts]),
        arrival.digest,
        len(arrival.raw),
        seal.close(arrival.raw, arrival.id),
    )


def _stay_row(stay: Stay) -> tuple[object, ...]:
    visit = stay.identity.visit
    return (
        stay.identity.id,
        visit.authority,
        visit.type,
        visit.value,
        stay.patient_id,
        stay.identity.feed,
        _facility_json(stay.identity.facility),
        stay.version,
        stay.state.status.value,
        stay.state.model_dump_json(exclude_defaults=True).encode(),
        orjson.dumps([one.model_dump(mode="json", exclude_defaults=True) for one in stay.announced]),
    )


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
