"""What is kept of every joining of two records, so that it can be undone. The SQL of it, one function a statement."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.intake.patient import Record, record_as_json
from shared.events import uuid7

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

NOTE = """
INSERT INTO identity_join (id, retired, survivor, basis, survivor_record, message_id, pair_id, joined_by, stays)
SELECT $1, $2, $3, $4, $5, $6, $7, $8,
       coalesce((SELECT array_agg(id ORDER BY id) FROM encounter WHERE patient_id = $2), '{}')
"""
FIND = """
SELECT id, retired, survivor, survivor_record, stays, joined_at, version, undone_at, basis,
       coalesce(message_id, pair_id, id) AS cause
FROM identity_join WHERE id = $1
"""
# What holds the records of a patient together, as it was said of these very records.
BONDS = """
SELECT s.retired, s.survivor, s.cause FROM same_patient s
JOIN patient_key k ON k.id = s.retired AND (k.id = $1 OR k.survivor = $1)
"""
STAYS_JOINED = "SELECT stays FROM identity_join WHERE retired = ANY ($1) AND undone_at IS NULL"
UNDONE = """
UPDATE identity_join SET undone_at = clock_timestamp(), undone_by = $3, undone_reason = $4, restored = $5,
                         version = version + 1
WHERE id = $1 AND ($2::integer IS NULL OR version = $2) AND undone_at IS NULL RETURNING version
"""
REDIRECT = "UPDATE patient_key SET survivor = $2 WHERE id = ANY ($1)"
START = "INSERT INTO patient (id, version, record) VALUES ($1, $2, $3)"
CORRECT = "UPDATE patient SET version = $2, record = $3, updated_at = now() WHERE id = $1"
# A week before the joining: clocks differ, and a message that is read once more keeps its id.
MESSAGES = """
SELECT id, raw, received_at, feed, control_id, trigger, encounter_id FROM message
WHERE patient_id = $1 AND outcome = 'accepted' AND id >= first_id($2::timestamptz - interval '7 days')
ORDER BY id
"""
LISTED = """
SELECT id, retired, survivor, basis, joined_by, joined_at, message_id, pair_id, undone_at, undone_by, undone_reason,
       restored, version, cardinality(stays) AS stays
FROM identity_join WHERE ($1::uuid IS NULL OR id < $1) ORDER BY id DESC LIMIT $2
"""
RECORDS_OF = """
SELECT authority, type, value, patient_id FROM identifier
JOIN unnest($1::text[], $2::text[], $3::text[]) AS t (authority, type, value) USING (authority, type, value)
"""


class Basis(StrEnum):
    """Why two records became one."""

    MERGE = "merge"
    AUTOMATIC_LINK = "automatic-link"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Joining:
    """`survivor_record` is what the survivor's record said before; `by` who decided, None for source or score."""

    retired: str
    survivor: str
    basis: Basis
    survivor_record: Record
    message_id: UUID | None = None
    pair_id: UUID | None = None
    by: str | None = None


async def note_join(connection: "Connection", joining: Joining) -> None:
    """Before the stays are moved: which ones the retired record had is kept."""
    await connection.execute(
        NOTE,
        uuid7(),
        joining.retired,
        joining.survivor,
        joining.basis.value,
        record_as_json(joining.survivor_record),
        joining.message_id,
        joining.pair_id,
        joining.by,
    )


async def find_join(connection: "Connection", join_id: UUID) -> Any:
    """The row, or None."""
    return await connection.fetchrow(FIND, join_id)


async def parting(connection: "Connection", survivor: str, row: Mapping[str, Any]) -> set[str]:
    """The records that are held to be the survivor's by this join alone: the retired one, and whoever was said to be
    the same as it, before or since, in whatever order that came.
    """
    rows = await connection.fetch(BONDS, survivor)
    undone = {frozenset((one["retired"], one["survivor"])) for one in rows
              if one["cause"] == row["cause"] and one["retired"] == row["retired"]}  # fmt: skip
    bonds = {frozenset((one["retired"], one["survivor"])) for one in rows} - undone
    records, left = {row["retired"]}, True
    while left:
        reached = {one for bond in bonds if bond & records for one in bond}
        left = not reached <= records
        records |= reached
    return records - {survivor, row["survivor"]}


async def stays_joined(connection: "Connection", records: Iterable[str]) -> set[UUID]:
    """What these records had when they were joined to another."""
    rows = await connection.fetch(STAYS_JOINED, sorted(records))
    return {stay for row in rows for stay in row["stays"]}


async def mark_undone(
    connection: "Connection", join_id: UUID, version: int | None, *, by: str, reason: str, restored: str
) -> int | None:
    """The new version; None when it was undone already or has changed since."""
    undone: int | None = await connection.fetchval(UNDONE, join_id, version, by, reason, restored)
    return undone


async def redirect(connection: "Connection", records: list[str], patient_id: str) -> None:
    """These records stand for another patient from now on; all must be locked."""
    await connection.execute(REDIRECT, records, patient_id)


async def start_patient(connection: "Connection", patient_id: str, version: int, record: Record) -> None:
    await connection.execute(START, patient_id, version, record_as_json(record))


async def correct_patient(connection: "Connection", patient_id: str, version: int, record: Record) -> None:
    await connection.execute(CORRECT, patient_id, version, record_as_json(record))


async def messages_since(connection: "Connection", patient_id: str, at: datetime) -> list[Any]:
    """Sealed messages that took effect on the patient, oldest first."""
    return list(await connection.fetch(MESSAGES, patient_id, at))


async def listed(connection: "Connection", before: UUID | None, limit: int) -> list[dict[str, Any]]:
    return [dict(row) for row in await connection.fetch(LISTED, before, limit)]


async def records_of(connection: "Connection", keys: list[tuple[str, str, str]]) -> dict[tuple[str, str, str], str]:
    """The record of each identifier (authority, type, value)."""
    columns = [list(column) for column in zip(*keys, strict=True)] or [[], [], []]
    rows = await connection.fetch(RECORDS_OF, *columns)
    return {(row["authority"], row["type"], row["value"]): row["patient_id"] for row in rows}
