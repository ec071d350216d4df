"""What the board, the worklist and a transition's page read. Names are fetched apart, for those who may see them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.dashboard.keyset import Rank
from services.dashboard.store import Connection

Record = asyncpg.Record


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What of the board is wanted. `facilities` (None: all) and `organisation` (None: any) are what the caller is bound
    to; the others narrow it down further.
    """

    facilities: tuple[str, ...] | None = None
    organisation: str | None = None
    facility: str | None = None
    role: str | None = None
    overdue: bool = False
    historical: bool = False
    high_risk: bool = False


# $1 facilities the caller may see, $2 one facility, $3 role of an open task, $4 overdue only, $5 historical,
# $6 the organisation the caller is bound to, $7 high risk only
WANTED = """
    ($1::text[] IS NULL OR t.facility = ANY ($1)) AND ($2::text IS NULL OR t.facility = $2)
    AND ($3::text IS NULL OR EXISTS (SELECT 1 FROM board_task k WHERE k.transition_id = t.id AND k.owner_role = $3
                                     AND k.status IN ('requested', 'accepted')))
    AND (NOT $4 OR t.next_due_at < now()) AND t.historical = $5
    AND ($6::text IS NULL OR t.pcp_organisation = $6) AND (NOT $7 OR t.risk_priority = 1)
"""
CARD = """
    t.*, s.ward, s.room, s.bed, s.expected_discharge_at
FROM board_transition t LEFT JOIN stay s ON s.encounter_id = t.encounter_id
"""
COUNTS = f"""
SELECT t.status, count(*) AS total, count(*) FILTER (WHERE t.next_due_at < now()) AS overdue
FROM board_transition t WHERE {WANTED} AND t.status IN ('open', 'following', 'on-hold') GROUP BY t.status
UNION ALL
SELECT t.status, count(*), 0 FROM board_transition t
WHERE {WANTED} AND t.status IN ('closed', 'revoked') AND t.status_at > now() - interval '7 days' GROUP BY t.status
"""
# What escalated furthest, then what is due first, then who is at higher risk (2 is the place of those without a score).
RANK = "-t.escalation_level, t.rank_at, coalesce(t.risk_priority, 2), t.id"
ACTIVE = f"""
SELECT {CARD} WHERE {WANTED} AND t.status = $8
  AND ($9::int IS NULL OR ({RANK}) > (-$9, $10::timestamptz, $11::int, $12::uuid))
ORDER BY {RANK} LIMIT $13
"""
ENDED = f"""
SELECT {CARD} WHERE {WANTED} AND t.status IN ('closed', 'revoked')
  AND ($8::timestamptz IS NULL OR (t.status_at, t.id) < ($8, $9::uuid))
ORDER BY t.status_at DESC, t.id DESC LIMIT $10
"""
ONE = f"SELECT {CARD} WHERE t.id = $1"
OF_ENCOUNTER = "SELECT id FROM board_transition WHERE encounter_id = $1"
TASKS_OF = """
SELECT * FROM board_task WHERE transition_id = $1
ORDER BY status IN ('completed', 'cancelled'), due_at NULLS LAST, id
"""
PLANS_OF = "SELECT * FROM plan WHERE transition_id = $1 ORDER BY status = 'active' DESC, id DESC"
DELIVERIES_OF = (
    "SELECT * FROM delivery WHERE encounter_id = $1 OR transition_id = $2 ORDER BY at DESC, id DESC LIMIT 100"
)
# Events belong to a stay or to a transition: either id leads to the facility; the transition knows the organisation.
PLACE_OF = """
SELECT facility, pcp_organisation FROM board_transition WHERE id = $1 OR encounter_id = $1
UNION ALL SELECT facility, NULL FROM stay WHERE encounter_id = $1 LIMIT 1
"""
# One look into the index per distinct value, instead of reading all rows for a short list.
FACILITIES = """
WITH RECURSIVE found AS (
    SELECT min(facility) AS facility FROM board_transition
    UNION ALL
    SELECT (SELECT min(facility) FROM board_transition t WHERE t.facility > f.facility)
    FROM found f WHERE f.facility IS NOT NULL
)
SELECT facility, (SELECT facility_name FROM board_transition t WHERE t.facility = f.facility LIMIT 1) AS name
FROM found f WHERE facility IS NOT NULL AND ($1::text[] IS NULL OR facility = ANY ($1))
  AND ($2::text IS NULL OR EXISTS (
    SELECT FROM board_transition t WHERE t.facility = f.facility AND t.pcp_organisation = $2))
"""
ROLES = """
WITH RECURSIVE found AS (
    SELECT min(owner_role) AS role FROM board_task WHERE status IN ('requested', 'accepted')
    UNION ALL
    SELECT (SELECT min(owner_role) FROM board_task k
            WHERE k.owner_role > f.role AND k.status IN ('requested', 'accepted'))
    FROM found f WHERE f.role IS NOT NULL
)
SELECT role AS owner_role FROM found WHERE role IS NOT NULL
"""
ORGANISATIONS = """
WITH RECURSIVE told AS (
    SELECT min(organisation) AS name FROM delivery
    UNION ALL
    SELECT (SELECT min(organisation) FROM delivery d WHERE d.organisation > t.name) FROM told t WHERE t.name IS NOT NULL
), cares AS (
    SELECT min(pcp_organisation) AS name FROM board_transition
    UNION ALL
    SELECT (SELECT min(pcp_organisation) FROM board_transition t WHERE t.pcp_organisation > c.name)
    FROM cares c WHERE c.name IS NOT NULL
)
SELECT name FROM told WHERE name IS NOT NULL UNION SELECT name FROM cares WHERE name IS NOT NULL ORDER BY name
"""
TASKS_NAMED = """
SELECT k.id, k.title, k.owner_role, k.owner, t.id AS transition_id, t.patient_id
FROM board_task k JOIN board_transition t ON t.id = k.transition_id WHERE k.id = ANY ($1)
"""
SCORES = "SELECT id, scores FROM board_transition WHERE id = ANY ($1) AND scores IS NOT NULL"
NAMES = "SELECT patient_id, name, birth_date, sex, phone, language, deceased FROM person WHERE patient_id = ANY ($1)"
CLOCK = "SELECT clock_timestamp()"


