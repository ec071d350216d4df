"""The message log as it grows: questions asked over HTTP of a log of a million messages, and what its indexes cost."""

import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING

from deploy.bench.figures import Figure, Report, percentile
from deploy.bench.ground import Ground
from deploy.operations import Operations

if TYPE_CHECKING:
    import asyncpg

ASKED_MS = 100.0
DAYS = 30
ROUNDS = 25
RAW_BYTES = 960
INSERTED = 100_000

# One day's messages of eight feeds. The raw bytes can't be compressed, as sealed ones can't.
DAY = """
INSERT INTO message (id, received_at, feed, control_id, trigger, outcome, reason, code, patient_id,
                            encounter_id, effects, sha256, size, raw)
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(h, 1, 3) || '8'
        || substr(h, 4, 15))::uuid,
       at, feed, 'C' || n, trigger, outcome, CASE outcome WHEN 'accepted' THEN NULL ELSE reason END, 'AA',
       'p-' || n % $5::bigint, md5('stay' || n % $5::bigint)::uuid,
       CASE outcome WHEN 'accepted' THEN jsonb_build_array(jsonb_build_object('event_id', h, 'type', 'care.x.v1'))
                    ELSE '[]' END,
       decode(md5(h) || h, 'hex'), 1000, decode(repeat(h, $4 / 16), 'hex')
FROM (
    SELECT n, $1::timestamptz + make_interval(secs => (n - $2) * 86400.0 / $3) AS at, md5(n::text) AS h,
           CASE WHEN n % 1000 = 0 THEN 'clinic' ELSE 'hospital-' || n % 7 END AS feed,
           CASE WHEN n % 100003 = 0 THEN 'A52'
                ELSE (ARRAY['A01','A02','A03','A04','A08','A08','A08','A08','A06','A31'])[1 + n % 10] END AS trigger,
           CASE WHEN n % 50 = 0 THEN 'held' WHEN n % 200 = 1 THEN 'rejected' WHEN n % 200 = 2 THEN 'skipped'
                ELSE 'accepted' END AS outcome,
           (ARRAY['no-visit','rule-failed','visit-of-another-patient'])[1 + n / 50 % 3] AS reason
    FROM generate_series($2::bigint, $2::bigint + $3::bigint - 1) n
) day
"""
INDEXES = {
    "message_trigger": "CREATE INDEX message_trigger ON message (trigger, feed, id)",
    "message_held": "CREATE INDEX message_held ON message (reason, feed, id) WHERE outcome = 'held'",
}

Question = dict[str, object]


def questions(rows: int, begun: datetime) -> dict[str, Callable[[], Question]]:
    """What people ask of a log, by kind; each call asks it about something else."""
    pick = random.Random(7)  # noqa: S311  (repeatable, not secret)

    def some() -> int:
        return pick.randrange(1, rows)

    def moment() -> datetime:
        return begun + timedelta(days=DAYS * pick.random())

    def hour() -> Question:
        at = moment()
        return {"since": at.isoformat(), "until": (at + timedelta(hours=1)).isoformat()}

    return {
        "newest": dict,
        "control id": lambda: {"control_id": f"C{some()}"},
        "control id that never came": lambda: {"control_id": f"X{some()}"},
        "patient": lambda: {"patient": f"p-{some() % (rows // 12)}"},
        "common trigger": lambda: {"trigger": "A08"},
        "rare trigger": lambda: {"trigger": "A52"},
        "trigger that never came": lambda: {"trigger": f"Z{some() % 100}"},
        "feed": lambda: {"feed": f"hospital-{some() % 7}"},
        "small feed": lambda: {"feed": "clinic"},
        "feed and a trigger it never sends": lambda: {"feed": "clinic", "trigger": "A02"},
        "held": lambda: {"outcome": "held"},
        "held by feed and reason": lambda: {"outcome": "held", "feed": "hospital-3", "reason": "no-visit"},
        "an hour": hour,
        "an hour of a feed": lambda: hour() | {"feed": f"hospital-{some() % 7}"},
        "until a moment, by trigger": lambda: {"until": moment().isoformat(), "trigger": "A03"},
    }


async def search(ground: Ground, report: Report, *, rows: int) -> None:
    """p95 over all kinds of question, and of the slowest kind."""
    await ground.only("intake")
    begun = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
    async with _intakes_tables(ground) as tables:
        await fill(tables, begun, rows, RAW_BYTES)
    took: dict[str, list[float]] = {}
    async with ground.operations() as operations:
        kinds = questions(rows, begun)
        for _ in range(ROUNDS):
            for kind, ask in kinds.items():
                took.setdefault(kind, []).append(await _asked(operations, ask()))
    by_kind = {kind: percentile(times, 0.95) for kind, times in took.items()}
    slowest = max(by_kind, key=lambda kind: by_kind[kind])
    whole = percentile([one for times in took.values() for one in times], 0.95)
    middle = median(one for times in took.values() for one in times)
    report.tell(
        Figure(f"message log of {rows:,}: search p95", whole, "ms", ASKED_MS, "less", f"median {middle:.1f} ms"),
        Figure("message log: p95 of the slowest kind of question", by_kind[slowest], "ms", ASKED_MS, "less", slowest),
    )
    async with _intakes_tables(ground) as tables:
        report.notes.append(await _cost_of_indexes(tables, begun + timedelta(days=DAYS), rows))


@asynccontextmanager
async def _intakes_tables(ground: Ground) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await ground.stack.server.connect()
    try:
        await connection.execute("SET search_path = intake")
        yield connection
    finally:
        await connection.close()


async def fill(tables: "asyncpg.Connection[asyncpg.Record]", begun: datetime, rows: int, raw_bytes: int) -> None:
    """Messages of thirty days up to this morning."""
    for day in range(DAYS):
        at, first = begun + timedelta(days=day), day * (rows // DAYS) + 1
        await tables.execute("SELECT message_day($1::date)", at.date())
        await tables.execute(DAY, at, first, rows // DAYS, raw_bytes, rows // 12, timeout=600)
    await tables.execute("VACUUM ANALYZE message", timeout=600)


async def _asked(operations: Operations, question: Question) -> float:
    """Milliseconds until the page had come."""
    start = time.perf_counter()
    await operations.get("intake", "/messages", limit=50, **question)
    return 1000 * (time.perf_counter() - start)


async def _cost_of_indexes(tables: "asyncpg.Connection[asyncpg.Record]", today: datetime, rows: int) -> str:
    """Microseconds that each index adds to the storing of a message: medians of five, in turn with and without."""
    costs = []
    for name, create in INDEXES.items():
        took: dict[bool, list[float]] = {True: [], False: []}
        for attempt in range(5):
            for present in (False, True):
                await tables.execute(f"DROP INDEX IF EXISTS {name}")
                if present:
                    await tables.execute(create, timeout=600)
                first = 10 * rows + INSERTED * (2 * attempt + present)
                start = time.perf_counter()
                await tables.execute(DAY, today, first, INSERTED, RAW_BYTES, rows // 12, timeout=600)
                took[present].append(1e6 * (time.perf_counter() - start) / INSERTED)
                await tables.execute("DELETE FROM message WHERE id >= first_id($1)", today, timeout=600)
        added = median(took[True]) - median(took[False])
        costs.append(f"{name} {added:+.2f} µs, to {median(took[False]):.1f} µs without it")
    return "What an index adds to the storing of one message in the server: " + "; ".join(costs) + "."
