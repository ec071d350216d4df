"""What events write: one statement a table and batch. Each is an upsert that an older version never undoes."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from services.dashboard.store import Connection

Rows = Sequence[Mapping[str, Any]]

EVENTS = """
INSERT INTO event_log (event_id, type, topic, source, subject, correlation, causation, version, sequence, flags,
                       occurred, recorded, summary)
SELECT event_id, type, topic, source, subject, correlation, causation, version, sequence, flags,
       occurred, recorded, summary
FROM jsonb_populate_recordset(NULL::event_log, $1) ORDER BY event_id
ON CONFLICT (event_id) DO NOTHING
"""

# Intake knows a patient best; what other services say of a name only fills what intake has not said yet.
PEOPLE = """
INSERT INTO person AS p (patient_id, name, birth_date, sex, language, phone, deceased, told_at)
SELECT patient_id, name, birth_date, sex, language, phone, deceased, told_at
FROM jsonb_populate_recordset(NULL::person, $1) ORDER BY patient_id
ON CONFLICT (patient_id) DO UPDATE SET
    name = excluded.name, birth_date = excluded.birth_date, sex = excluded.sex, language = excluded.language,
    phone = excluded.phone, deceased = excluded.deceased, told_at = excluded.told_at
WHERE p.told_at <= excluded.told_at
  AND (p.name, p.birth_date, p.sex, p.language, p.phone, p.deceased)
      IS DISTINCT FROM (excluded.name, excluded.birth_date, excluded.sex, excluded.language, excluded.phone,
                        excluded.deceased)
"""
NAMED_ELSEWHERE = """
INSERT INTO person (patient_id, name, birth_date, sex, language, phone, deceased, told_at)
SELECT patient_id, name, birth_date, sex, language, phone, deceased, '-infinity'
FROM jsonb_populate_recordset(NULL::person, $1) ORDER BY patient_id
ON CONFLICT (patient_id) DO NOTHING
"""

STAYS = """
INSERT INTO stay AS s SELECT * FROM jsonb_populate_recordset(NULL::stay, $1) ORDER BY encounter_id
ON CONFLICT (encounter_id) DO UPDATE SET
    version = excluded.version, patient_id = excluded.patient_id, feed = excluded.feed, visit = excluded.visit,
    facility = excluded.facility, facility_name = excluded.facility_name, time_zone = excluded.time_zone,
    encounter_class = excluded.encounter_class, status = excluded.status, ward = excluded.ward, room = excluded.room,
    bed = excluded.bed, service = excluded.service, admitted_at = excluded.admitted_at,
    discharged_at = excluded.discharged_at, expected_discharge_at = excluded.expected_discharge_at
WHERE excluded.version >= s.version
"""

TRANSITIONS = """
INSERT INTO board_transition AS t (id, version, patient_id, encounter_id, visit, facility, facility_name, time_zone,
    encounter_class, status, status_at, admitted_at, discharged_at, disposition, diagnoses, protocols, reason,
    readmission_days, historical, pcp_organisation, risk, risk_priority, scores, rank_at)
SELECT id, version, patient_id, encounter_id, visit, facility, facility_name, time_zone,
    encounter_class, status, status_at, admitted_at, discharged_at, disposition, diagnoses, protocols, reason,
    readmission_days, historical, pcp_organisation, risk, risk_priority, scores,
    coalesce(admitted_at, status_at) + interval '100 years'
FROM jsonb_populate_recordset(NULL::board_transition, $1) ORDER BY id
ON CONFLICT (id) DO UPDATE SET
    version = excluded.version, patient_id = excluded.patient_id, encounter_id = excluded.encounter_id,
    visit = excluded.visit, facility = excluded.facility, facility_name = excluded.facility_name,
    time_zone = excluded.time_zone, encounter_class = excluded.encounter_class, status = excluded.status,
    pcp_organisation = excluded.pcp_organisation, risk = excluded.risk, risk_priority = excluded.risk_priority,
    scores = coalesce(excluded.scores, t.scores),
    status_at = CASE WHEN t.status = excluded.status THEN t.status_at ELSE excluded.status_at END,
    admitted_at = excluded.admitted_at, discharged_at = excluded.discharged_at, disposition = excluded.disposition,
    diagnoses = excluded.diagnoses, protocols = excluded.protocols,
    reason = CASE WHEN t.status = excluded.status THEN coalesce(excluded.reason, t.reason) ELSE excluded.reason END,
    readmission_days = coalesce(excluded.readmission_days, t.readmission_days), historical = excluded.historical
WHERE excluded.version >= t.version
"""

TASKS = """
INSERT INTO board_task AS t SELECT * FROM jsonb_populate_recordset(NULL::board_task, $1) ORDER BY id
ON CONFLICT (id) DO UPDATE SET
    version = excluded.version, title = excluded.title, owner_role = excluded.owner_role, owner = excluded.owner,
    status = excluded.status, due_at = excluded.due_at, due_explained = excluded.due_explained,
    protocol = excluded.protocol, escalation_level = excluded.escalation_level,
    evidence_event_id = excluded.evidence_event_id, outcome = excluded.outcome,
    reason = coalesce(excluded.reason, t.reason), told_by = excluded.told_by, closure = excluded.closure,
    rests_until = excluded.rests_until, acknowledged_by = excluded.acknowledged_by
