"""What old rows go: each service's rules against its own schema, in small batches, with a line in the audit log."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from services.careplan.retention_store import ENDED as CAREPLAN
from services.intake.unknown_store import ENDED as INTAKE
from services.notifications.store.retention import ENDED as NOTIFICATIONS
from services.transitions.store.retention import ENDED as TRANSITIONS
from shared.http import verify_audit
from shared.postgres import Database
from shared.retention import MACHINERY, Forgetting, RetentionSettings, WrongRetentionError
from tests.support.databases import Databases

OWN: Mapping[str, Mapping[str, str]] = {
    "intake": INTAKE,
    "transitions": TRANSITIONS,
    "careplan": CAREPLAN,
    "notifications": NOTIFICATIONS,
    "dashboard": {},
}
LETTERS = """
INSERT INTO dead_letter (consumer, topic, partition, log_id, log_offset, reason, headers, at)
SELECT 'careplan', 'care.plans.v1', 0, 'log', n, 'not-json', '', now() - make_interval(days => $2)
FROM generate_series($1 * 100, $1 * 100 + 4) n
"""
SKIPPED = """
INSERT INTO skipped_event (consumer, subject, source, topic, epoch, from_sequence, to_sequence, reason, actor,
                           skipped_at)
SELECT 'careplan', 'p1', 'intake', 'care.encounters.v1', 1, n, n, 'known', 'ann', now() - make_interval(days => $1)
FROM generate_series(1, 3) n
"""


@pytest_asyncio.fixture(loop_scope="session")
async def careplan(databases: Databases) -> Database:
    return await databases.open("careplan")


@pytest.mark.parametrize("service", OWN)
async def test_every_table_has_a_rule_that_its_schema_understands(databases: Databases, service: str) -> None:
    forgetting = Forgetting.of(await databases.open(service), RetentionSettings(), OWN[service])
    assert {table: await forgetting.forget(table) for table in {**OWN[service], **MACHINERY}} == dict.fromkeys(
        {**OWN[service], **MACHINERY}, 0
    )


async def test_what_has_ended_long_ago_goes_in_small_batches_and_the_log_says_so(careplan: Database) -> None:
    for generation, days in ((1, 200), (2, 179), (3, 0)):
        await careplan.pool.execute(LETTERS, generation, days)
    for days in (2191, 2189):
        await careplan.pool.execute(SKIPPED, days)
    forgetting = Forgetting.of(careplan, RetentionSettings(), CAREPLAN)
    assert await forgetting.forget("dead_letter", most=2) == 5
    assert await forgetting.forget("skipped_event") == 3
    assert await careplan.pool.fetchval("SELECT min(log_offset) FROM dead_letter") == 200
    assert await careplan.pool.fetchval("SELECT count(*) FROM skipped_event") == 3
    noted = await careplan.pool.fetch("SELECT actor, action, subjects, outcome FROM audit ORDER BY seq")
    assert [(row["actor"], row["action"], row["subjects"]) for row in noted] == [
        ("careplan", "retention", ["dead_letter"]),
        ("careplan", "retention", ["skipped_event"]),
    ]
    async with careplan.pool.acquire() as connection:
        assert (await verify_audit(connection)).first_bad is None


async def test_a_row_that_somebody_works_on_stays_until_the_next_round(careplan: Database) -> None:
    await careplan.pool.execute(LETTERS, 1, 200)
    forgetting = Forgetting.of(careplan, RetentionSettings(), CAREPLAN)
    async with careplan.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM dead_letter WHERE log_offset = 100 FOR UPDATE")
        assert await forgetting.forget("dead_letter") == 4
    assert await forgetting.forget("dead_letter") == 1


async def test_versions_of_a_plan_that_ended_go_and_the_last_one_stays(careplan: Database) -> None:
    courses = """
    INSERT INTO course (transition_id, patient_id, encounter_id, facility, live, plan_id, plan_status, plan_version,
                        changed_at, body)
    SELECT gen_random_uuid(), 'p', gen_random_uuid(), 'LAKE', false, $1::uuid, $2, 3,
           now() - make_interval(days => $3), '{}'
    """
    versions = """
    INSERT INTO plan_version (plan_id, version, patient_id, status, reason, actor, event_id, said_at, body)
    SELECT $1::uuid, n, 'p', 'active', 'r', 'a', gen_random_uuid(), now() - make_interval(days => 2200), '{}'
    FROM generate_series(1, 3) n
    """
    plans = {name: f"00000000-0000-7000-8000-00000000000{number}" for number, name in enumerate(("over", "on", "late"))}
    for name, status, days in (("over", "completed", 2200), ("on", "active", 2200), ("late", "completed", 10)):
        await careplan.pool.execute(courses, plans[name], status, days)
        await careplan.pool.execute(versions, plans[name])
    assert await Forgetting.of(careplan, RetentionSettings(), CAREPLAN).forget("plan_version") == 2
    left = await careplan.pool.fetch("SELECT plan_id::text, version FROM plan_version ORDER BY 1, 2")
    kept = [(plans["over"], 3)] + [(plans[name], n) for name in ("on", "late") for n in (1, 2, 3)]
    assert [tuple(row) for row in left] == sorted(kept)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "version: 1\nservices: {every-service: {dead_letter: {days: 3, why: much too soon, stays: all}}}\nnever: {}",
            "15",
        ),
        ("version: 1\nservices: {}\nnever: {}", "dead_letter"),
        ("services: [", "no YAML"),
    ],
)
async def test_wrong_rules_are_told_before_anything_goes(
    careplan: Database, tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    with pytest.raises(WrongRetentionError, match=said):
        Forgetting.of(careplan, RetentionSettings(file=file), CAREPLAN)
    with pytest.raises(WrongRetentionError, match="No such file"):
        Forgetting.of(careplan, RetentionSettings(file=tmp_path / "none.yaml"), CAREPLAN)
