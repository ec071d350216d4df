"""SQL of looking at referrals: the list, one referral with its deeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

COLUMNS = """id, patient_id, facility, service_group, priority, state, is_open, is_held, performer, requester,
    waiting_for, due_at, fired, version, requested_at, changed_at, body::text AS body"""
LIST = f"""
SELECT {COLUMNS} FROM referral
WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR priority = $2)
  AND ($3::text IS NULL OR patient_id = $3) AND (cardinality($4::text[]) = 0 OR facility = ANY ($4))
  AND ($5::text IS NULL OR performer = $5 OR requester = $5)
  AND ($6::bool IS NULL OR (is_held AND is_open) = $6) AND ($7::bool IS NULL OR is_open = $7)
  AND (NOT $8::bool OR (is_open AND due_at < statement_timestamp()))
  AND ($9::timestamptz IS NULL OR (changed_at, id) < ($9, $10))
ORDER BY changed_at DESC, id DESC LIMIT $11
"""
ONE = f"SELECT {COLUMNS} FROM referral WHERE id = $1"
DEEDS = """
SELECT event_id, kind, at, recorded, source, actor, said ->> 'reason' AS reason FROM referral_deed
WHERE referral_id = $1 ORDER BY at, recorded
"""
# What a suspected duplicate is to be compared with: whether that one is answered already is for a person to see.
EXISTING = """
SELECT id, state, service_group, performer, requested_at, state IN ('completed', 'closed') AS has_result,
       body ->> 'outcome' AS outcome, body ->> 'scheduled_at' AS scheduled_at
FROM referral WHERE id = $1 AND patient_id = $2
"""
TIMERS = "SELECT step, level, due_at, fired_at FROM referral_timer WHERE referral_id = $1"
# What named an order that no referral here has: shown by what it is and where it came from, without what it says.
UNMATCHED = """
SELECT event_id, patient_id, at, type, body #>> '{facility,code}' AS facility,
       body #>> '{order,value}' AS order_number,
       coalesce(body ->> 'service', body ->> 'name', body ->> 'document_type', body ->> 'code') AS service
FROM referral_unmatched
WHERE (cardinality($1::text[]) = 0 OR body #>> '{facility,code}' = ANY ($1))
  AND ($2::timestamptz IS NULL OR (at, event_id) < ($2, $3))
  AND ($5::text IS NULL OR EXISTS (
    SELECT FROM transition t WHERE t.patient_id = referral_unmatched.patient_id AND t.body ->> 'pcp_organisation' = $5))
ORDER BY at DESC, event_id DESC LIMIT $4
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralsWanted:
    """`organisation` is performer or requester; `facilities` are those the caller may see (empty: all)."""

    state: str | None = None
    priority: str | None = None
    patient: str | None = None
    facilities: tuple[str, ...] = ()
    organisation: str | None = None
    held: bool | None = None
    is_open: bool | None = None
    overdue: bool = False
    before: tuple[datetime, UUID] | None = None
    limit: int = 50


async def referrals(connection: "Connection", wanted: ReferralsWanted) -> list[Mapping[str, Any]]:
    """Last changed first."""
    at, last = wanted.before or (None, None)
    rows = await connection.fetch(
        LIST,
        wanted.state,
        wanted.priority,
        wanted.patient,
        list(wanted.facilities),
        wanted.organisation,
        wanted.held,
        wanted.is_open,
        wanted.overdue,
        at,
        last,
        wanted.limit,
    )
    return [_shown(row) for row in rows]


async def referral(connection: "Connection", referral_id: UUID) -> dict[str, Any] | None:
    """The referral with everything that was heard of it and done to it."""
    row = await connection.fetchrow(ONE, referral_id)
    if row is None:
        return None
    deeds = [dict(deed) for deed in await connection.fetch(DEEDS, referral_id)]
    shown = _shown(row)
    rival = shown["terms"].get("duplicate_of")
    existing = await connection.fetchrow(EXISTING, UUID(rival), shown["patient_id"]) if rival else None
    return {**shown, "deeds": deeds, "existing": dict(existing) if existing else None}


def _shown(row: Any) -> dict[str, Any]:
    found = dict(row)
    terms = orjson.loads(found.pop("body"))
    return {**found, "escalation_level": max(found["fired"] - 1, 0), "terms": terms}


async def timers(connection: "Connection", referral_id: UUID) -> list[tuple[UUID, int, datetime, datetime | None]]:
    """Every level that was or will be told: step, level, due, told."""
    rows = await connection.fetch(TIMERS, referral_id)
    return [(row["step"], row["level"], row["due_at"], row["fired_at"]) for row in rows]


async def unmatched(
    connection: "Connection",
    facilities: tuple[str, ...],
    organisation: str | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Mapping[str, Any]]:
    """Appointments, documents and results whose order nobody has heard of, newest first. `facilities` (empty: all) and
    `organisation` are what the caller is bound to.
    """
    at, last = before or (None, None)
    return [dict(row) for row in await connection.fetch(UNMATCHED, list(facilities), at, last, limit, organisation)]
