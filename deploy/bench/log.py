"""The message log as it grows: questions asked over HTTP of a log of a million messages, and what its indexes cost."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING

from deploy.bench import tools
from deploy.bench.figures import Figure, Report, percentile
from deploy.bench.ground import Ground
from deploy.bench.log_questions import Questions
from deploy.bench.log_rows import DAYS, LONG_S, fill, one_day, patients_of
from deploy.bench.tools import Load
from deploy.operations import Operations

if TYPE_CHECKING:
    import asyncpg

ASKED_MS = 100.0
ROUNDS = 25
REAL_MESSAGES = 3_000
INSERTED = 20_000
PAIRS = 3
INDEXES = {
    "message_trigger": "CREATE INDEX message_trigger ON message (trigger, id)",
    "message_feed_trigger": "CREATE INDEX message_feed_trigger ON message (feed, trigger, id)",
    "message_held": "CREATE INDEX message_held ON message (reason, feed, id) WHERE outcome = 'held'",
}


async def search(ground: Ground, report: Report, *, rows: int) -> None:
    """p95 over all kinds of question, and of the slowest kind."""
    await ground.only("intake")
    await tools.offer(ground.mllp_port, Load(20, REAL_MESSAGES, seed=960))
    begun = month_before_today()
    async with intakes_tables(ground) as tables:
        await fill(tables, begun, rows)
    took: dict[str, list[float]] = {}
    async with ground.operations() as operations:
        asked = Questions(rows, begun)
        for _ in range(ROUNDS):
            for kind, ask in asked.listed().items():
                took.setdefault(kind, []).append(await _listed(operations, ask()))
            for kind, ask in asked.searched().items():
                took.setdefault(kind, []).append(await _searched(operations, ask()))
    by_kind = {kind: percentile(times, 0.95) for kind, times in took.items()}
    slowest = max(by_kind, key=lambda kind: by_kind[kind])
    whole = percentile([one for times in took.values() for one in times], 0.95)
    middle = median(one for times in took.values() for one in times)
    report.tell(
        Figure(f"message log of {rows:,}: search p95", whole, "ms", ASKED_MS, "less", f"median {middle:.1f} ms"),
        Figure("message log: p95 of the slowest kind of question", by_kind[slowest], "ms", ASKED_MS, "less", slowest),
    )
    async with intakes_tables(ground) as tables:
        report.notes.append(await _cost_of_indexes(tables, begun + timedelta(days=DAYS), rows))


def month_before_today() -> datetime:
    """The UTC midnight from which the filled month runs up to this morning."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)


@asynccontextmanager
async def intakes_tables(ground: Ground) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await ground.stack.server.connect()
    try:
        await connection.execute("SET search_path = intake")
        yield connection
    finally:
        await connection.close()


async def _listed(operations: Operations, question: dict[str, object]) -> float:
    """Milliseconds until the page had come."""
    start = time.perf_counter()
    await operations.get("intake", "/messages", limit=50, **question)
    return 1000 * (time.perf_counter() - start)


async def _searched(operations: Operations, question: dict[str, object]) -> float:
    """The same by what stands in messages, with the line that this writes into the audit log."""
    start = time.perf_counter()
    await operations.post("intake", "/messages/search", question)
    return 1000 * (time.perf_counter() - start)


async def _cost_of_indexes(tables: "asyncpg.Connection[asyncpg.Record]", today: datetime, rows: int) -> str:
    """Microseconds that each index adds to the storing of a message: medians of pairs, in turn with and without."""
    await tables.execute("CREATE TEMP TABLE parsed AS SELECT row_number() OVER () - 1 AS number, trigger, doubts,"
                         " effects, size, raw FROM (SELECT * FROM message LIMIT 1000) m")  # fmt: skip
    costs = []
    for name, create in INDEXES.items():
        took: dict[bool, list[float]] = {True: [], False: []}
        for attempt in range(PAIRS):
            for present in (False, True):
                await tables.execute(f"DROP INDEX IF EXISTS {name}")
                if present:
                    await tables.execute(create, timeout=LONG_S)
                took[present].append(await _storing(tables, today, 10 * rows + INSERTED * (2 * attempt + present)))
        added = median(took[True]) - median(took[False])
        costs.append(f"{name} {added:+.2f} µs, to {median(took[False]):.1f} µs without it")
    return "What an index adds to the storing of one message in the server: " + "; ".join(costs) + "."


async def _storing(tables: "asyncpg.Connection[asyncpg.Record]", today: datetime, first: int) -> float:
    """Microseconds for one message of many; they are taken back."""
    transaction = tables.transaction()
    await transaction.start()
    start = time.perf_counter()
    await one_day(tables, today, first, INSERTED, patients_of(10 * first))
    took = time.perf_counter() - start
    await transaction.rollback()
    return 1e6 * took / INSERTED
