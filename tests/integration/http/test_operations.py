"""The operations routes over a real database: looking, deciding with a version, and what the audit log then says."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest_asyncio

from shared.http import Role, operations_router, verify_audit
from shared.kafka import KafkaSettings, Relay
from shared.kafka.operating import Hop
from shared.postgres import Database, Transaction
from tests.integration.http.running import Answer, Client, Tokens, service
from tests.support.databases import Databases

PATIENT = "0192d5a0-0000-7000-8000-00000000beef"
PARK = "INSERT INTO blocked_key (consumer, subject, reason, detail) VALUES ('careplan', $1, $2, 'RuleError at x.py:1')"
PARK_EVENT = """
INSERT INTO parked_event (consumer, subject, source, topic, epoch, sequence, event_id, type, headers, value)
VALUES ('careplan', $1, 'intake', 'care.encounters.v1', 1, $2, $3, 'care.encounter.admitted.v1', '', '')
"""
BURY = """
INSERT INTO dead_letter (consumer, topic, partition, log_id, log_offset, reason, headers)
VALUES ('careplan', 'care.encounters.v1', 3, 'log', 17, 'no ce_type', '')
"""


async def tell_three(_tx: Transaction) -> int:
    return 3


async def deliveries(_database: Database) -> list[Hop]:
    return [Hop(name="deliveries", count=2, oldest_seconds=1.5)]


@pytest_asyncio.fixture(loop_scope="session")
async def database(databases: Databases) -> Database:
    return await databases.open("careplan")


@pytest_asyncio.fixture(loop_scope="session")
async def client(database: Database, tokens: Tokens) -> AsyncIterator[Client]:
    relay = Relay(database=database, kafka=KafkaSettings(bootstrap="127.0.0.1:1"))
    router = operations_router(database, consumer=None, relay=relay, snapshot=tell_three, own_hops=deliveries)
    async with service(tokens, [router], database=database) as running:
        yield running


async def park(database: Database, reason: str, *sequences: int) -> None:
    await database.pool.execute(PARK, PATIENT, reason)
    for sequence in sequences:
        await database.pool.execute(PARK_EVENT, PATIENT, sequence, uuid4())


async def decide(client: Client, what: str, role: Role = Role.OPS, **body: object) -> Answer:
    path = f"/operations/parked/careplan/{PATIENT}/{what}"
    return await client.ask("POST", path, role, json={"version": 1, **body})


async def acts(client: Client) -> list[tuple[str, list[str], str]]:
    items = (await client.ask("GET", "/operations/audit", Role.AUDITOR)).body["items"]
    return [(item["action"], item["subjects"], item["actor"]) for item in items]


async def test_hops_tell_where_events_wait(client: Client, database: Database) -> None:
    await park(database, "failed", 1)
    await database.pool.execute(BURY)
    hops = (await client.ask("GET", "/operations/hops", Role.OPS)).body
    counts = {hop["name"]: hop["count"] for hop in hops["hops"]}
    assert hops["service"] == "careplan"
    assert counts == {"outbox": 0, "parked": 1, "dead letters": 1, "deliveries": 2}
    dead = (await client.ask("GET", "/operations/dead-letters", Role.AUDITOR)).body["items"]
    assert [(item["partition"], item["log_offset"], item["reason"]) for item in dead] == [(3, 17, "no ce_type")]


async def test_a_parked_patient_is_shown_and_released(client: Client, database: Database) -> None:
    await park(database, "failed", 4, 5, 6)
    (shown,) = (await client.ask("GET", "/operations/parked", Role.AUDITOR)).body["items"]
    assert (shown["subject"], shown["state"], shown["followers"], shown["version"]) == (PATIENT, "parked", 2, 1)
    assert (shown["head"]["sequence"], shown["head"]["type"]) == (4, "care.encounter.admitted.v1")
    assert (await decide(client, "release")).status == 202
    (released,) = (await client.ask("GET", "/operations/parked", Role.OPS)).body["items"]
    assert (released["state"], released["version"]) == ("releasing", 2)
    assert await acts(client) == [("parked.release", [PATIENT], "local-ops")]


async def test_a_decision_on_an_older_state_is_refused_and_not_audited(client: Client, database: Database) -> None:
    await park(database, "failed", 4)
    stale = await decide(client, "release", version=7)
    assert (stale.status, stale.body["type"]) == (409, "urn:handoff:problem:stale-version")
    assert await acts(client) == []


async def test_skipping_and_giving_up_a_gap_need_a_reason(client: Client, database: Database) -> None:
    await park(database, "gap", 4)
    for what in ("skip", "accept-gap"):
        answer = await decide(client, what)
        assert (answer.status, answer.body["errors"][0]["field"]) == (422, "body.reason")
    assert (await decide(client, "accept-gap", reason="lost before the restore")).status == 202
    given_up = await database.pool.fetchrow("SELECT from_sequence, to_sequence, reason, actor FROM skipped_event")
    assert tuple(given_up or ()) == (1, 3, "lost before the restore", "local-ops")


async def test_a_skipped_event_stays_on_record(client: Client, database: Database) -> None:
    await park(database, "failed", 1, 2)
    assert (await decide(client, "skip", reason="entered for the wrong person")).status == 202
    (shown,) = (await client.ask("GET", "/operations/parked", Role.OPS)).body["items"]
    assert (shown["head"]["sequence"], shown["followers"]) == (2, 0)
    assert await database.pool.fetchval("SELECT to_sequence FROM skipped_event") == 1


async def test_auditors_and_care_managers_decide_nothing(client: Client, database: Database) -> None:
    await park(database, "failed", 1)
    for role in (Role.AUDITOR, Role.CARE_MANAGER, Role.PROVIDER, Role.INTEGRATION):
        assert (await decide(client, "release", role)).status == 403
    assert (await client.ask("GET", "/operations/audit", Role.OPS)).status == 403


async def test_a_republish_opens_the_relay_on_the_new_log(client: Client) -> None:
    body = {"log_id": "new-log", "positions": []}
    answer = await client.ask("POST", "/operations/republish", Role.OPS, json=body)
    assert (answer.status, answer.body) == (200, {"rows": 0})
    standing = (await client.ask("GET", "/operations/positions", Role.OPS)).body
    assert (standing["relay"]["log_id"], standing["positions"]) == ("new-log", [])


async def test_snapshots_and_the_epoch_answer_what_they_did(client: Client, database: Database) -> None:
    assert (await client.ask("POST", "/operations/snapshots", Role.OPS)).body == {"events": 3}
    assert (await client.ask("POST", "/operations/epoch", Role.ADMIN)).body == {"epoch": 2}
    assert [action for action, _, _ in await acts(client)] == ["epoch.raise", "snapshots"]
    verdict = (await client.ask("GET", "/operations/audit/verdict", Role.AUDITOR)).body
    async with database.pool.acquire() as connection:
        assert verdict["head"] == (await verify_audit(connection)).head
    assert (verdict["rows"], verdict["first_bad"]) == (2, None)
