"""All SQL of following patients: loading their cases and saving what changed. Arrays, never a statement per row."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from services.transitions.escalation import Timer, timers
from services.transitions.evidence import Evidence
from services.transitions.followed import Followed, PatientCase, Standing
from services.transitions.protocols import Library
from services.transitions.readmission import Return, Stayed
from services.transitions.risk import store as scored
from services.transitions.risk.scoring import UNSCORED
from services.transitions.task import Obligation, SettledBy, Why
from shared.events import Draft
from shared.events.transitions import Task, TaskFact, Transition, TransitionFact

if TYPE_CHECKING:
    import asyncpg

    from shared.postgres.transaction import Connection

RECENT = timedelta(days=40)
"""Closed stays that ended no longer than this before what the batch speaks of are followed: someone may return."""
RETURNS_WITHIN = timedelta(days=32)
LOOK_BACK = timedelta(days=80)
"""How far before the earliest followed stay others are loaded: what they return from must be known too."""
CLOCKS_APART = timedelta(days=2)
"""A deed may bear a time so much before its anchor's, since sources' clocks differ."""

STORED = """
    id, encounter_id, patient_id, facility, status, standing, version, encounter_version, edition, opened_by,
    discharged_by, discharge_heard_at, told_historical, historical, is_reviewed, readmission_indicator, readmission_of,
    readmission_days, why, admitted_at, discharged_at, risk, recount_at"""
# A stay is followed while it runs, for as long as someone may return from it, and whenever its encounter is named.
# What ended some time before those comes along: whether they are returns depends on it.
LOAD_TRANSITIONS = f"""
WITH near AS (
    SELECT patient_id, least(min(coalesce(admitted_at, discharged_at, changed_at)), $3) - $4::interval AS horizon
    FROM transition
    WHERE encounter_id = ANY ($2) OR (patient_id = ANY ($1) AND (
        status NOT IN ('closed', 'revoked') OR coalesce(discharged_at, admitted_at, changed_at) > $3))
    GROUP BY patient_id
)
SELECT {STORED}, body::text AS body, near.horizon FROM near JOIN transition USING (patient_id)
WHERE status NOT IN ('closed', 'revoked') OR coalesce(discharged_at, admitted_at, changed_at) > near.horizon
"""
LOAD_TASKS = """
SELECT id, transition_id, code, number, fired, settled_by, settled_at, why, body::text AS body FROM task
WHERE transition_id = ANY ($1) ORDER BY transition_id, code, number
"""
LOAD_EVIDENCE = """
SELECT event_id, type, patient_id, at, recorded, of_event, transition_id, encounter_id, about, details::text AS details
FROM evidence
WHERE patient_id = ANY ($1) AND at > $2
"""
SAVE_TRANSITIONS = f"""
INSERT INTO transition ({STORED}, body)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::bigint[],
    $9::text[], $10::uuid[], $11::uuid[], $12::timestamptz[], $13::bool[], $14::bool[], $15::bool[], $16::text[],
    $17::uuid[], $18::int[], $19::text[], $20::timestamptz[], $21::timestamptz[], $22::jsonb[], $23::timestamptz[],
    $24::jsonb[])
ON CONFLICT (id) DO UPDATE SET
    patient_id = excluded.patient_id, facility = excluded.facility, status = excluded.status,
    standing = excluded.standing, version = excluded.version, encounter_version = excluded.encounter_version,
    opened_by = excluded.opened_by, discharged_by = excluded.discharged_by,
    discharge_heard_at = excluded.discharge_heard_at, told_historical = excluded.told_historical,
    historical = excluded.historical, is_reviewed = excluded.is_reviewed,
    readmission_indicator = excluded.readmission_indicator, readmission_of = excluded.readmission_of,
    readmission_days = excluded.readmission_days, why = excluded.why, admitted_at = excluded.admitted_at,
    discharged_at = excluded.discharged_at, risk = excluded.risk, recount_at = excluded.recount_at,
    changed_at = clock_timestamp(), body = excluded.body
