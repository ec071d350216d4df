"""Fills worklists: running tasks, copied from those that transitions made of real stays, under other patients, places,
owners and due times; and outcomes of the quality measures, copied from those that were counted.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

    Tables = asyncpg.Connection[asyncpg.Record]

LONG_S = 3600
ORGANISATIONS = 40
OWNERS = 400
FACILITIES = 12
# In the second largest organisation every task is taken, and none has escalated: there is much to walk in vain.
KEEPS_UP = "org-1"
# Of the past and of the days to come: a third is overdue, so that the lists are as long as they may ever get.
OVERDUE_DAYS, AHEAD_DAYS = 30, 60
MONTHS = 24
COLUMNS = """
SELECT attname FROM pg_attribute
WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = '' AND attgenerated = ''
ORDER BY attnum
"""
# Stays that owe something, with how much.
SAMPLE = """
CREATE TEMP TABLE sample AS
SELECT row_number() OVER (ORDER BY t.id) - 1 AS number, t.id AS sampled, count(*) AS owes
FROM transition t JOIN task k ON k.transition_id = t.id GROUP BY t.id
"""
# Organisations differ in size: the largest has nearly a third of the patients, the smallest one in a hundred. Every
# tenth patient has none.
COPY = f"""
CREATE TEMP TABLE copy AS
SELECT n, 'w-' || gen_random_uuid() AS patient, gen_random_uuid() AS encounter, gen_random_uuid() AS transition,
       s.sampled, 'HOSPITAL-' || f AS facility,
       (ARRAY['America/New_York', 'America/Chicago', 'America/Denver', 'America/Los_Angeles'])[1 + f % 4] AS zone,
       CASE WHEN random() < 0.1 THEN NULL
            ELSE 'org-' || floor({ORGANISATIONS} * power(random(), 3))::int END AS organisation,
       1 + floor(3 * random())::int AS priority
FROM (SELECT n, floor({FACILITIES} * random())::int AS f FROM generate_series(1, $1::int) n) c
JOIN sample s ON s.number = c.n % (SELECT count(*) FROM sample)
"""
TRANSITION = {
    "id": "c.transition",
    "encounter_id": "c.encounter",
    "patient_id": "c.patient",
    "facility": "c.facility",
    "status": "'following'",
    "historical": "false",
    "recount_at": "NULL",
    "body": """s.body - 'pcp_organisation' || jsonb_strip_nulls(jsonb_build_object('id', c.transition,
        'encounter_id', c.encounter, 'status', 'following', 'historical', false, 'pcp_organisation', c.organisation,
        'patient', s.body->'patient' || jsonb_build_object('id', c.patient),
        'facility', s.body->'facility' || jsonb_build_object('code', c.facility, 'time_zone', c.zone)))""",
}
TASK = {
    "id": "k.id",
    "transition_id": "k.transition",
    "patient_id": "k.patient",
    "facility": "k.facility",
    "organisation": "k.organisation",
    "priority": "k.priority",
    "status": "CASE WHEN k.owner IS NULL THEN 'requested' ELSE 'accepted' END",
    "owner": "k.owner",
    "due_at": "k.due_at",
    "settled_by": "NULL",
    "settled_at": "NULL",
    "time_zone": "k.zone",
    "body": """s.body - '{owner,outcome,closure,done_at,settled_by,evidence_event_id}'::text[]
        || jsonb_strip_nulls(jsonb_build_object('id', k.id, 'owner', k.owner, 'due_at', k.due_at,
        'status', CASE WHEN k.owner IS NULL THEN 'requested' ELSE 'accepted' END,
        'escalation_level', k.level))""",
}
EACH_TASK = f"""
(SELECT d.*, now() + make_interval(secs => 86400 * days) AS due_at,
        CASE WHEN luck < 0.5 OR keeps_up THEN 'care-manager-' || floor({OWNERS} * random())::int END AS owner,
        CASE WHEN days < 0 AND random() < 0.3 AND NOT keeps_up THEN 1 + floor(3 * random())::int ELSE 0 END AS level
 FROM (SELECT c.*, s.id AS copied, gen_random_uuid() AS id, random() AS luck,
              {OVERDUE_DAYS + AHEAD_DAYS} * random() - {OVERDUE_DAYS} AS days,
              coalesce(c.organisation = '{KEEPS_UP}', false) AS keeps_up
       FROM copy c JOIN task s ON s.transition_id = c.sampled) d) k
