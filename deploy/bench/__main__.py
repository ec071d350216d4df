"""`make bench`: the rows of the design's table of speed, each beside its floor in one run."""

import asyncio
import shlex
import sys
import traceback
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.bench import end_to_end, following, growth, log, log_plans, replaying, reporting, taking_in, tools, worklist
from deploy.bench.figures import Report
from deploy.bench.ground import Ground, prepared
from deploy.local.settings import ROOT

ROWS = (
    *("throughput", "latency", "poison", "sustained", "bare", "following", "growth", "log", "plans"),
    *("worklist", "quality", "replay"),
)
# They speak of plans alone: filling ten million rows need not survive a power cut.
WITHOUT_WRITING_THROUGH = frozenset({"plans"})


class Sizes(NamedTuple):
    """How long runs last, in seconds, and how full stores are."""

    sustained_s: float
    seconds: float
    stays: int
    messages: int
    metadata: int
    replayed: int
    tasks: int


def main(  # noqa: PLR0917  (the program's options)
    rows: Annotated[list[str] | None, typer.Argument(help=f"Which rows: {', '.join(ROWS)}. All by default.")] = None,
    minutes: Annotated[float, typer.Option(help="How long the sustained run lasts.")] = 10.0,
    seconds: Annotated[float, typer.Option(help="How long each shorter run lasts.")] = 10.0,
    stays: Annotated[int, typer.Option(help="Stored stays for the cost of growth.")] = 1_000_000,
    messages: Annotated[int, typer.Option(help="Stored messages for the message log.")] = 1_000_000,
    metadata: Annotated[int, typer.Option(help="Rows without bytes for the plans of the message log.")] = 10_000_000,
    replayed: Annotated[int, typer.Option(help="Messages that are taken in and replayed.")] = 100_000,
    tasks: Annotated[int, typer.Option(help="Running tasks for the worklists, outcomes for quality.")] = 1_000_000,
    out: Annotated[Path, typer.Option(help="Where benchmarks.md and the plots go.")] = ROOT / "docs",
) -> None:
    """Measure Handoff beside the floor and the bare pipeline, and write docs/benchmarks.md."""
    try:
        tools.folder()
    except tools.ToolsMissingError as missing:
        print(f"bench: {missing}", file=sys.stderr)
        raise typer.Exit(1) from None
    chosen = tuple(rows or ROWS)
    if unknown := sorted({*chosen} - {*ROWS}):
        print(f"bench: no row {', '.join(unknown)}; there are {', '.join(ROWS)}", file=sys.stderr)
        raise typer.Exit(2)
    command = f"make bench ({shlex.join(['python', '-m', 'deploy.bench', *sys.argv[1:]])})"
    report = asyncio.run(
        _measure(
            chosen,
            Sizes(minutes * 60, seconds, stays, messages, metadata, replayed, tasks),
            partial(_written, out, command),
        )
    )
    raise typer.Exit(0 if not report.failed and all(figure.is_reached for figure in report.figures) else 1)


def _written(out: Path, command: str, report: Report) -> None:
    reporting.write(report, out, command)


async def _measure(rows: tuple[str, ...], sizes: Sizes, write: Callable[[Report], None]) -> Report:
    """Each row on a stack of its own, so that none works off what another left; the page is written after each."""
    report = Report()
    seconds = sizes.seconds
    measures: dict[str, Callable[[Ground], Awaitable[None]]] = {
        "throughput": lambda ground: taking_in.throughput(ground, report, seconds=seconds, rounds=3),
        "latency": lambda ground: taking_in.latency(ground, report, seconds=3 * seconds),
        "poison": lambda ground: taking_in.poison(ground, report, messages=int(800 * seconds), rounds=5),
        "sustained": lambda ground: end_to_end.sustained(ground, report, seconds=sizes.sustained_s),
        "bare": lambda ground: end_to_end.beside_the_bare(ground, report, messages=int(800 * seconds)),
        "following": lambda ground: following.on_one_core(ground, report, messages=int(600 * seconds)),
        "growth": lambda ground: growth.cost(ground, report, stays=sizes.stays, messages=int(300 * seconds)),
        "log": lambda ground: log.search(ground, report, rows=sizes.messages),
        "plans": lambda ground: log_plans.look(ground, report, rows=sizes.metadata),
        "worklist": lambda ground: worklist.worklists(ground, report, rows=sizes.tasks),
        "quality": lambda ground: worklist.quality(ground, report, rows=sizes.tasks),
        "replay": lambda ground: replaying.everything(ground, report, messages=sizes.replayed),
    }
    columns = (TextColumn("[bold]{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("starting", total=len(rows))
        for row in rows:
            progress.update(task, description=row)
            await _row(row, measures[row], report)
            write(report)
            progress.advance(task)
    return report


async def _row(name: str, measure: Callable[[Ground], Awaitable[None]], report: Report) -> None:
    """A row that fails is told on the page, and costs the others nothing."""
    try:
        async with prepared(durable=name not in WITHOUT_WRITING_THROUGH) as ground:
            await measure(ground)
    except Exception as error:  # noqa: BLE001  (whatever it was: half an hour of other figures must not be lost)
        traceback.print_exc()
        report.failed.append(f"**The row `{name}` could not be measured**: {type(error).__name__}: {error}\n")


if __name__ == "__main__":
    typer.run(main)
