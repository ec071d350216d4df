"""up, down, status, migrate, reset: the stack on this machine as a whole."""

import asyncio
import shutil
import signal
import subprocess
import sys
import time
from typing import Annotated, Any

import psutil
import typer

from deploy.cli import stack
from deploy.cli.output import NOTHING_RUNS, Json, console, fail, listing
from deploy.local import instance
from deploy.local.postgres import EmbeddedPostgres
from deploy.local.settings import SERVICES, StackSettings
from deploy.operations import CallFailedError
from shared.http import read_settings
from shared.postgres import migrate as migrate_service

STOP_SECONDS = 15.0
START_SECONDS = 120.0


def register(app: typer.Typer) -> None:
    for command in (up, down, status, migrate, reset):
        app.command()(command)


def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Come back once everything is ready.")] = False,
) -> None:
    """Start everything; Ctrl-C stops it (the same as `make run`)."""
    if not detach:
        from deploy.local.__main__ import main

        main()
        return
    settings = read_settings(StackSettings)
    log = settings.run_folder / "logs" / "supervisor.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        began = out.tell()
        child = subprocess.Popen([sys.executable, "-m", "deploy.local"], stdout=out, stderr=out, start_new_session=True)
    with console.status("starting Handoff …"):
        while instance.read(settings.run_folder / "stack.json").get("pid") != child.pid:
            if child.poll() is not None:
                fail(log.read_bytes()[began:].decode(errors="replace").strip().splitlines()[-1])
            time.sleep(0.2)
    console.print(f"Handoff runs (process {child.pid}); console: {settings.url_of('dashboard')}")


def down() -> None:
    """Stop the stack that runs here."""
    found = stack.find()
    if found.pid is None or not psutil.pid_exists(found.pid):
        fail("its supervisor is gone; `handoff up` cleans up and starts again", NOTHING_RUNS)
    supervisor = psutil.Process(found.pid)
    supervisor.send_signal(signal.SIGTERM)
    with console.status("stopping: senders first, the broker last …"):
        try:
            supervisor.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            fail(f"process {found.pid} has not ended after {STOP_SECONDS:.0f} s")
    console.print("Handoff has stopped; its data is kept")


def status(as_json: Json = False) -> None:
    """Every process: its id, memory, whether it is ready, what waits in it."""
    found = stack.find()
    rows = stack.run(_status(found))
    listing(rows, ["name", "process", "memory_mb", "ready", "waiting", "oldest_seconds"], as_json=as_json, empty="")
    if any(row["ready"] is False for row in rows):
        raise typer.Exit(1)


async def _status(found: stack.RunningStack) -> list[dict[str, Any]]:
    children = found.children or {}
    names = list(dict.fromkeys([*children, *(name for name in found.urls if name in SERVICES)]))
    async with found.operations() as operations:
        return list(await asyncio.gather(*(_one(operations, found, name, children.get(name)) for name in names)))


async def _one(operations: Any, found: stack.RunningStack, name: str, pid: int | None) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "process": pid, "memory_mb": _memory(pid), "ready": None}
    if name not in SERVICES or name not in found.urls:
        row["ready"] = None if pid is None else psutil.pid_exists(pid)
        return row
    try:
        row["ready"] = bool((await operations.get(name, "/readyz"))["ready"])
        hops = (await operations.get(name, "/operations/hops"))["hops"]
    except CallFailedError:
        return row | {"ready": False}
    ages = [hop["oldest_seconds"] for hop in hops if hop["oldest_seconds"] is not None]
    return row | {"waiting": sum(hop["count"] or 0 for hop in hops), "oldest_seconds": max(ages, default=None)}


def _memory(pid: int | None) -> int | None:
    try:
        return None if pid is None else psutil.Process(pid).memory_info().rss // 1_000_000
    except psutil.Error:
        return None


def migrate(as_json: Json = False) -> None:
    """Bring every service's schema up to date (the stack does so at each start)."""
    settings = read_settings(StackSettings)
    applied = stack.run(_migrate(settings))
    listing([{"applied": one} for one in applied], ["applied"], as_json=as_json, empty="every schema is up to date")


async def _migrate(settings: StackSettings) -> list[str]:
    told = instance.read(settings.run_folder / "stack.json")
    server = EmbeddedPostgres(settings.run_folder, told.get("postgres_port", settings.postgres_port))
    if not told:
        await server.start()
    try:
        applied: list[str] = []
        for service in SERVICES:
            applied += await asyncio.to_thread(migrate_service, service, server.settings(service))
        return applied
    finally:
        await server.stop()


def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete all data of this stack: database, broker's log, keys, logs."""
    settings = read_settings(StackSettings)
    if instance.read(settings.run_folder / "stack.json"):
        fail("a stack runs here: stop it first with `handoff down`")
    if not settings.run_folder.exists():
        console.print("there is nothing to delete")
        return
    if not yes and not typer.confirm(f"Delete all data in {settings.run_folder}?"):
        raise typer.Exit(1)
    EmbeddedPostgres(settings.run_folder, settings.postgres_port).remove()
    shutil.rmtree(settings.run_folder)
    console.print("all data is deleted; the next start begins anew")
