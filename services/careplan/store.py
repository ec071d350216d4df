"""All SQL of careplan: one function a statement. Callers hold the locks of the patients concerned."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.careplan.course import Course
from shared.events.plans import CarePlan

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

COURSES = "SELECT body::text AS body FROM course WHERE transition_id = ANY($1) OR (live AND patient_id = ANY($2))"
COURSE_OF_PLAN = "SELECT body FROM course WHERE plan_id = $1"
PATIENT_OF_PLAN = "SELECT patient_id FROM course WHERE plan_id = $1"
SAVE = """
INSERT INTO course AS c (transition_id, patient_id, encounter_id, facility, live, plan_id, plan_status, plan_version,
                         body)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::boolean[], $6::uuid[], $7::text[], $8::int[],
                     $9::jsonb[])
ON CONFLICT (transition_id) DO UPDATE SET
    patient_id = excluded.patient_id, encounter_id = excluded.encounter_id, facility = excluded.facility,
    live = excluded.live, plan_id = excluded.plan_id, plan_status = excluded.plan_status,
    plan_version = excluded.plan_version, body = excluded.body,
    changed_at = CASE WHEN c.plan_version = excluded.plan_version THEN c.changed_at ELSE now() END
"""
KEEP = """
INSERT INTO plan_version (plan_id, version, patient_id, status, reason, actor, event_id, body)
SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::jsonb[])
"""
# Ids inside the bodies change too: a plan told again must not bring the retired patient back.
REKEY = """
WITH merged AS (SELECT * FROM unnest($1::text[], $2::text[]) AS m (retired, survivor)),
courses AS (
    UPDATE course c SET patient_id = m.survivor,
        body = CASE WHEN body->'plan' IS NULL OR body->'plan' = 'null'
               THEN jsonb_set(body, '{transition,patient,id}', to_jsonb(m.survivor))
               ELSE jsonb_set(jsonb_set(body, '{transition,patient,id}', to_jsonb(m.survivor)), '{plan,patient,id}',
                              to_jsonb(m.survivor)) END
    FROM merged m WHERE c.patient_id = m.retired
),
versions AS (UPDATE plan_version v SET patient_id = m.survivor FROM merged m WHERE v.patient_id = m.retired)
SELECT
"""
PAGE = """
SELECT body->'plan' AS plan, changed_at, plan_id FROM course
WHERE plan_id IS NOT NULL
  AND ($1::text IS NULL OR patient_id = $1)
  AND ($2::uuid IS NULL OR transition_id = $2)
  AND ($3::text IS NULL OR plan_status = $3)
  AND (cardinality($4::text[]) = 0 OR facility = ANY($4))
  AND ($5::timestamptz IS NULL OR (changed_at, plan_id) < ($5, $6::uuid))
  AND ($7::text IS NULL OR body #>> '{transition,pcp_organisation}' = $7)
ORDER BY changed_at DESC, plan_id DESC LIMIT $8
"""
HISTORY = """
SELECT version, status, reason, actor, event_id, said_at, body FROM plan_version WHERE plan_id = $1 ORDER BY version
"""
OPEN_PLANS = """
SELECT plan_id, patient_id, body->'plan' AS plan FROM course
WHERE plan_status IN ('active', 'on-hold') AND ($1::uuid IS NULL OR plan_id > $1) ORDER BY plan_id LIMIT $2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptVersion:
    """A version of a plan for the history: why, by whom, and the event that told it."""

    plan: CarePlan
    reason: str
    actor: str
    event_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFilter:
    """Which plans to list. `facilities` (empty: all) and `organisation` are what the caller is bound to; `before` is
    the last row of the page before.
    """

    patient: str | None = None
    transition: UUID | None = None
    status: str | None = None
    facilities: Sequence[str] = ()
    organisation: str | None = None
    before: tuple[datetime, UUID] | None = None
    limit: int = 50


async def courses(connection: "Connection", transitions: Iterable[UUID], patients: Iterable[str]) -> dict[UUID, Course]:
    """The courses of these transitions, and all of these patients' that may still change."""
    rows = await connection.fetch(COURSES, list(transitions), list(patients))
    found = [Course.model_validate_json(row["body"]) for row in rows]
    return {course.transition.id: course for course in found}


async def patient_of(connection: "Connection", plan_id: UUID) -> str | None:
    patient: str | None = await connection.fetchval(PATIENT_OF_PLAN, plan_id)
    return patient


async def course_of(connection: "Connection", plan_id: UUID) -> Course | None:
    body = await connection.fetchval(COURSE_OF_PLAN, plan_id)
    return Course.model_validate(body) if body else None


async def save(connection: "Connection", changed: Sequence[Course]) -> None:
    rows = [
        (
            course.transition.id,
            course.transition.patient.id,
            course.transition.encounter_id,
            course.transition.facility.code,
            course.is_live,
            course.plan.id if course.plan else None,
            course.plan.status.value if course.plan else None,
            course.plan.version if course.plan else 0,
            course.model_dump_json(exclude_none=True).encode(),
        )
        for course in changed
    ]
    if rows:
        await connection.execute(SAVE, *(list(column) for column in zip(*rows, strict=True)))


async def keep(connection: "Connection", versions: Sequence[KeptVersion]) -> None:
    rows = [
        (
            v.plan.id,
            v.plan.version,
            v.plan.patient.id,
            v.plan.status.value,
            v.reason,
            v.actor,
            v.event_id,
            v.plan.model_dump_json(exclude_none=True).encode(),
        )
        for v in versions
    ]
    if rows:
        await connection.execute(KEEP, *(list(column) for column in zip(*rows, strict=True)))


async def rekey(connection: "Connection", merged: Mapping[str, str]) -> None:
    """Everything of retired patients (keys) is the survivors' (values) from now on. Safe to repeat."""
    await connection.execute(REKEY, list(merged), list(merged.values()))


async def page(connection: "Connection", wanted: PlanFilter) -> list[Mapping[str, Any]]:
    at, last = wanted.before or (None, None)
    chosen = (wanted.patient, wanted.transition, wanted.status, list(wanted.facilities))
    rows = await connection.fetch(PAGE, *chosen, at, last, wanted.organisation, wanted.limit)
    return [dict(row) for row in rows]


async def history(connection: "Connection", plan_id: UUID) -> list[Mapping[str, Any]]:
    return [dict(row) for row in await connection.fetch(HISTORY, plan_id)]


async def open_plans(connection: "Connection", after: UUID | None, limit: int) -> list[tuple[str, CarePlan]]:
    """(patient id, plan) of plans not yet ended, in the order of their ids, after this one."""
    rows = await connection.fetch(OPEN_PLANS, after, limit)
    return [(row["patient_id"], CarePlan.model_validate(row["plan"])) for row in rows]
