"""Worklists at a million running tasks, and figures of quality at a million outcomes, asked for over HTTP."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import median
from typing import TYPE_CHECKING

from deploy.bench import tools
from deploy.bench.figures import Figure, Report, percentile
from deploy.bench.ground import Ground
from deploy.bench.tools import Load
from deploy.bench.worklist_questions import CALLERS, Questions
from deploy.bench.worklist_rows import fill_outcomes, fill_tasks
from deploy.operations import Operations

if TYPE_CHECKING:
    import asyncpg

ASKED_MS = 50.0
ASKED_FIGURES_MS = 1000.0
ROUNDS = 25
FIGURES_ROUNDS = 5
REAL_MESSAGES = 3_000
LONGEST_COUNT_S = 300.0
OVERVIEW = "every measure, twelve months"
# What one page of figures asks for. The console's overview has totals and months from one question; as two they show
# what that saves.
PAGES: Mapping[str, tuple[Mapping[str, object], ...]] = {
    OVERVIEW: ({},),
    f"{OVERVIEW}, as two questions": ({}, {"by": "month"}),
    "one measure by each side": (
        {"measure": "FUH-7"},
        *({"measure": "FUH-7", "by": side} for side in ("facility", "organisation", "protocol", "month")),
    ),
    "every measure by facility": ({"by": "facility"},),
    "every measure by organisation": ({"by": "organisation"},),
    "every measure by protocol": ({"by": "protocol"},),
    "every measure, two years": ({"since": "2025-01", "until": "2026-12"},),
}


async def worklists(ground: Ground, report: Report, *, rows: int) -> None:
    """p95 of each kind of list and caller; the slowest kind is the figure."""
    await real_stays(ground)
    async with transitions_tables(ground) as tables:
        tasks = await fill_tasks(tables, rows)
    took = await _asked(ground)
    by_kind = {kind: percentile(times, 0.95) for kind, times in took.items()}
    slowest = max(by_kind, key=lambda kind: by_kind[kind])
    whole = percentile([one for times in took.values() for one in times], 0.95)
    middle = median(one for times in took.values() for one in times)
    report.tell(
        Figure(f"worklists of {tasks:,} running tasks: p95", whole, "ms", ASKED_MS, "less", f"median {middle:.1f} ms"),
        Figure("worklists: p95 of the slowest kind of list", by_kind[slowest], "ms", ASKED_MS, "less", slowest),
    )
    report.notes.append("\n".join([
        "", "| list | p95, ms | median, ms |", "|---|---|---|",
        *(f"| {kind} | {by_kind[kind]:.1f} | {median(times):.1f} |" for kind, times in took.items()), "",
    ]))  # fmt: skip


async def quality(ground: Ground, report: Report, *, rows: int) -> None:
    """How long a page of figures takes, with the measures counted beside so many outcomes."""
    await real_stays(ground)
    async with transitions_tables(ground) as tables:
        await _counted(tables)
        await fill_outcomes(tables, rows)
    async with ground.operations() as operations:
        for name, asks in PAGES.items():
            took = []
            path = "/quality/overview" if name == OVERVIEW else "/quality/figures"
            for _ in range(FIGURES_ROUNDS):
                start = time.perf_counter()
                for ask in asks:
                    await operations.get("transitions", path, **ask)
                took.append(1000 * (time.perf_counter() - start))
            report.tell(
                Figure(f"figures of {rows:,} outcomes: {name}", max(took), "ms", ASKED_FIGURES_MS, "less",
                       f"median {median(took):.0f} ms, {len(asks)} questions")
            )  # fmt: skip


async def real_stays(ground: Ground) -> None:
    """Stays of today, taken in and followed: what is multiplied is made of these."""
    await ground.only("intake", "transitions")
    await tools.offer(ground.mllp_port, Load(20, REAL_MESSAGES, seed=970))
    await ground.published("intake")
    async with transitions_tables(ground) as tables:
        still, seen = 0, -1
        while still < 3:  # noqa: PLR2004  (three looks without a step)
            now = await tables.fetchval("SELECT coalesce(sum(next_offset), 0) FROM position")
            still, seen = (still + 1 if now == seen else 0), now
            await asyncio.sleep(1)


@asynccontextmanager
async def transitions_tables(ground: Ground) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await ground.stack.server.connect()
    try:
        await connection.execute("SET search_path = transitions")
        yield connection
    finally:
        await connection.close()


async def _counted(tables: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Until every real stay was counted."""
    ends = time.monotonic() + LONGEST_COUNT_S
    while await tables.fetchval("SELECT count(*) FROM quality_uncounted"):
        if time.monotonic() > ends:
            raise TimeoutError("the measures have not counted every real stay")
        await asyncio.sleep(1)


async def _asked(ground: Ground) -> dict[str, list[float]]:
    """Milliseconds of each question, by kind; the kinds take turns."""
    questions = Questions()
    took: dict[str, list[float]] = {}
    async with AsyncExitStack() as stack:
        callers = {name: await stack.enter_async_context(await _caller(ground, name)) for name in CALLERS}
        for kind in questions.kinds():  # the first question of a kind finds nothing in memory
            await _listed(callers[kind.caller], questions.ask(kind))
        for _ in range(ROUNDS):
            for kind in questions.kinds():
                spent = await _listed(callers[kind.caller], questions.ask(kind))
                took.setdefault(str(kind), []).append(spent)
    return took


async def _caller(ground: Ground, name: str) -> Operations:
    """A care manager, bound as the caller of that name is."""
    async with ground.operations() as issuing:
        token = await issuing.token("care-manager", **CALLERS[name])
    return Operations(ground.stack.urls, token=token)


async def _listed(operations: Operations, question: dict[str, object]) -> float:
    start = time.perf_counter()
    await operations.get("transitions", "/tasks", **question)
    return 1000 * (time.perf_counter() - start)
