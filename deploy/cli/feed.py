"""feed check, feed reload, feed unknown: connect a hospital's feed."""

from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli import stack
from deploy.cli.output import Json, console, fail, listing, print_json

app = typer.Typer(help="Connect a hospital's feed: try its messages, read the feeds file again.", no_args_is_help=True)
Name = Annotated[str, typer.Option("--feed", help="Name of the feed: as in the feeds file, or a new one.")]
GOOD = 90


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="Messages: HL7 v2, one or many; or JSON.", exists=True, dir_okay=False)],
    feed: Name,
    configuration: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Read by this feeds file instead of the one in force."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Read a file as this feed would, without storing anything: score, what was not understood, what to do."""
    try:
        text = configuration.read_text(encoding="utf-8") if configuration else None
    except UnicodeDecodeError:
        fail("the configuration is not UTF-8", 2)
    report = stack.run(_upload(stack.find(), f"/trials/{feed}", file.read_bytes(), text))
    if as_json:
        print_json(report)
    else:
        _show(report)
    if report["score"]["overall"] < GOOD:
        raise typer.Exit(1)


async def _upload(found: stack.RunningStack, path: str, content: bytes, configuration: str | None) -> Any:
    async with found.operations() as operations:
        return await operations.upload("intake", path, content, configuration)


def _show(report: dict[str, Any]) -> None:
    score = report["score"]
    console.print(
        f"[bold]{score['overall']} of 100[/]  {report['messages']} messages: {score['understood']} % understood, "
        f"required fields {score['complete']} % filled, codes {score['coded']} % known",
        highlight=False,
    )
    events = ", ".join(f"{count} {name}" for name, count in report["events"].items()) or "none"
    things = "".join(f", {count} {about}s" for about, count in report["things"].items())
    console.print(f"would create {report['patients']} patients, {report['encounters']} encounters{things}")
    console.print(f"events: {events}")
    if report["refused"]:
        listing(report["refused"], ["reason", "count", "meaning"], as_json=False, empty="")
    if report["advice"]:
        listing(report["advice"], ["about", "count", "what", "put"], as_json=False, empty="")
    console.print("\n[bold]The feed as it could stand in the feeds file[/]")
    # Never wrapped: it is copied.
    console.print(report["configuration"], highlight=False, markup=False, soft_wrap=True)


@app.command()
def reload(as_json: Json = False) -> None:
    """Have the feeds file read again; if it is broken, say where, and the old feeds stay in force."""
    told = stack.run(_post(stack.find(), "/feeds/reload"))
    if as_json:
        print_json(told)
    else:
        console.print(f"{told['outcome']}: {told['feeds']} feeds in force since {told['in_force_since']}")


async def _post(found: stack.RunningStack, path: str) -> Any:
    async with found.operations() as operations:
        return await operations.post("intake", path)


@app.command()
def unknown(feed: Name, as_json: Json = False) -> None:
    """Codes that this feed sent and no map knows, the most frequent first."""
    rows = stack.run(_get(stack.find(), f"/feeds/{feed}/unknown-codes"))["items"]
    listing(rows, ["field", "code", "count", "last_seen"], as_json=as_json, empty="every code was understood")


async def _get(found: stack.RunningStack, path: str) -> Any:
    async with found.operations() as operations:
        return await operations.get("intake", path)