JOIN task s ON s.id = k.copied
"""
OUTCOME = {
    "about": "gen_random_uuid()",
    "patient_id": "'w-' || c.n",
    "transition_id": "NULL",
    "facility": f"'HOSPITAL-' || floor({FACILITIES} * c.luck)::int",
    "organisation": f"'org-' || floor({ORGANISATIONS} * power(c.luck, 3))::int",
    "counted_at": "s.counted_at - make_interval(days => c.days)",
    "counted_on": "s.counted_on - c.days",
    "closes_at": "s.closes_at - make_interval(days => c.days)",
    "met": "s.exclusion IS NULL AND c.luck < 0.6",
    "value": "CASE WHEN s.exclusion IS NULL AND c.luck < 0.6 THEN round((50 * c.luck)::numeric, 2)::float END",
}
COUNTED = "CREATE TEMP TABLE counted AS SELECT row_number() OVER () - 1 AS number, o.* FROM quality_outcome o"
EACH_OUTCOME = f"""
(SELECT n, random() AS luck, floor({MONTHS} * 30 * random())::int AS days FROM generate_series(1, $1::int) n) c
JOIN counted s ON s.number = c.n % (SELECT count(*) FROM counted)
"""


async def fill_tasks(tables: "Tables", rows: int) -> int:
    """Adds about so many running tasks with their transitions; answers how many. Raises LookupError where none was
    made of a real stay yet.
    """
    await _quickly(tables)
    await tables.execute(SAMPLE)
    owed = await tables.fetchval("SELECT avg(owes) FROM sample")
    if owed is None:
        raise LookupError("no stay owes a task yet: there is nothing to copy")
    await tables.execute(COPY, round(rows / float(owed)), timeout=LONG_S)
    await _insert(tables, "transition", TRANSITION, "copy c JOIN transition s ON s.id = c.sampled")
    await _insert(tables, "task", TASK, EACH_TASK)
    await tables.execute("VACUUM ANALYZE transition, task", timeout=LONG_S)
    return int(await tables.fetchval("SELECT count(*) FROM task WHERE status IN ('requested', 'accepted')"))


async def fill_outcomes(tables: "Tables", rows: int) -> None:
    """Adds so many outcomes, over two years. Raises LookupError where nobody was counted yet."""
    await _quickly(tables)
    await tables.execute(COUNTED)
    if not await tables.fetchval("SELECT count(*) FROM counted"):
        raise LookupError("nobody was counted yet: there is nothing to copy")
    await _insert(tables, "quality_outcome", OUTCOME, EACH_OUTCOME, rows)
    await tables.execute("VACUUM ANALYZE quality_outcome", timeout=LONG_S)


async def _quickly(tables: "Tables") -> None:
    """Without the triggers: nobody of these is to be counted or told of."""
    await tables.execute("SET synchronous_commit = off; SET session_replication_role = replica")
    await tables.execute("SELECT setseed(0.5)")


async def _insert(tables: "Tables", table: str, own: dict[str, str], source: str, *given: object) -> None:
    """Copies of `s` but for its `own` columns."""
    columns = [row["attname"] for row in await tables.fetch(COLUMNS, table)]
    values = ", ".join(own.get(name, f"s.{name}") for name in columns)
    await tables.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {source}", *given,
                         timeout=LONG_S)  # fmt: skip