WHERE excluded.version >= t.version
"""

# A card shows the next open task without reading the tasks; its place on the board follows from what is due first.
SUM_UP_TASKS = """
WITH summed AS (
    SELECT transition_id,
           count(*) FILTER (WHERE is_open) AS open_tasks,
           count(*) FILTER (WHERE status = 'completed') AS done_tasks,
           coalesce(max(escalation_level) FILTER (WHERE is_open), 0) AS escalation_level,
           min(due_at) FILTER (WHERE is_open) AS next_due_at,
           (array_agg(title ORDER BY due_at, id) FILTER (WHERE is_open AND due_at IS NOT NULL))[1] AS next_task,
           (array_agg(owner_role ORDER BY due_at, id) FILTER (WHERE is_open AND due_at IS NOT NULL))[1] AS next_role
    FROM (SELECT *, status IN ('requested', 'accepted') AS is_open FROM board_task WHERE transition_id = ANY ($1)) each
    GROUP BY transition_id
)
UPDATE board_transition t SET
    open_tasks = s.open_tasks, done_tasks = s.done_tasks, escalation_level = s.escalation_level,
    next_due_at = s.next_due_at, next_task = s.next_task, next_role = s.next_role,
    rank_at = coalesce(s.next_due_at, coalesce(t.admitted_at, t.status_at) + interval '100 years')
FROM summed s WHERE t.id = s.transition_id
"""

PLANS = """
INSERT INTO plan AS p SELECT * FROM jsonb_populate_recordset(NULL::plan, $1) ORDER BY id
ON CONFLICT (id) DO UPDATE SET
    version = excluded.version, patient_id = excluded.patient_id, transition_id = excluded.transition_id,
    encounter_id = excluded.encounter_id, status = excluded.status, template = excluded.template,
    content = excluded.content
WHERE excluded.version >= p.version
"""

DELIVERIES = """
INSERT INTO delivery AS d SELECT * FROM jsonb_populate_recordset(NULL::delivery, $1) ORDER BY id
ON CONFLICT (id) DO UPDATE SET
    version = excluded.version, patient_id = excluded.patient_id, endpoint_id = excluded.endpoint_id,
    channel = excluded.channel, status = excluded.status, attempts = excluded.attempts,
    transition_id = coalesce(excluded.transition_id, d.transition_id), acknowledged_by = excluded.acknowledged_by,
    reason = excluded.reason, at = excluded.at, told_by = excluded.told_by, late = d.late OR excluded.late
WHERE excluded.version >= d.version
"""

MINUTES = """
INSERT INTO feed_minute AS f SELECT * FROM jsonb_populate_recordset(NULL::feed_minute, $1) ORDER BY feed, minute
ON CONFLICT (feed, minute) DO UPDATE SET
    facility = excluded.facility, total = excluded.total, counts = excluded.counts,
    last_received_at = excluded.last_received_at
"""

SIGNALS = """
INSERT INTO signal AS s SELECT * FROM jsonb_populate_recordset(NULL::signal, $1) ORDER BY id
ON CONFLICT (id) DO UPDATE SET
    value = excluded.value, usual = excluded.usual, text = excluded.text, cleared_at = excluded.cleared_at,
    told_at = excluded.told_at, facility = excluded.facility
WHERE excluded.told_at >= s.told_at
"""

# A merge: all rows of the retired patients stand under the survivors. A repeated merge finds nothing to change.
REKEY = [
    f"""UPDATE {table} t SET patient_id = m.survivor
        FROM unnest($1::text[], $2::text[]) AS m (retired, survivor) WHERE t.patient_id = m.retired"""
    for table in ("stay", "board_transition", "plan", "delivery")
]
REKEY_PERSON = """
WITH gone AS (
    DELETE FROM person p USING unnest($1::text[], $2::text[]) AS m (retired, survivor)
    WHERE p.patient_id = m.retired RETURNING p.*, m.survivor
)
INSERT INTO person (patient_id, name, birth_date, sex, language, phone, deceased, told_at)
SELECT survivor, name, birth_date, sex, language, phone, deceased, '-infinity' FROM gone
ON CONFLICT (patient_id) DO NOTHING
"""

ANNOUNCE = "SELECT pg_notify('dashboard_live', json_build_object('r', nextval('live_revision'), 't', $1::jsonb)::text)"


async def write_events(connection: Connection, rows: Rows) -> None:
    await connection.execute(EVENTS, rows)


async def write_people(connection: Connection, rows: Rows) -> None:
    await connection.execute(PEOPLE, rows)


async def write_people_named_elsewhere(connection: Connection, rows: Rows) -> None:
    await connection.execute(NAMED_ELSEWHERE, rows)


async def write_stays(connection: Connection, rows: Rows) -> None:
    await connection.execute(STAYS, rows)


async def write_transitions(connection: Connection, rows: Rows) -> None:
    await connection.execute(TRANSITIONS, rows)


async def write_tasks(connection: Connection, rows: Rows) -> None:
    await connection.execute(TASKS, rows)


async def sum_up_tasks(connection: Connection, transitions: Sequence[UUID]) -> None:
    """After their tasks changed: the transitions' next due time, counts and place on the board."""
    await connection.execute(SUM_UP_TASKS, transitions)


async def write_plans(connection: Connection, rows: Rows) -> None:
    await connection.execute(PLANS, rows)


async def write_deliveries(connection: Connection, rows: Rows) -> None:
    await connection.execute(DELIVERIES, rows)


async def write_minutes(connection: Connection, rows: Rows) -> None:
    await connection.execute(MINUTES, rows)


async def write_signals(connection: Connection, rows: Rows) -> None:
    await connection.execute(SIGNALS, rows)


async def rekey(connection: Connection, merges: Mapping[str, str]) -> None:
    """Moves all rows of retired patients (keys) to their survivors (values)."""
    for statement in (*REKEY, REKEY_PERSON):
        await connection.execute(statement, list(merges), list(merges.values()))


async def announce(connection: Connection, touched: Mapping[str, int]) -> None:
    """Tells every console process, at commit, which pages changed and by how many rows (`touched`)."""
    await connection.execute(ANNOUNCE, touched)
