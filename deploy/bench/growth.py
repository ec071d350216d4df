"""What a full database costs: every step's work on a small stack and on one with a million stored stays."""

import asyncio
import time
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console

from deploy.bench import tools
from deploy.bench.figures import Figure, Report
from deploy.bench.ground import Ground, prepared
from deploy.bench.multiplying import multiply
from deploy.bench.tools import Load

if TYPE_CHECKING:
    import asyncpg

ASKED_SLOWER_PERCENT = 20.0
PAIRS = 5
CONSUMERS = ("transitions", "careplan", "notifications", "dashboard")
HOW_FAR = "SELECT coalesce(sum(next_offset), 0)::bigint AS moved FROM {service}.position"
# A checkpoint may make everyone wait for a second or two: that is part of the work, not its end.
LOOK_S, STILL_S = 0.02, 3.0
LONGEST_S = 120.0
CALM_S = 8.0

Rates = dict[str, float]


async def cost(small: Ground, report: Report, *, stays: int, messages: int) -> None:
    """Medians of five interleaved pairs, a step each: intake's messages/s, and each consumer's events/s.

    Every step works alone, so that none hides behind another.
    """
    async with prepared() as grown:
        for ground in (small, grown):  # both warm, and with rows to copy
            await ground.everything()
            await tools.offer(ground.mllp_port, Load(20, messages, seed=900))
            await ground.drained()
        await _fill(grown, stays)
        pairs = [await _pair(small, grown, number, messages) for number in range(PAIRS)]
        await small.only()
    for step in pairs[0][0]:
        slower = 100 * (1 - median(after[step] / before[step] for before, after in pairs))
        before, after = (median(pair[which][step] for pair in pairs) for which in (0, 1))
        report.tell(
            Figure(f"{step}: slower with {stays:,} stored stays", slower, "%", ASKED_SLOWER_PERCENT, "less",
                   f"{before:.0f}/s before, {after:.0f}/s after")
        )  # fmt: skip


async def _fill(ground: Ground, stays: int) -> None:
    await ground.only()
    console = Console(stderr=True)
    connection = await ground.stack.server.connect()
    try:
        async for table in multiply(connection, stays):
            console.print(f"  {stays:,} stays in {table}", highlight=False)
    finally:
        await connection.close()


async def _pair(small: Ground, grown: Ground, number: int, messages: int) -> tuple[Rates, Rates]:
    """Which of them goes first changes from pair to pair."""
    load = Load(20, messages, seed=910 + number)
    rates: dict[bool, Rates] = {}
    for is_grown in (bool(number % 2), not number % 2):
        rates[is_grown] = await _step_by_step(grown if is_grown else small, load)
    return rates[False], rates[True]


async def _step_by_step(ground: Ground, load: Load) -> Rates:
    """Each step alone, the others held where they stand: what a service does at its start is none of it."""
    await ground.only("intake", *CONSUMERS)
    await asyncio.sleep(CALM_S)
    await ground.drained()
    for service in CONSUMERS:
        ground.hold(service)
    try:
        rates = {"intake": (await tools.offer(ground.mllp_port, load)).per_second}
        await ground.published("intake")
        for service in CONSUMERS:
            rates[service] = await consuming(ground, service)
            await ground.published(service)
            ground.hold(service)
    finally:
        for service in CONSUMERS:
            ground.go_on(service)
    await ground.only()
    return rates


async def consuming(ground: Ground, service: str) -> float:
    """Events/s of a service that was held, from its first step forward to its last: finding its broker again is no part
    of it. Where it took all in one step, from when it went on.
    """
    clock = time.monotonic
    connection = await ground.stack.server.connect()  # one for all looks: a new one costs as much as a batch
    try:
        held_at = seen = await _how_far(connection, service)
        ends = clock() + LONGEST_S
        began: tuple[float, int] | None = None
        last = went_on = clock()
        ground.go_on(service)
        while clock() < ends:
            now = await _how_far(connection, service)
            if now != seen:
                seen, last = now, clock()
                began = began or (last, now)
            if began and clock() - last > STILL_S:
                since, at = began if seen > began[1] else (went_on, held_at)
                return (seen - at) / (last - since)
            await asyncio.sleep(LOOK_S)
    finally:
        await connection.close()
    raise TimeoutError(f"{service} took nothing into effect for {LONGEST_S:.0f} s")


async def _how_far(connection: "asyncpg.Connection[asyncpg.Record]", service: str) -> int:
    """Events taken into effect."""
    return int(await connection.fetchval(HOW_FAR.format(service=service)))
