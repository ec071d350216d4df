"""The SQL of what stands beside stays: one statement a group to read, one to write; none for a group of ADT alone."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import orjson

from services.intake.patient import record_as_json, record_from_json
from services.intake.standing import Standing, Standings
from services.intake.statement import About

if TYPE_CHECKING:
    from services.intake.store import Connection

_ROWS = """
SELECT id::text, about, feed, patient_id, encounter_id::text, version, identifier, record, told FROM standing
"""
LOAD = _ROWS + "WHERE id = ANY ($1)"
LOAD_OF_PATIENTS = _ROWS + "WHERE id = ANY ($1) OR patient_id = ANY ($2)"
# Ordered, so that two writers never wait for each other. The patient's lock orders the writers of one thing; only where
# two patients are named with the same thing at once is one of them too late, and must look again.
SAVE = """
INSERT INTO standing AS s (id, about, feed, patient_id, encounter_id, version, identifier, record, told)
SELECT id, about, feed, patient_id, encounter_id, version, identifier, record, told
FROM jsonb_to_recordset($1) AS t (id uuid, about text, feed text, patient_id text, encounter_id uuid, version integer,
                                  identifier jsonb, record jsonb, told jsonb)
ORDER BY id
ON CONFLICT (id) DO UPDATE SET
    patient_id = excluded.patient_id, encounter_id = excluded.encounter_id, version = excluded.version,
    record = excluded.record, told = excluded.told, updated_at = now()
WHERE s.patient_id = excluded.patient_id
RETURNING id
"""
REPARENT = "UPDATE standing SET patient_id = $2, updated_at = now() WHERE patient_id = $1"

MOVE = """
UPDATE standing SET patient_id = $4, updated_at = now()
WHERE patient_id = $3 AND (id = ANY ($1) OR encounter_id = ANY ($2))
"""


async def load(connection: "Connection", ids: Iterable[UUID]) -> Standings:
    """What is known of these; no round trip where nothing is asked for."""
    wanted = list(ids)
    if not wanted:
        return Standings()
    return _standings(await connection.fetch(LOAD, wanted))


async def load_of_patients(connection: "Connection", ids: Iterable[UUID], patients: Iterable[str]) -> Standings:
    """These, and all that is known of these patients: what a message said before may be any of it."""
    wanted, whose = list(ids), list(patients)
    if not wanted:
        return Standings()
    return _standings(await connection.fetch(LOAD_OF_PATIENTS, wanted, whose))


def _standings(rows: Iterable[Any]) -> Standings:
    return Standings({UUID(row["id"]): _standing(row) for row in rows})


def _standing(row: Any) -> Standing:
    return Standing(
        id=UUID(row["id"]),
        about=About(row["about"]),
        feed=row["feed"],
        patient_id=row["patient_id"],
        identifier=row["identifier"],
        version=row["version"],
        record=record_from_json(row["record"]),
        told=row["told"],
        encounter_id=UUID(row["encounter_id"]) if row["encounter_id"] else None,
    )


async def save(connection: "Connection", standings: Standings) -> None:
    """Raises asyncpg.SerializationError when somebody else wrote one of them meanwhile."""
    touched = [standing for standing in standings.by_id.values() if standing.is_touched]
    if not touched:
        return
    rows = [
        {
            "id": one.id,
            "about": one.about,
            "feed": one.feed,
            "patient_id": one.patient_id,
            "encounter_id": one.encounter_id,
            "version": one.version,
            "identifier": one.identifier,
            "record": record_as_json(one.record),
            "told": one.told,
        }
        for one in touched
    ]
    saved = await connection.fetch(SAVE, orjson.dumps(rows))
    if len(saved) < len(rows):
        raise asyncpg.SerializationError("a standing was written by somebody else meanwhile")


async def reparent(connection: "Connection", retired: str, survivor: str) -> None:
    await connection.execute(REPARENT, retired, survivor)


async def move(
    connection: "Connection", things: Collection[UUID], stays: Collection[UUID], before: str, after: str
) -> None:
    """Gives these, and what belongs to these stays, to another patient."""
    await connection.execute(MOVE, list(things), list(stays), before, after)
