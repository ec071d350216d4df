"""All SQL of referrals. Arrays, never a statement per row; callers hold the locks of the patients concerned."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from services.transitions.referrals.clocks import EXPIRY, LoopTimer, Waiting
from services.transitions.referrals.referral import Deed, Referral, begin
from services.transitions.referrals.states import Kind
from services.transitions.rounds import Aside
from shared.events import BY_TYPE, Fact

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

LOAD = """
SELECT r.id, r.patient_id, r.version, r.fired, d.event_id, d.kind, d.at, d.source, d.actor, d.historical,
       d.said::text AS said
FROM referral r JOIN referral_deed d ON d.referral_id = r.id WHERE r.patient_id = ANY ($1) OR r.id = ANY ($2)
ORDER BY r.id, d.at
"""
SAVE = """
INSERT INTO referral (id, patient_id, facility, authority, number, service_group, priority, state, is_open, is_held,
    performer, requester, waiting_for, due_at, fired, version, requested_at, owner_role, body)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::bool[], $10::bool[], $11::text[], $12::text[], $13::text[], $14::timestamptz[], $15::smallint[], $16::int[],
    $17::timestamptz[], $18::text[], $19::jsonb[])
ON CONFLICT (id) DO UPDATE SET
    patient_id = excluded.patient_id, facility = excluded.facility, authority = excluded.authority,
    number = excluded.number, service_group = excluded.service_group, priority = excluded.priority,
    state = excluded.state, is_open = excluded.is_open, is_held = excluded.is_held, performer = excluded.performer,
    requester = excluded.requester, waiting_for = excluded.waiting_for, due_at = excluded.due_at,
    fired = excluded.fired, version = excluded.version, requested_at = excluded.requested_at,
    changed_at = clock_timestamp(), owner_role = excluded.owner_role, body = excluded.body
"""
KEEP_DEEDS = """
INSERT INTO referral_deed (referral_id, event_id, kind, at, source, actor, historical, said)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::bool[],
    $8::jsonb[])
ON CONFLICT (referral_id, event_id) DO NOTHING
"""
# A level that was told stays told; what waited for an earlier step waits no longer.
STOP_TIMERS = "DELETE FROM referral_timer WHERE referral_id = ANY ($1) AND fired_at IS NULL"
SET_TIMERS = """
INSERT INTO referral_timer (referral_id, step, level, patient_id, due_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::text[], $5::timestamptz[])
ON CONFLICT (referral_id, step, level) DO NOTHING
"""
KEEP_UNMATCHED = """
INSERT INTO referral_unmatched (event_id, patient_id, at, type, historical, body)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (event_id) DO NOTHING
"""
UNMATCHED = """
SELECT event_id, patient_id, at, type, historical, body::text AS body FROM referral_unmatched
WHERE patient_id = ANY ($1) ORDER BY at, event_id
"""
MATCHED = "DELETE FROM referral_unmatched WHERE event_id = ANY ($1)"
PLACE = "SELECT patient_id, facility, performer, requester FROM referral WHERE id = $1"
OF_TRANSITION = "SELECT patient_id, body::text AS body FROM transition WHERE id = $1"
REKEY = """
WITH merged AS (SELECT * FROM unnest($1::text[], $2::text[]) AS m (retired, survivor)),
referral_ AS (UPDATE referral t SET patient_id = m.survivor FROM merged m WHERE t.patient_id = m.retired),
referral_timer_ AS (UPDATE referral_timer t SET patient_id = m.survivor FROM merged m WHERE t.patient_id = m.retired),
unmatched_ AS (UPDATE referral_unmatched t SET patient_id = m.survivor FROM merged m WHERE t.patient_id = m.retired)
SELECT
"""
# Levels of the step it stands at that were told since the last deed: each raised the version and changed nothing else.
TOLD_SINCE = """
SELECT count(*) FROM referral_timer t
WHERE t.referral_id = $1 AND t.step = $2 AND t.level < $3
  AND t.fired_at > (SELECT max(recorded) FROM referral_deed WHERE referral_id = $1)
