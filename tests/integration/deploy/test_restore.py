"""docs/runbooks/backup-and-restore.md, carried out on real processes."""

import os
import subprocess
from pathlib import Path

import pytest

from deploy.cli.sending import sampled
from deploy.local.postgres import DATABASE, EmbeddedPostgres
from deploy.local.settings import SERVICES
from deploy.local.supervisor import Stack
from tests.integration.deploy.test_stack import effects_of
from tests.support.stack import Heard, StackDriver, running_stack, stack_settings

EVERYONE = {"intake", "transitions", "careplan"}


def pg(server: EmbeddedPostgres, program: str, *options: str) -> None:
    """One of PostgreSQL's own programs, as the runbook calls it."""
    where = ["--host=127.0.0.1", f"--port={server.port}", "--username=postgres"]
    environment = {**os.environ, "PGPASSWORD": server.keys.password("postgres")}
    done = subprocess.run(
        [str(server.bin / program), *where, *options], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


async def tell(driver: StackDriver, stay: list[bytes]) -> None:
    """A whole stay, until its discharge has had its effect in every service."""
    *before, discharge = stay
    for payload in before:
        assert (await driver.send(payload)).code == "AA"
    await effects_of(driver, discharge, EVERYONE)


async def test_what_was_lost_with_the_disk_comes_back_from_backup_and_hospital(tmp_path: Path) -> None:
    dump = tmp_path / "handoff.dump"
    kept, lost, later = sampled(), sampled(), sampled()
    settings = stack_settings()
    heard = Heard()
    stack = Stack(settings, heard)
    await stack.start()
    driver = StackDriver(stack, heard)
    await tell(driver, kept)
    pg(stack.server, "pg_dump", "--format=custom", f"--file={dump}", DATABASE)
    await tell(driver, lost)
    await driver.connection.close()
    await stack.stop()

    server = EmbeddedPostgres(settings.run_folder, settings.postgres_port, durable=False)
    await server.start()
    pg(server, "pg_restore", "--clean", "--if-exists", "--create", "--dbname=postgres", str(dump))
    await server.stop()

    async with running_stack(settings) as again, again.operations() as operations:
        for service in SERVICES:
            raised = await operations.post(service, "/operations/epoch")
            assert raised["epoch"] >= 2
        assert len((await operations.get("intake", "/messages"))["items"]) == len(kept)
        await tell(again, lost)
        await tell(again, later)
        for service in SERVICES:
            assert (await operations.get(service, "/operations/parked"))["items"] == []
            assert (await operations.get(service, "/operations/audit/verdict"))["first_bad"] is None


@pytest.mark.parametrize("program", ["pg_dump", "pg_restore", "pg_basebackup"])
async def test_the_programs_of_the_runbook_come_with_the_server(
    postgres_server: EmbeddedPostgres, program: str
) -> None:
    assert (postgres_server.bin / program).exists()
