"""The SQL of a group: one statement that reads what it needs, one that writes all of it. See docs/adr/0005."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING
from uuid import UUID

import orjson

from services.intake.arrival import Arrival
from services.intake.chart import Chart, Effect, Stay
from services.intake.encounter import state_as_json
from services.intake.identities import Proposal
from services.intake.patient import record_as_json
from services.intake.sealing import Seal
from services.intake.store import Opened
from shared.events import Draft
from shared.events.people import Facility, Identifier
from shared.postgres.outbox import unnumbered

if TYPE_CHECKING:
    from services.intake.store import Connection

# A group's keys are few and the tables large: always by index. The statements are always the same: planning them anew
# cost a third of the server's time, and a plan must not hang on the statistics of a table that was empty a minute ago.
PREPARE = """
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
SET plan_cache_mode = force_generic_plan; SET lock_timeout = '50ms'
"""
LOOK_UP = """
WITH known AS MATERIALIZED (
    SELECT k.authority, k.type, k.value, k.patient_id
    FROM unnest($1::text[], $2::text[], $3::text[]) AS g (authority, type, value)
    JOIN identifier k USING (authority, type, value)
), subject AS MATERIALIZED (
    SELECT k.id, coalesce(k.survivor, k.id) AS survivor
    FROM (SELECT patient_id AS id FROM known UNION SELECT unnest($4::text[])) g JOIN patient_key k USING (id)
)
SELECT 'identifier' AS what, k.authority, k.type, k.value, NULL AS id, k.patient_id, NULL::integer AS version,
       NULL AS feed, NULL::jsonb AS first, NULL::jsonb AS second, NULL::jsonb AS third
FROM known k
UNION ALL
SELECT 'lock', NULL, NULL, NULL, s.id, s.survivor, NULL, NULL, NULL, NULL, NULL FROM subject s
UNION ALL
SELECT 'patient', NULL, NULL, NULL, p.id, NULL, p.version, NULL, p.record, NULL, NULL
FROM (SELECT DISTINCT survivor AS id FROM subject) s JOIN patient p USING (id)
UNION ALL
SELECT 'duplicate', NULL, k.control_id, encode(k.sha256, 'hex'), NULL, NULL, NULL, k.feed, NULL, NULL, NULL
FROM unnest($5::text[], $6::text[], $7::bytea[]) AS g (feed, control_id, sha256)
JOIN message_key k USING (feed, control_id, sha256)
UNION ALL
SELECT 'stay', e.authority, e.type, e.value, e.id::text, e.patient_id, e.version, e.feed, e.state, e.announced,
       e.facility
FROM unnest($8::text[], $9::text[], $10::text[]) AS g (authority, type, value)
JOIN encounter e USING (authority, type, value)
"""
WRITE = """
SELECT write_group($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17),
       arrivals_interpreted($18)
"""
STORE = "SELECT store_group($1, $2, $3, $4, $5), arrivals_interpreted($6)"


class Patients:
    """Whom a group concerns: identifiers to make known, records that start with it, and known ones to lock."""

    __slots__ = ("identifiers", "known", "new")

    def __init__(self, identifiers: Mapping[Identifier, str], new: Iterable[str], known: Iterable[str]) -> None:
        self.identifiers = identifiers
        self.new = sorted(new)
        self.known = sorted(known)


async def prepare(connection: "Connection") -> None:
    """Tells the server how to plan the statements of groups, for as long as the connection is kept."""
    await connection.execute(PREPARE)


async def look_up(
    connection: "Connection", proposals: Sequence[Proposal], records: Iterable[str], arrivals: Sequence[Arrival]
) -> Opened:
    """What the messages need, as it is now; nothing is locked. `records` are known from before."""
    asked = {one: None for proposal in proposals for one in proposal.identifiers}
    visits = {arrival.adt.visit: None for arrival in arrivals if arrival.adt and arrival.adt.visit}
    rows = await connection.fetch(
        LOOK_UP,
        *_three(asked),
        list(records),
        [arrival.feed_name for arrival in arrivals],
        [arrival.control_id for arrival in arrivals],
        [arrival.digest for arrival in arrivals],
        *_three(visits),
    )
    return Opened(rows)


def _three(identifiers: Iterable[Identifier]) -> tuple[list[str], list[str], list[str]]:
    listed = list(identifiers)
    return [one.authority for one in listed], [one.type for one in listed], [one.value for one in listed]


async def write(
    connection: "Connection", source: str, patients: Patients, chart: Chart, effects: Sequence[Effect],
    repeated: Sequence[Arrival], seal: Seal,
) -> bool:  # fmt: skip
    """Everything a group changes and says, in one statement that commits. Answers whether it said something.

    Raises asyncpg's SerializationError or UniqueViolationError when something has changed since it was looked up.
    """
    drafts: list[Draft] = [draft for effect in effects for draft in effect.drafts]
    identifiers = [(one.authority, one.type, one.value, record) for one, record in patients.identifiers.items()]
    await connection.execute(
        WRITE, identifiers, patients.new, patients.known, *_rows(chart, effects, repeated, seal),
        *unnumbered(source, drafts), _kept(effects, repeated),
    )  # fmt: skip
    return bool(drafts)


async def store(
    connection: "Connection", chart: Chart, effects: Sequence[Effect], repeated: Sequence[Arrival], seal: Seal
) -> None:
    """As `write`, for patients who are locked, in the caller's transaction, and without the events."""
    await connection.execute(STORE, *_rows(chart, effects, repeated, seal), _kept(effects, repeated))