"""
NOTE_VERSIONS = """
UPDATE transition t SET encounter_version = u.version FROM unnest($1::uuid[], $2::bigint[]) AS u (id, version)
WHERE t.id = u.id
"""
# The order of a worklist, not a fact about the task: nothing is said of it, and its version stays.
SET_PRIORITIES = """
UPDATE task k SET priority = u.priority FROM unnest($1::uuid[], $2::smallint[]) AS u (id, priority)
WHERE k.transition_id = u.id AND k.priority <> u.priority AND k.status IN ('requested', 'accepted', 'on-hold')
"""
SAVE_TASKS = """
INSERT INTO task (id, transition_id, patient_id, facility, code, number, status, version, owner_role, owner, due_at,
    fired, settled_by, settled_at, why, body, organisation, priority, time_zone)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[], $8::int[],
    $9::text[], $10::text[], $11::timestamptz[], $12::smallint[], $13::text[], $14::timestamptz[], $15::text[],
    $16::jsonb[], $17::text[], $18::smallint[], $19::text[])
ON CONFLICT (id) DO UPDATE SET
    patient_id = excluded.patient_id, facility = excluded.facility, status = excluded.status,
    version = excluded.version, owner_role = excluded.owner_role, owner = excluded.owner, due_at = excluded.due_at,
    fired = excluded.fired, settled_by = excluded.settled_by, settled_at = excluded.settled_at, why = excluded.why,
    body = excluded.body, organisation = excluded.organisation, priority = excluded.priority,
    time_zone = excluded.time_zone
"""
# A level that was told stays told: only what is still to come may move.
SET_TIMERS = """
INSERT INTO task_timer AS t (task_id, level, due_at, patient_id)
SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::timestamptz[], $4::text[])
ON CONFLICT (task_id, level) DO UPDATE SET due_at = excluded.due_at, patient_id = excluded.patient_id
WHERE t.fired_at IS NULL
"""
STOP_TIMERS = "DELETE FROM task_timer WHERE task_id = ANY ($1) AND fired_at IS NULL"
KEEP_EVIDENCE = """
INSERT INTO evidence (event_id, type, patient_id, at, recorded, of_event, transition_id, encounter_id, about, details)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::uuid[], $7::uuid[],
    $8::uuid[], $9::text[], $10::jsonb[])
ON CONFLICT (event_id) DO NOTHING
"""
MOVE_EVIDENCE = """
UPDATE evidence e SET patient_id = u.patient_id FROM unnest($1::uuid[], $2::text[]) AS u (event_id, patient_id)
WHERE e.event_id = u.event_id
"""
WRITE_HISTORY = """
INSERT INTO history (transition_id, event_id, type, at, task_id, code, reason, caused_by)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::uuid[], $6::text[], $7::text[],
    $8::text[])
