"""The SQL of patients and stays. Arrays and unnest: a statement a group, never one a message."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.intake.announcing import announced_from_json
from services.intake.arrival import Arrival
from services.intake.chart import Chart, Patient, Stay
from services.intake.describing import StayIdentity
from services.intake.encounter import state_from_json
from services.intake.identities import Proposal
from services.intake.message import StayFact
from services.intake.patient import record_from_json
from shared.events.people import Facility, Identifier

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

IDENTIFY = "SELECT * FROM identify($1, $2, $3, $4, $5)"
OPEN_GROUP = "SELECT * FROM open_group($1, $2, $3, $4, $5, $6, $7)"
FACTS = "SELECT encounter_id, fact FROM encounter_fact WHERE encounter_id = ANY ($1)"

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


async def identify(connection: "Connection", proposals: Sequence[Proposal]) -> dict[Identifier, str]:
    """The record of each identifier; unknown ones are made known."""
    listed = [
        (one.authority, one.type, one.value, position, proposal.record)
        for proposal in proposals
        for position, one in enumerate(proposal.identifiers)
    ]
    rows = await connection.fetch(IDENTIFY, *_columns(listed, 5))
    return {Identifier(authority=r["authority"], type=r["type"], value=r["value"]): r["patient_id"] for r in rows}


class Opened:
    """What the head of a group brought: who could be locked, what is a duplicate, and the chart."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self.chart = Chart({})
        self.duplicates: set[tuple[str, str, bytes]] = set()
        self.records: dict[Identifier, str] = {}
        take = {
            "identifier": self._identifier,
            "lock": self._lock,
            "duplicate": self._duplicate,
            "patient": self._patient,
            "stay": self._stay,
        }
        for row in rows:
            take[row["what"]](row)

    def _identifier(self, row: Any) -> None:
        one = Identifier(authority=row["authority"], type=row["type"], value=row["value"])
        self.records[one] = row["patient_id"]

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
        known_version=row["version"],
        state=state_from_json(row["first"]),
        announced=tuple(announced_from_json(one) for one in row["second"]),
    )


def _patient_from(patient_id: str, version: int, record: Any) -> Patient:
    return Patient(patient_id, version, record_from_json(record), known_version=version)


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


async def reparent(connection: "Connection", retired: str, survivor: str) -> None:
    await connection.execute(REPARENT, retired, survivor)


def _columns(rows: Sequence[Sequence[object]], width: int) -> list[list[object]]:
    """Rows as columns; `width` says how many there are when there is no row."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