def _kept(effects: Sequence[Effect], repeated: Sequence[Arrival]) -> list[UUID]:
    return [one.id for one in chain((effect.arrival for effect in effects), repeated) if one.is_kept]


def _rows(
    chart: Chart, effects: Sequence[Effect], repeated: Sequence[Arrival], seal: Seal
) -> tuple[Sequence[tuple[object, ...]], ...]:
    stays = [stay for stay in chart.stays.values() if stay.fresh]
    return (
        [_message_row(effect, seal) for effect in effects],
        [
            (
                patient.id,
                patient.known_version,
                patient.version,
                orjson.dumps(record_as_json(patient.record)),
                patient.is_to_match,
            )
            for patient in chart.patients.values()
            if patient.is_touched
        ],
        [_stay_row(stay) for stay in stays],
        [
            (stay.identity.id, message_id, orjson.dumps(fact.as_json()))
            for stay in stays
            for message_id, fact in stay.fresh
        ],
        _counted(repeated),
    )


def _message_row(effect: Effect, seal: Seal) -> tuple[object, ...]:
    arrival, verdict = effect.arrival, effect.verdict
    return (
        arrival.id,
        arrival.received,
        arrival.feed_name,
        arrival.control_id,
        arrival.trigger,
        verdict.outcome,
        verdict.reason,
        verdict.code,
        ",".join(arrival.doubts),
        effect.patient_id,
        effect.encounter_id,
        orjson.dumps([{"event_id": draft.id, "type": draft.fact.TYPE} for draft in effect.drafts]),
        arrival.digest,
        len(arrival.raw),
        seal.close(arrival.raw, arrival.id),
        # Only positive acknowledgements are answered from the store: what was refused is judged anew each time.
        verdict.code == "AA" and not arrival.is_replay,
    )


def _stay_row(stay: Stay) -> tuple[object, ...]:
    visit = stay.identity.visit
    announced = [
        {"key": one.key, "kind": one.kind, "event_id": one.event_id, "at": one.at, "detail": one.detail}
        for one in stay.announced
    ]
    return (
        stay.identity.id,
        visit.authority,
        visit.type,
        visit.value,
        stay.patient_id,
        stay.identity.feed,
        _facility_json(stay.identity.facility),
        stay.known_version,
        stay.version,
        stay.state.status,
        state_as_json(stay.state),
        orjson.dumps(announced),
    )


@lru_cache(maxsize=256)
def _facility_json(facility: Facility) -> bytes:
    return facility.model_dump_json(exclude_none=True).encode()


def _counted(repeated: Sequence[Arrival]) -> list[tuple[str, datetime, str, int]]:
    """Duplicates by feed, minute and trigger."""
    counts = Counter((a.feed_name, a.received.replace(second=0, microsecond=0), a.trigger) for a in repeated)
    return [(*key, count) for key, count in counts.items()]