"""

REKEY = """
WITH merged AS (SELECT * FROM unnest($1::text[], $2::text[]) AS m (retired, survivor)),
transition_ AS (
    UPDATE transition t SET patient_id = m.survivor, body = jsonb_set(t.body, '{patient,id}', to_jsonb(m.survivor))
    FROM merged m WHERE t.patient_id = m.retired
),
task_ AS (UPDATE task t SET patient_id = m.survivor FROM merged m WHERE t.patient_id = m.retired),
task_timer_ AS (UPDATE task_timer t SET patient_id = m.survivor FROM merged m WHERE t.patient_id = m.retired),
evidence_ AS (UPDATE evidence t SET patient_id = m.survivor FROM merged m WHERE t.patient_id = m.retired),
laboratory_ AS (UPDATE laboratory t SET patient_id = m.survivor FROM merged m WHERE t.patient_id = m.retired)
SELECT
"""


async def load_cases(
    connection: "Connection", library: Library, patients: Collection[str], encounters: Collection[UUID], since: datetime
) -> dict[str, PatientCase]:
    """The cases of these patients, and of whoever else the named encounters stand under; `since` is the earliest
    time the batch speaks of.
    """
    rows = await connection.fetch(LOAD_TRANSITIONS, list(patients), list(encounters), since - RECENT, LOOK_BACK)
    near = [row for row in rows if not _is_far(row)]
    tasks = await _tasks_of(connection, library, [row["id"] for row in near]) if near else {}
    cases = {patient: PatientCase(patient) for patient in {*patients, *(row["patient_id"] for row in rows)}}
    for row in near:
        cases[row["patient_id"]].followed[row["encounter_id"]] = _followed(row, tasks.get(row["id"], []))
    evidence = await _evidence_of(connection, cases, min((since, *_anchors(near))) - CLOCKS_APART)
    context = _context([row for row in rows if _is_far(row)])
    behind = await scored.behind(connection, cases, [row["id"] for row in near], since)
    return {
        patient: replace(
            case,
            evidence=tuple(evidence.get(patient, ())),
            context=tuple(context.get(patient, ())),
            behind=behind[patient],
        )
        for patient, case in cases.items()
    }


def _is_far(row: "asyncpg.Record") -> bool:
    """Whether what this stay may be a return from was not loaded: then it only bears on others."""
    return row["admitted_at"] is not None and row["admitted_at"] - RETURNS_WITHIN < row["horizon"]


def _anchors(rows: Iterable["asyncpg.Record"]) -> Iterator[datetime]:
    for row in rows:
        times: tuple[datetime | None, ...] = (row["admitted_at"], row["discharged_at"], row["discharge_heard_at"])
        yield from (at for at in times if at is not None)


def _context(rows: Iterable["asyncpg.Record"]) -> dict[str, list[Stayed]]:
    found: dict[str, list[Stayed]] = {}
    for row in rows:
        if row["standing"] != Standing.VOID:
            found.setdefault(row["patient_id"], []).append(_followed(row, ()).stayed)
    return found


async def _evidence_of(
    connection: "Connection", patients: Collection[str], since: datetime
) -> dict[str, list[Evidence]]:
    found: dict[str, list[Evidence]] = {}
    for row in await connection.fetch(LOAD_EVIDENCE, list(patients), since):
        told = dict(row) | {"details": orjson.loads(row["details"])}
        found.setdefault(row["patient_id"], []).append(Evidence(**told))
    return found


async def _tasks_of(
    connection: "Connection", library: Library, transitions: Sequence[UUID]
) -> dict[UUID, list[Obligation]]:
    found: dict[UUID, list[Obligation]] = {}
    for row in await connection.fetch(LOAD_TASKS, transitions):
        found.setdefault(row["transition_id"], []).append(obligation_in(row, library))
    return found


def obligation_in(row: "asyncpg.Record", library: Library) -> Obligation:
    task = Task.model_validate_json(row["body"])
    return Obligation(
        task=task,
        rule=library.rule(task.protocol, task.code),
        number=row["number"],
        fired=row["fired"],
        settled_by=SettledBy(row["settled_by"]) if row["settled_by"] else None,
        settled_at=row["settled_at"],
        why=Why(row["why"]) if row["why"] else None,
    )


def _followed(row: "asyncpg.Record", tasks: Iterable[Obligation]) -> Followed:
    returned = Return(row["readmission_of"], row["readmission_days"]) if row["readmission_of"] else None
    return Followed(
        transition=Transition.model_validate_json(row["body"]),
        standing=Standing(row["standing"]),
        encounter_version=row["encounter_version"],
        edition=row["edition"],
        opened_by=row["opened_by"],
        discharged_by=row["discharged_by"],
        discharge_heard_at=row["discharge_heard_at"],
        told_historical=row["told_historical"],
        is_reviewed=row["is_reviewed"],
        readmission_indicator=row["readmission_indicator"],
        readmission=returned,
        why=Why(row["why"]),
        tasks=tuple(tasks),
        weighed=scored.weighed_in(row["risk"]),
        recount_at=row["recount_at"],
    )


async def note_versions(connection: "Connection", moved: Collection[Followed]) -> None:
    if moved:
        rows = ((f.transition.id, f.encounter_version) for f in moved)
        await connection.execute(NOTE_VERSIONS, *_columns(rows))


async def save_transitions(connection: "Connection", changed: Collection[Followed]) -> None:
    if changed:
        await connection.execute(SAVE_TRANSITIONS, *_columns(_transition_row(f) for f in changed))


async def set_priorities(connection: "Connection", changed: Collection[Transition]) -> None:
    """Where open tasks of these transitions stand among others that are due at the same time."""
    if changed:
        await connection.execute(SET_PRIORITIES, *_columns((t.id, priority_of(t)) for t in changed))


def _transition_row(f: Followed) -> tuple[Any, ...]:
    t, returned = f.transition, f.readmission
    return (
        *(t.id, t.encounter_id, t.patient.id, t.facility.code, t.status.value, f.standing.value, t.version),
        *(f.encounter_version, f.edition, f.opened_by, f.discharged_by, f.discharge_heard_at, f.told_historical),
        *(t.historical, f.is_reviewed, f.readmission_indicator),
        *(returned.earlier_encounter_id if returned else None, returned.days if returned else None),
        *(f.why.value, t.admitted_at, t.discharged_at, scored.row_of(f.weighed), f.recount_at),
        t.model_dump_json(exclude_none=True).encode(),
    )


async def save_tasks(connection: "Connection", changed: Sequence[tuple[Transition, Obligation]]) -> None:
    if changed:
        await connection.execute(SAVE_TASKS, *_columns(_task_row(t, o) for t, o in changed))


async def set_clocks(connection: "Connection", changed: Sequence[tuple[Transition, Obligation]]) -> None:
    """Sets the tasks' timers: the levels still to come where they run, none where they do not."""
    running = [(timer, t.patient.id) for t, o in changed for timer in timers(o, t.facility.time_zone)]
    if running:
        await connection.execute(SET_TIMERS, *_columns(_timer_row(*pair) for pair in running))
    # A task that was created and settled at once never had a clock.
    stopped = [o.task.id for _, o in changed if not o.runs and o.task.version > 1]
    if stopped:
        await connection.execute(STOP_TIMERS, stopped)


