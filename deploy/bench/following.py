"""What transitions takes in on one core, how soon timers that are due all at once are told, and how soon each is told
while everything runs.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.bench import growth, tools
from deploy.bench.figures import Figure, Report, percentile
from deploy.bench.ground import Ground
from deploy.bench.tools import Load

ASKED_EVENTS_PER_SECOND = 800
TIMERS = 500
ASKED_TIMERS_S = 30.0
LOOK_S = 0.05
MAKE_DUE = """
UPDATE transitions.task_timer SET due_at = clock_timestamp() WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM transitions.task_timer WHERE fired_at IS NULL AND due_at > clock_timestamp() LIMIT $1))
RETURNING 1
"""
ASKED_LATE_S = 2.0
SPREAD_S = 60.0
# From soon on, one after another, so that the clock has to wake for each.
SPREAD = """
WITH chosen AS (
    SELECT ctid, row_number() OVER () AS place FROM transitions.task_timer
    WHERE fired_at IS NULL AND due_at > clock_timestamp() LIMIT $1)
UPDATE transitions.task_timer t
SET due_at = statement_timestamp() + make_interval(secs => 2 + $2::float * chosen.place / $1)
FROM chosen WHERE t.ctid = chosen.ctid RETURNING statement_timestamp() AS began
"""
LATE = """
SELECT extract(epoch FROM fired_at - due_at)::float AS late FROM transitions.task_timer
WHERE fired_at IS NOT NULL AND due_at BETWEEN $1 AND $1 + make_interval(secs => 2 + $2::float)
"""
STILL_DUE = """
SELECT count(*) AS timers FROM transitions.task_timer WHERE fired_at IS NULL AND due_at <= clock_timestamp()
"""


async def on_one_core(ground: Ground, report: Report, *, messages: int) -> None:
    """Transitions works off present-day stays alone, bound to one core; then 500 timers fall due at once."""
    await ground.only("intake")
    with _bound_to_one_core():
        await ground.only("intake", "transitions")
    ground.hold("transitions")
    await tools.offer(ground.mllp_port, Load(20, messages, seed=950))
    await ground.published("intake")
    per_second = await growth.consuming(ground, "transitions")
    await ground.only()
    due, seconds = await _timers(ground)
    report.tell(
        Figure("transitions, through its consumer on one core", per_second, "events/s", ASKED_EVENTS_PER_SECOND,
               beside=f"what {messages} messages of whole stays had said"),
        Figure(f"{due} timers due at once, told after", seconds, "s", ASKED_TIMERS_S, "less",
               "from the start of the service, which was down when they fell due"),
    )  # fmt: skip
    await ground.everything()
    await ground.drained()
    late = await _lateness(ground)
    report.tell(
        Figure(f"{len(late)} timers due one after another, told late by (p99)", percentile(late, 0.99), "s",
               ASKED_LATE_S, "less", f"all services up; median {percentile(late, 0.5):.2f}, most {max(late):.2f} s"),
    )  # fmt: skip


@contextmanager
def _bound_to_one_core() -> Iterator[None]:
    """What is started meanwhile inherits it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


async def _timers(ground: Ground) -> tuple[int, float]:
    due = len(await ground.query(MAKE_DUE, TIMERS))
    began = time.monotonic()
    starting = asyncio.create_task(ground.only("transitions"))
    while (await ground.query(STILL_DUE))[0]["timers"]:
        if time.monotonic() - began > 2 * ASKED_TIMERS_S:
            break
        await asyncio.sleep(LOOK_S)
    seconds = time.monotonic() - began
    await starting
    return due, seconds


async def _lateness(ground: Ground) -> list[float]:
    """Seconds from each timer's due time to its telling. Raises LookupError where there is none to tell."""
    spread = await ground.query(SPREAD, TIMERS, SPREAD_S)
    if not spread:
        raise LookupError("no timer lies ahead: there is nothing to tell")
    await asyncio.sleep(2 + SPREAD_S)
    began = time.monotonic()
    while (await ground.query(STILL_DUE))[0]["timers"]:
        if time.monotonic() - began > ASKED_TIMERS_S:
            break
        await asyncio.sleep(LOOK_S)
    return [row["late"] for row in await ground.query(LATE, spread[0]["began"], SPREAD_S)]
