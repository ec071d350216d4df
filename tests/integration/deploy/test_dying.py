"""Children end with their parent, however it dies: the shim by itself, and the whole stack under it."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiohttp
import psutil
import pytest
import pytest_asyncio

from deploy.local import dying, instance
from deploy.local.dying import PARENT_IS_GONE, ending_with_parent
from deploy.local.postgres import EmbeddedPostgres
from deploy.local.settings import ROOT, SERVICES, StackSettings
from tests.support.stack import stack_settings
from tests.support.story import until

SHIM = [sys.executable, "-I", "-S", str(dying.__file__)]
# Says its process id and how far it stands back, and what ended it.
PROGRAM = """
import os, signal, sys, time
def told(number, frame):
    open(sys.argv[1], "w").write(signal.Signals(number).name)
    sys.exit(0)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, told)
print(os.getpid(), os.nice(0), flush=True)
while True:
    time.sleep(60)
"""
PARENT = """
import signal, subprocess, sys, time
from deploy.local.dying import ending_with_parent
command = [sys.executable, "-c", sys.argv[1], sys.argv[2]]
child = subprocess.Popen(ending_with_parent(command, signal.SIGINT, nice=3))
print(child.pid, flush=True)
time.sleep(600)
"""


async def test_a_child_becomes_its_program_and_ends_by_its_signal_when_the_parent_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "ended"
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, PROGRAM, str(note), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    lines = [(await parent.stdout.readline()).split() for _ in range(2)]
    [[started], [own, niceness]] = sorted(lines, key=len)
    assert (own, int(niceness)) == (started, os.nice(0) + 3)
    child = psutil.Process(int(own))
    parent.kill()
    await parent.wait()

    async def told() -> bool:
        return note.exists() and note.read_text() == "SIGINT"

    await until(told, "the child is told", 60)
    await _all_gone([child])


def test_a_child_whose_parent_died_before_it_began_runs_nothing() -> None:
    words = ["1", str(int(signal.SIGTERM)), "0", "0", "0", sys.executable, "-c", "print('it runs')"]
    done = subprocess.run([*SHIM, *words], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (PARENT_IS_GONE, "")


def test_a_program_that_is_not_there_is_named() -> None:
    command = ending_with_parent(["/nowhere/program"], signal.SIGTERM)
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (127, "/nowhere/program cannot be run: No such file or directory\n")


@pytest.fixture
def settings() -> StackSettings:
    return stack_settings()


@pytest_asyncio.fixture(loop_scope="session")
async def supervisor(settings: StackSettings) -> AsyncIterator[psutil.Process]:
    """The stack as `make run` starts it, in a process of its own."""
    said = {
        f"HANDOFF_{name.upper()}": str(value)
        for name, value in settings.model_dump(exclude={"kafka", "simulate"}).items()
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.local", cwd=ROOT, env={**os.environ, **said, "SIMULATE": "0"},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield psutil.Process(started.pid)
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()
        EmbeddedPostgres(settings.run_folder, settings.postgres_port).remove()
        shutil.rmtree(settings.run_folder, ignore_errors=True)


async def test_every_process_of_the_stack_ends_when_its_supervisor_is_killed(
    settings: StackSettings, supervisor: psutil.Process
) -> None:
    noted = settings.run_folder / "stack.json"  # only once everything is ready
    async with aiohttp.ClientSession() as session:

        async def ready() -> bool:
            assert supervisor.is_running()
            return "children" in instance.read(noted) and all(
                [await _answers(session, f"{settings.url_of(name)}/readyz") for name in SERVICES]
            )

        await until(ready, "the stack is ready", 180)
    running: list[psutil.Process] = []

    async def all_known() -> bool:
        running[:] = supervisor.children(recursive=True)
        told = instance.read(noted)["children"]
        return {pid for pid, _born in told.values()} <= {process.pid for process in running}

    await until(all_known, "every noted child is a process of the supervisor", 60)
    supervisor.kill()
    await _all_gone(running)


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def _all_gone(processes: Sequence[psutil.Process]) -> None:
    async def gone() -> bool:
        return not [one for one in processes if _lives(one)]

    await until(gone, "all have ended", 60)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