def _task_row(transition: Transition, o: Obligation) -> tuple[Any, ...]:
    task = o.task
    return (
        *(task.id, transition.id, transition.patient.id, transition.facility.code, task.code, o.number),
        *(task.status.value, task.version, task.owner_role, task.owner, task.due_at, o.fired),
        *(o.settled_by.value if o.settled_by else None, o.settled_at, o.why.value if o.why else None),
        *(task.model_dump_json(exclude_none=True).encode(), transition.pcp_organisation, priority_of(transition)),
        transition.facility.time_zone,
    )


def priority_of(transition: Transition) -> int:
    """The place of its tasks among those that are due at the same time; 1 comes first."""
    return transition.risk.priority if transition.risk else UNSCORED


def _timer_row(timer: Timer, patient_id: str) -> tuple[Any, ...]:
    return (timer.task_id, timer.level, timer.due_at, patient_id)


async def keep_evidence(connection: "Connection", found: Sequence[Evidence]) -> None:
    if found:
        await connection.execute(KEEP_EVIDENCE, *_columns(_evidence_row(e) for e in found))


async def move_evidence(connection: "Connection", moved: Sequence[Evidence]) -> None:
    """Deeds of stays that are another patient's."""
    if moved:
        await connection.execute(MOVE_EVIDENCE, *_columns((e.event_id, e.patient_id) for e in moved))


def _evidence_row(e: Evidence) -> tuple[Any, ...]:
    named = (e.of_event, e.transition_id, e.encounter_id, e.about)
    return (e.event_id, e.type, e.patient_id, e.at, e.recorded, *named, orjson.dumps(dict(e.details)))


async def write_history(connection: "Connection", drafts: Sequence[Draft]) -> None:
    """Keeps what is said of transitions and tasks for the transition's page."""
    rows = [row for draft in drafts if (row := _history_row(draft))]
    if rows:
        await connection.execute(WRITE_HISTORY, *_columns(rows))


def _history_row(draft: Draft) -> tuple[Any, ...] | None:
    match draft.fact:
        case TaskFact(transition=transition, task=task, reason=reason):
            about: tuple[UUID | None, str | None] = (task.id, task.code)
        case TransitionFact(transition=transition, reason=reason):
            about = (None, None)
        case _:
            return None
    return (transition.id, draft.id, draft.fact.TYPE, draft.time, *about, reason, draft.causation_id)


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


async def rekey(connection: "Connection", merged: Mapping[str, str]) -> None:
    """Everything of retired patients (keys), old stays too, stands under the survivors (values)."""
    await connection.execute(REKEY, list(merged), list(merged.values()))
