"""protocol: which are in force, and what a draft would change before it is activated."""

from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli import stack
from deploy.cli.output import Json, console, fail, listing, print_json

app = typer.Typer(help="Protocols: those in force, and a draft tried on recorded stays.", no_args_is_help=True)


@app.command(name="list")
def list_protocols(as_json: Json = False) -> None:
    """Every protocol in force, with its version and its tasks."""
    told = stack.run(_get(stack.find(), "/protocols"))
    rows = [
        {**protocol, "tasks": ", ".join(task["code"] for task in protocol.get("tasks", ()))}
        for protocol in told["items"]
    ]
    listing(rows, ["name", "version", "title", "tasks"], as_json=as_json, empty="no protocol")


@app.command()
def simulate(
    file: Annotated[Path, typer.Argument(help="The draft (YAML).")],
    days: Annotated[int, typer.Option(min=1, max=400, help="How far back stays are taken.")] = 90,
    as_json: Json = False,
) -> None:
    """What the draft would change on the stays recorded so far; nothing is activated or written."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        fail(f"{file.name} can't be read: {type(wrong).__name__}", 2)
    told = stack.run(_post(stack.find(), {"text": text, "days": days}))
    if as_json:
        print_json(told)
        return
    console.print(
        f"{told['protocol']['name']} {told['protocol']['version']} on {told['stays']} stays: {told['summary']}"
    )
    rows = [
        {"task": code, **{what: f"{now} → {then}" for what, (now, then) in line.items()}}
        for code, line in told["by_task"].items()
    ]
    listing(rows, ["task", "tasks", "overdue", "escalations"], as_json=False, empty="no task changes")


async def _get(found: stack.RunningStack, path: str) -> Any:
    async with found.operations() as operations:
        return await operations.get("transitions", path)


async def _post(found: stack.RunningStack, body: dict[str, Any]) -> Any:
    async with found.operations() as operations:
        return await operations.post("transitions", "/protocols/simulate", body)