def _wanted(wanted: Filter) -> tuple[object, ...]:
    chosen = (wanted.facilities, wanted.facility, wanted.role, wanted.overdue, wanted.historical)
    return (*chosen, wanted.organisation, wanted.high_risk)


async def clock(connection: Connection) -> datetime:
    """The database's clock: what is overdue is decided by it."""
    at: datetime = await connection.fetchval(CLOCK)
    return at


async def counts(connection: Connection, wanted: Filter) -> dict[str, Record]:
    """Per status: how many, and how many overdue; ended ones of the last seven days."""
    return {row["status"]: row for row in await connection.fetch(COUNTS, *_wanted(wanted))}


async def active(connection: Connection, wanted: Filter, status: str, after: Rank | None, limit: int) -> list[Record]:
    """Cards of one status, after the given place: those that escalated furthest, then what is due first, then risk."""
    return await connection.fetch(ACTIVE, *_wanted(wanted), status, *(after or [None] * 4), limit)


async def ended(
    connection: Connection, wanted: Filter, after: tuple[datetime, UUID] | None, limit: int
) -> list[Record]:
    """Closed and revoked transitions, the latest first."""
    at, last = after or (None, None)
    return await connection.fetch(ENDED, *_wanted(wanted), at, last, limit)


async def transition(connection: Connection, transition_id: UUID) -> Record | None:
    return await connection.fetchrow(ONE, transition_id)


async def transition_of_encounter(connection: Connection, encounter_id: UUID) -> UUID | None:
    found: UUID | None = await connection.fetchval(OF_ENCOUNTER, encounter_id)
    return found


async def tasks_of(connection: Connection, transition_id: UUID) -> list[Record]:
    """Open ones first, by due time."""
    return await connection.fetch(TASKS_OF, transition_id)


async def plans_of(connection: Connection, transition_id: UUID) -> list[Record]:
    return await connection.fetch(PLANS_OF, transition_id)


async def deliveries_of(connection: Connection, encounter_id: UUID, transition_id: UUID) -> list[Record]:
    return await connection.fetch(DELIVERIES_OF, encounter_id, transition_id)


async def place_of(connection: Connection, correlation: UUID) -> Record | None:
    """Facility and primary care's organisation of a stay or a transition; None where neither is known."""
    return await connection.fetchrow(PLACE_OF, correlation)


async def facilities(connection: Connection, visible: Sequence[str] | None, organisation: str | None) -> list[Record]:
    return await connection.fetch(FACILITIES, visible, organisation)


async def roles(connection: Connection) -> list[str]:
    return [row["owner_role"] for row in await connection.fetch(ROLES)]


async def organisations(connection: Connection) -> list[str]:
    """Everyone who was ever told anything, and whose primary care a patient is: whom one may ask."""
    return [row["name"] for row in await connection.fetch(ORGANISATIONS)]


async def tasks_named(connection: Connection, tasks: Iterable[UUID]) -> dict[UUID, Record]:
    """What these tasks are called, and whose they are."""
    return {row["id"]: row for row in await connection.fetch(TASKS_NAMED, list(tasks))}


async def scores(connection: Connection, transitions: Iterable[UUID]) -> dict[UUID, Any]:
    """Every score of these transitions as it was told last; those of which none was told are left out."""
    return {row["id"]: row["scores"] for row in await connection.fetch(SCORES, list(transitions))}


async def names(connection: Connection, patients: Iterable[str]) -> dict[str, Record]:
    """Who these patients are. Only for pages that were opened by someone who may know."""
    return {row["patient_id"]: row for row in await connection.fetch(NAMES, list(set(patients)))}
