"""docs/runbooks/backup-and-restore.md, carried out on real processes."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from deploy.cli.sending import sampled
from deploy.local.postgres import EmbeddedPostgres
from deploy.local.settings import SERVICES, StackSettings
from deploy.local.supervisor import Stack
from tests.integration.deploy.test_stack import effects_of
from tests.support.stack import Heard, StackDriver, running_stack, stack_settings

EVERYONE = {"intake", "transitions", "careplan"}


async def handoff(settings: StackSettings, *words: str) -> str:
    """A command of the runbook, as its reader types it; what it said on stderr when it was refused."""
    known = {"HANDOFF_RUN_FOLDER": settings.run_folder, "HANDOFF_POSTGRES_PORT": settings.postgres_port}
    done = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.cli", *words,
        env={**os.environ, **{name: str(value) for name, value in known.items()}},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, refused = await done.communicate()
    assert done.returncode == 0 or refused, said
    return refused.decode()


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
    assert not await handoff(settings, "backup", str(dump))
    assert "already runs" in await handoff(settings, "restore", "--yes", str(dump))
    await tell(driver, lost)
    await driver.connection.close()
    await stack.stop()

    assert "no stack runs" in await handoff(settings, "backup", str(dump))
    assert not await handoff(settings, "restore", "--yes", str(dump))

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
