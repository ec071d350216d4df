"""The audit log on a real PostgreSQL: one chain however many write at once, no way to change it, faults found."""

import asyncio

import asyncpg
import pytest
from starlette.requests import Request

from shared.http import Caller, Role, audited, audited_read, verify_audit
from shared.postgres import Database
from tests.support.databases import Databases

CALLER = Caller(subject='Ωmega "quoted" \\ /\n', roles=frozenset({Role.CARE_MANAGER, Role.OPS}))


def request(number: int = 0) -> Request:
    made = Request({"type": "http", "headers": []})
    made.state.request_id = f"request-{number}"
    return made


async def write(database: Database, rows: int) -> None:
    async def one(number: int) -> None:
        async with database.transaction() as tx:
            await audited_read(tx.connection, CALLER, "plan.open", [f"patient-{number}"], request(number))

    await asyncio.gather(*(one(number) for number in range(rows)))


async def test_many_writers_make_one_chain(databases: Databases) -> None:
    database = await databases.open("careplan")
    await write(database, 40)
    async with database.pool.acquire() as connection:
        verdict = await verify_audit(connection)
        assert (verdict.rows, verdict.first_bad) == (40, None)
        assert verdict.head == (await connection.fetchval("SELECT hash FROM audit WHERE seq = 40")).hex()
        row = await connection.fetchrow("SELECT actor, roles, outcome FROM audit WHERE seq = 1")
    assert tuple(row or ()) == (CALLER.subject, ["care-manager", "ops"], "read")


async def test_an_empty_log_is_sound(databases: Databases) -> None:
    database = await databases.open("careplan")
    async with database.pool.acquire() as connection:
        verdict = await verify_audit(connection)
    assert (verdict.rows, verdict.head, verdict.first_bad) == (0, None, None)


async def test_a_rolled_back_act_leaves_no_row_and_no_gap(databases: Databases) -> None:
    database = await databases.open("careplan")

    async def fail_after_auditing() -> None:
        async with database.transaction() as tx:
            await audited(tx.connection, CALLER, "plan.revise", [], request())
            raise KeyError

    with pytest.raises(KeyError):
        await fail_after_auditing()
    await write(database, 2)
    async with database.pool.acquire() as connection:
        assert (await verify_audit(connection)).rows == 2


@pytest.mark.parametrize(
    "statement", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit WHERE seq = 2", "TRUNCATE audit"]
)
async def test_the_service_itself_cannot_change_it(statement: str, databases: Databases) -> None:
    database = await databases.open("careplan")
    await write(database, 3)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await database.pool.execute(statement)


async def test_a_row_cannot_bring_its_own_hash_or_place(databases: Databases) -> None:
    database = await databases.open("careplan")
    await database.pool.execute(
        "INSERT INTO audit VALUES (99, '2001-01-01', 'x', '{}', 'a', '{}', 'done', 'r', '\\x00', '\\x00')"
    )
    async with database.pool.acquire() as connection:
        assert (await verify_audit(connection)).first_bad is None
        assert await connection.fetchval("SELECT at > now() - interval '1 minute' FROM audit WHERE seq = 1")


FAULTS: dict[str, tuple[str, int]] = {
    "an actor changed": ("UPDATE audit SET actor = 'nobody' WHERE seq = 3", 3),
    "a patient left out": ("UPDATE audit SET subjects = '{}' WHERE seq = 5", 5),
    "a time moved": ("UPDATE audit SET at = at - interval '1 microsecond' WHERE seq = 2", 2),
    "the first row cut off": ("DELETE FROM audit WHERE seq = 1", 1),
    "a row taken out": ("DELETE FROM audit WHERE seq = 4", 4),
    "a row taken out and the rest moved up": (
        "DELETE FROM audit WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = 5; UPDATE audit SET seq = 5 WHERE seq = 6",
        4,
    ),
    "a hash recomputed for a changed row": (
        "UPDATE audit SET action = 'y', hash = sha256('y') WHERE seq = 3",
        3,
    ),
    "two rows swapped": (
        "UPDATE audit SET seq = 9 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = 9",
        3,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_was_tampered_with_is_found(fault: str, databases: Databases) -> None:
    database = await databases.open("careplan")
    await write(database, 6)
    statement, first_bad = FAULTS[fault]
    await as_owner_without_triggers(databases, statement)
    async with database.pool.acquire() as connection:
        assert (await verify_audit(connection)).first_bad == first_bad


async def as_owner_without_triggers(databases: Databases, statement: str) -> None:
    """What someone with the server's own superuser could do."""
    connection = await databases.server.connect(databases.name)
    try:
        await connection.execute(f"SET search_path = careplan; SET session_replication_role = replica; {statement}")
    finally:
        await connection.close()
