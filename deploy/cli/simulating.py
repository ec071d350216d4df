"""simulate: the simulated hospital by hand."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from deploy.cli import stack
from deploy.cli.output import Json, console, print_json
from deploy.simulator.hospital import Tally, simulate
from deploy.simulator.schedule import Schedule
from deploy.simulator.settings import SimulatorSettings
from shared.http import read_settings


def register(app: typer.Typer) -> None:
    app.command(name="simulate")(simulate_hospital)


def simulate_hospital(
    patients: Annotated[int, typer.Option(help="Stays to simulate.", min=1)] = 20,
    rate: Annotated[float, typer.Option(help="Messages per second.", min=0.01)] = 5.0,
    seed: Annotated[int, typer.Option(help="The same seed tells the same stays.")] = 1,
    stay_seconds: Annotated[float, typer.Option(help="Length of an average stay.", min=0.001)] = 20.0,
    duplicates: Annotated[float, typer.Option(help="Share of messages sent twice.", min=0, max=1)] = 0.01,
    late: Annotated[float, typer.Option(help="Share of messages sent late.", min=0, max=1)] = 0.01,
    log: Annotated[Path | None, typer.Option(help="JSON lines of what was acknowledged.")] = None,
    as_json: Json = False,
) -> None:
    """Send whole stays of invented patients, one connection per feed."""
    host, port = stack.find().mllp
    wanted = {
        "host": host, "port": port, "patients": patients, "rate": rate, "seed": seed, "stay_seconds": stay_seconds,
        "duplicates": duplicates, "late": late, "log": log,
    }  # fmt: skip
    settings = read_settings(SimulatorSettings).model_copy(update=wanted)
    expected = sum(1 for _ in Schedule(settings))
    with Progress(
        SpinnerColumn(), TextColumn("messages"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, disable=as_json,
    ) as progress:  # fmt: skip
        task = progress.add_task("", total=expected)

        def told(tally: Tally) -> None:
            progress.update(task, completed=tally.sent, total=max(expected, tally.sent))

        tally = stack.run(simulate(settings, told))
    _report(tally, as_json=as_json)


def _report(tally: Tally, *, as_json: bool) -> None:
    said = {
        "sent": tally.sent, "acknowledged": tally.positive, "refused": tally.negative, "resent": tally.resent,
        "triggers": dict(sorted(tally.triggers.items())),
    }  # fmt: skip
    if as_json:
        print_json(said)
    else:
        kinds = ", ".join(f"{trigger} {count}" for trigger, count in sorted(tally.triggers.items()))
        console.print(f"{tally.positive} acknowledged, {tally.negative} refused, {tally.resent} sent again ({kinds})")
    if tally.negative:
        raise typer.Exit(1)
