"""Fills a stack's tables with a million stays: copies of one stay's rows, with ids and numbers of their own."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

# One row a stay to be made: the ids that its rows share over all services.
COPY = """
CREATE TEMP TABLE copy AS
SELECT n, 'g-' || gen_random_uuid() AS patient, gen_random_uuid() AS encounter, gen_random_uuid() AS message,
       gen_random_uuid() AS transition, gen_random_uuid() AS plan
FROM generate_series(1, $1::int) n
"""
COLUMNS = """
SELECT attname FROM pg_attribute
WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = '' AND attgenerated = ''
ORDER BY attnum
"""
NEW = "gen_random_uuid()"


@dataclass(frozen=True, slots=True)
class Grown:
    """`own` says which columns differ from the copied row, as SQL over `copy c` and the row's number `k` within its
    stay; `where` chooses the row that is copied: one of a stay that is over, and of these the shortest.

    Copies leave the same gap in every page. Were it wide enough for a row that comes later, each of those would go to
    an old page of its own; in years one row in eight at most does so, since a page has room for eight and one gap.
    """

    table: str
    own: Mapping[str, str]
    a_stay: int = 1
    where: str = "true"


def _patients(service: str) -> Grown:
    return Grown(f"{service}.patient_key", {"id": "c.patient"}, where="survivor IS NULL")


def _watermarks(service: str) -> Grown:
    return Grown(f"{service}.watermark", {"subject": "c.patient"})


TABLES = (
    _patients("intake"),
    Grown("intake.patient", {"id": "c.patient"}),
    Grown("intake.identifier", {"authority": "'GROWTH'", "value": "c.n::text", "patient_id": "c.patient"}),
    Grown(
        "intake.encounter",
        {"id": "c.encounter", "authority": "'GROWTH'", "value": "c.n::text", "patient_id": "c.patient"},
        where="status = 'finished'",
    ),
    Grown(
        "intake.message_key",
        {"feed": "'growth'", "control_id": "c.n || '-' || k", "sha256": "sha256((c.n || '-' || k)::bytea)",
         "message_id": NEW}, a_stay=3,
    ),
    Grown("intake.encounter_fact", {"encounter_id": "c.encounter", "message_id": NEW}, a_stay=3),
    Grown("intake.stream", {"subject": "c.patient"}),
    _patients("transitions"),
    _watermarks("transitions"),
    Grown(
        "transitions.transition", {"id": "c.transition", "encounter_id": "c.encounter", "patient_id": "c.patient"},
        where="standing = 'discharged'",
    ),
    Grown(
        "transitions.task",
        {"id": NEW, "transition_id": "c.transition", "patient_id": "c.patient", "code": "'grown-' || k",
         "status": "'completed'"}, a_stay=3,
    ),
    Grown("transitions.history", {"transition_id": "c.transition", "event_id": NEW}, a_stay=3),
    Grown("transitions.stream", {"subject": "c.patient"}),
    _patients("careplan"),
    _watermarks("careplan"),
    Grown(
        "careplan.course",
        {"transition_id": "c.transition", "patient_id": "c.patient", "encounter_id": "c.encounter", "plan_id": "c.plan",
         "live": "false"}, where="plan_id IS NOT NULL",
    ),
    Grown("careplan.plan_version", {"plan_id": "c.plan", "patient_id": "c.patient", "event_id": NEW}),
    Grown("careplan.stream", {"subject": "c.patient"}),
    _patients("notifications"),
    _watermarks("notifications"),
    Grown(
        "notifications.notice",
        {"event_id": "c.message", "patient_id": "c.patient", "encounter_id": "c.encounter",
         "transition_id": "c.transition"},
    ),
    Grown(
        "notifications.delivery",
        {"id": NEW, "event_id": "c.message", "patient_id": "c.patient", "encounter_id": "c.encounter"},
        where="status = 'delivered'",
    ),
    Grown("notifications.stream", {"subject": "c.patient"}),
    _patients("dashboard"),
    _watermarks("dashboard"),
    Grown("dashboard.person", {"patient_id": "c.patient"}),
    Grown("dashboard.stay", {"encounter_id": "c.encounter", "patient_id": "c.patient"}, where="status = 'finished'"),
    Grown(
        "dashboard.board_transition",
        {"id": "c.transition", "patient_id": "c.patient", "encounter_id": "c.encounter", "status": "'closed'"},
    ),
    Grown(
        "dashboard.board_task", {"id": NEW, "transition_id": "c.transition", "status": "'completed'"}, a_stay=3
    ),
    Grown("dashboard.event_log", {"event_id": NEW, "subject": "c.patient", "causation": f"{NEW}::text"}, a_stay=3),
)  # fmt: skip


async def multiply(connection: "asyncpg.Connection[asyncpg.Record]", stays: int) -> AsyncIterator[str]:
    """Adds so many stays; names each table when it is filled. Raises LookupError where there is no row to copy."""
    await connection.execute("SET synchronous_commit = off; SET maintenance_work_mem = '256MB'")
    await connection.execute(COPY, stays, timeout=600)
    for grown in TABLES:
        # Triggers name the tables of their own service.
        await connection.execute(f"SET search_path TO {grown.table.partition('.')[0]}, pg_temp")
        await connection.execute(await _filling(connection, grown), timeout=1800)
        await connection.execute(f"ANALYZE {grown.table}", timeout=600)
        yield grown.table
    await connection.execute("DROP TABLE copy")
    # Years of stays are not counted on one day.
    await connection.execute("TRUNCATE transitions.quality_uncounted")
    # And they were vacuumed long ago: else the server does that now, for minutes, and beside what is measured.
    await connection.execute("VACUUM (FREEZE, ANALYZE)", timeout=1800)
    await connection.execute("CHECKPOINT", timeout=600)


async def _filling(connection: "asyncpg.Connection[asyncpg.Record]", grown: Grown) -> str:
    if not await connection.fetchval(f"SELECT EXISTS (SELECT 1 FROM {grown.table} WHERE {grown.where})"):
        raise LookupError(f"{grown.table} has no row to copy where {grown.where}")
    columns = [row["attname"] for row in await connection.fetch(COLUMNS, grown.table)]
    values = ", ".join(grown.own.get(name, f"s.{name}") for name in columns)
    return f"""
        INSERT INTO {grown.table} ({", ".join(columns)})
        SELECT {values} FROM copy c CROSS JOIN generate_series(1, {grown.a_stay}) k
        CROSS JOIN (SELECT * FROM {grown.table} r WHERE {grown.where} ORDER BY pg_column_size(r) LIMIT 1) s
    """
