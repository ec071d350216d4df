"""backup and restore: the database of the stack on this machine, with PostgreSQL's own programs of the same version."""

import os
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli import stack
from deploy.cli.output import console, fail
from deploy.local import instance
from deploy.local.instance import RunningInstance
from deploy.local.keys import SUPERUSER
from deploy.local.pginstall import programs
from deploy.local.postgres import DATABASE, EmbeddedPostgres
from deploy.local.settings import StackSettings
from shared.http import read_settings


def register(app: typer.Typer) -> None:
    app.command()(backup)
    app.command()(restore)


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; keep keys.json of the run folder elsewhere.")],
) -> None:
    """One consistent picture of all services' data, while the stack runs."""
    settings = read_settings(StackSettings)
    told = instance.read(settings.run_folder / "stack.json")
    if not told:
        fail(f"no stack runs in {settings.run_folder}: there is no server to ask")
    server = EmbeddedPostgres(settings.run_folder, told["postgres_port"])
    unfinished = file.with_name(f"{file.name}.part")
    with console.status("writing the backup …"):
        _run(server, "pg_dump", "--format=custom", f"--file={unfinished}", DATABASE)
    unfinished.replace(file)
    console.print(f"{file} holds the data; the keys in {settings.run_folder / 'keys.json'} open it: keep them apart")


def restore(
    file: Annotated[Path, typer.Argument(help="What `handoff backup` wrote.", exists=True, dir_okay=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Puts a backup in the place of the data, while the stack is down. Then `handoff up`, and `handoff epoch raise`."""
    settings = read_settings(StackSettings)
    here = RunningInstance(settings.run_folder)
    here.claim()
    if not yes and not typer.confirm(f"Replace all data in {settings.run_folder} by {file}?"):
        raise typer.Exit(1)
    try:
        stack.run(_restore(settings, file))
    finally:
        here.release()
    console.print("restored; now `handoff up` and, before anything else, `handoff epoch raise`")


async def _restore(settings: StackSettings, file: Path) -> None:
    server = EmbeddedPostgres(settings.run_folder, settings.postgres_port)
    await server.start()
    try:
        _run(
            server,
            "pg_restore",
            "--clean",
            "--if-exists",
            "--create",
            "--exit-on-error",
            "--dbname=postgres",
            str(file),
        )
    finally:
        await server.stop()


def _run(server: EmbeddedPostgres, program: str, *options: str) -> None:
    """Those that come with the server: a program of an older version refuses to speak with it."""
    where = ["--host=127.0.0.1", f"--port={server.port}", f"--username={SUPERUSER}", "--no-password"]
    done = subprocess.run(
        [str(programs(server.owner) / program), *where, *options],
        env={**os.environ, "PGPASSWORD": server.keys.password(SUPERUSER)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        fail(f"{program}: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