"""
DUE = """
SELECT referral_id, patient_id FROM referral_timer
WHERE fired_at IS NULL AND due_at <= statement_timestamp() AND referral_id <> ALL ($2)
ORDER BY due_at, referral_id, level LIMIT $1
"""
# Asked again under the patients' locks: another scheduler may have told them meanwhile, or a deed have come.
CLAIM = """
SELECT referral_id, step, level, due_at FROM referral_timer
WHERE referral_id = ANY ($1) AND patient_id = ANY ($2) AND fired_at IS NULL AND due_at <= statement_timestamp()
ORDER BY due_at, referral_id, level FOR UPDATE SKIP LOCKED
"""
FIRED = """
UPDATE referral_timer t SET fired_at = clock_timestamp()
FROM unnest($1::uuid[], $2::uuid[], $3::smallint[]) AS u (referral_id, step, level)
WHERE (t.referral_id, t.step, t.level) = (u.referral_id, u.step, u.level)
"""


async def load(connection: "Connection", patients: Collection[str], ids: Collection[UUID] = ()) -> list[Referral]:
    """All referrals of these patients, and those named, folded from their deeds."""
    kept: dict[UUID, list[Any]] = {}
    for row in await connection.fetch(LOAD, list(patients), list(ids)):
        kept.setdefault(row["id"], []).append(row)
    return [_referral(rows) for rows in kept.values()]


def _referral(rows: Sequence[Any]) -> Referral:
    first = rows[0]
    folded = begin(first["id"], first["patient_id"], (_deed(row) for row in rows))
    return replace(folded, version=first["version"], fired=first["fired"])


def _deed(row: Any) -> Deed:
    return Deed(
        kind=Kind(row["kind"]),
        at=row["at"],
        event_id=row["event_id"],
        source=row["source"],
        actor=row["actor"],
        historical=row["historical"],
        said=orjson.loads(row["said"]),
    )


async def save(connection: "Connection", changed: Sequence[tuple[Referral, Waiting | None, str]]) -> None:
    """Writes the referrals with what they wait for and their service's group."""
    if changed:
        await connection.execute(SAVE, *_columns(_row(*entry) for entry in changed))


def _row(referral: Referral, awaited: Waiting | None, group: str) -> tuple[Any, ...]:
    terms = referral.terms
    name = terms.identifier
    return (
        *(referral.id, referral.patient_id, terms.facility.code if terms.facility else ""),
        *(name.authority if name else None, name.value if name else None, group, terms.priority),
        *(referral.state.value, referral.is_open, referral.is_held, terms.performer, terms.requester),
        *(awaited.code if awaited else None, awaited.due_at if awaited else None, referral.fired, referral.version),
        *(referral.requested_at, awaited.role if awaited else None),
        terms.model_dump_json(exclude_none=True).encode(),
    )


async def keep_deeds(connection: "Connection", deeds: Sequence[tuple[UUID, Deed]]) -> None:
    if deeds:
        rows = (
            (of, d.event_id, d.kind.value, d.at, d.source, d.actor, d.historical, orjson.dumps(d.said))
            for of, d in deeds
        )
        await connection.execute(KEEP_DEEDS, *_columns(rows))


async def set_timers(connection: "Connection", running: Sequence[tuple[Referral, Sequence[LoopTimer]]]) -> None:
    """These referrals' clocks as they must now run, and no others of theirs."""
    await connection.execute(STOP_TIMERS, [referral.id for referral, _ in running])
    rows = [(t.referral_id, t.step, t.level, r.patient_id, t.due_at) for r, timers in running for t in timers]
    if rows:
        await connection.execute(SET_TIMERS, *_columns(rows))


async def keep_unmatched(connection: "Connection", rows: Sequence[tuple[UUID, str, datetime, Fact, bool]]) -> None:
    if rows:
        said = [(i, who, at, fact.TYPE, old, fact.model_dump(mode="json")) for i, who, at, fact, old in rows]
        await connection.executemany(KEEP_UNMATCHED, said)


async def unmatched(
    connection: "Connection", patients: Collection[str]
) -> list[tuple[UUID, str, datetime, Fact, bool]]:
    """What waits for a referral of these patients, in order of time."""
    rows = await connection.fetch(UNMATCHED, list(patients))
    return [
        (r["event_id"], r["patient_id"], r["at"], BY_TYPE[r["type"]].model_validate_json(r["body"]), r["historical"])
        for r in rows
    ]


async def forget_unmatched(connection: "Connection", events: Collection[UUID]) -> None:
    if events:
        await connection.execute(MATCHED, list(events))


async def place_of(connection: "Connection", referral_id: UUID) -> Any | None:
    """Whose the referral is, where, and between whom; None when there is none."""
    return await connection.fetchrow(PLACE, referral_id)


async def transition_of(connection: "Connection", transition_id: UUID) -> Any | None:
    return await connection.fetchrow(OF_TRANSITION, transition_id)


async def rekey(connection: "Connection", merged: Mapping[str, str]) -> None:
    """What is kept of retired patients (keys) stands under the survivors (values)."""
    await connection.execute(REKEY, list(merged), list(merged.values()))


async def due_referrals(connection: "Connection", limit: int, aside: Aside = ()) -> dict[UUID, str]:
    """Referrals with a level that is due, but for those `aside`, the longest due first, and whose they are. Nothing is
    locked.
    """
    return {row["referral_id"]: row["patient_id"] for row in await connection.fetch(DUE, limit, list(aside))}


async def claim(connection: "Connection", ids: Collection[UUID], patients: Collection[str]) -> list[LoopTimer]:
    rows = await connection.fetch(CLAIM, list(ids), list(patients))
    return [LoopTimer(**dict(row)) for row in rows]


async def mark_fired(connection: "Connection", fired: Sequence[LoopTimer]) -> None:
    await connection.execute(FIRED, *_columns((t.referral_id, t.step, t.level) for t in fired))


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


async def told_since(connection: "Connection", referral: Referral) -> int:
    """How many levels the clock told since the last deed."""
    told: int = await connection.fetchval(TOLD_SINCE, referral.id, referral.step, EXPIRY)
    return told
