"""A progress bar of a run: a live line on a terminal, a line every ten seconds elsewhere."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from deploy.chaos.plan import Size

if TYPE_CHECKING:
    from deploy.chaos.running import Run

LIVE_SECONDS, LINE_SECONDS = 0.5, 10.0


class Watch:
    """Shows how far a run is. `begin` once it has a stack, `end` always."""

    def __init__(self, console: Console, size: Size) -> None:
        self._console = console
        self._size = size
        self._bar = Progress(
            TextColumn("[bold]{task.fields[phase]}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[more]}"), console=console, transient=True,
        )  # fmt: skip
        self._row: TaskID | None = None
        self._task: asyncio.Task[None] | None = None
        self._phase = "sending and killing"

    def begin(self, run: "Run") -> None:
        if self._console.is_terminal:
            self._bar.start()
            self._row = self._bar.add_task("", total=self._size.offered, phase=self._phase, more="")
        self._task = asyncio.create_task(self._follow(run))

    def note(self, phase: str) -> None:
        self._phase = phase
        if not self._console.is_terminal:
            self._console.print(phase, highlight=False)

    async def end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._bar.stop()

    async def _follow(self, run: "Run") -> None:
        while True:
            more = f"{run.kills.total} kills, {run.offer.outstanding} unacknowledged, {run.receivers.received} received"
            if self._row is not None:
                self._bar.update(self._row, completed=run.offer.acknowledged, phase=self._phase, more=more)
                await asyncio.sleep(LIVE_SECONDS)
            else:
                self._console.print(
                    f"{run.offer.acknowledged}/{self._size.offered} acknowledged, {more}", highlight=False
                )
                await asyncio.sleep(LINE_SECONDS)
