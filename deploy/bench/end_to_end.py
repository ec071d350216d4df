"""From the hospital's message to a delivery row for everyone who must know, with all processes on this machine."""

import asyncio
import time

from deploy.bench import tools
from deploy.bench.figures import Figure, Report, Series, percentile, slope_per_minute
from deploy.bench.ground import Ground
from deploy.bench.tools import Load

RATE = 200
ASKED_DELIVERY_P99_S = 1.0
ASKED_OF_THE_BARE = 0.4
ASKED_MEMORY_MB = 250
SAMPLE_S = 5.0
# From the message's arrival to the moment when the row of each recipient stands.
DELIVERY_LATENCY = """
SELECT extract(epoch FROM d.queued_at - m.received_at)::float8 AS seconds
FROM intake.message m CROSS JOIN LATERAL jsonb_array_elements(m.effects) e
JOIN notifications.delivery d ON d.event_id = (e ->> 'event_id')::uuid
WHERE m.received_at >= $1 AND e ->> 'type' = 'care.encounter.discharged.v1'
"""


async def sustained(ground: Ground, report: Report, *, seconds: float) -> None:
    """200 messages/s for some minutes: delivery latency, backlog, memory."""
    await ground.everything()
    await ground.drained()
    (began,) = await ground.query("SELECT clock_timestamp() AS at")
    backlog, memory = Series("waiting events", "events"), Series("resident memory", "MB")
    sending = asyncio.create_task(tools.offer(ground.mllp_port, Load(20, int(RATE * seconds), seed=500, rate=RATE)))
    start = time.monotonic()
    while not sending.done():
        await asyncio.wait([sending], timeout=SAMPLE_S)
        at = time.monotonic() - start
        backlog.add(at, {"all hops": float(await ground.backlog())})
        memory.add(at, dict(ground.memory_mb()))
    sent = await sending
    drained_s = await ground.drained()
    report.series += [backlog, memory]
    rows = await ground.query(DELIVERY_LATENCY, began["at"])
    waits = [row["seconds"] for row in rows]
    report.tell(
        Figure(f"discharge in → delivery row p99 at {RATE}/s", percentile(waits, 0.99), "s", ASKED_DELIVERY_P99_S,
               "less", f"p50 {percentile(waits, 0.5):.3f} s, p95 {percentile(waits, 0.95):.3f} s, {len(waits)} rows"),
        Figure("messages taken in while sustained", sent.per_second, "/s", RATE * 0.98,
               beside=f"{sent.messages} messages in {sent.seconds:.0f} s, {sent.errors} errors"),
        Figure("backlog at the end", backlog.lines["all hops"][-1], "events", RATE * 4, "less",
               f"slope {slope_per_minute(backlog.at, backlog.lines['all hops']):+.0f} a minute, "
               f"empty {drained_s:.1f} s after the last message"),
        *_memory_figures(memory),
    )  # fmt: skip


def _memory_figures(memory: Series) -> list[Figure]:
    return [
        Figure(f"memory of {name}", max(values), "MB", ASKED_MEMORY_MB, "less",
               f"slope {slope_per_minute(memory.at, values):+.1f} MB a minute")
        for name, values in memory.lines.items()
    ]  # fmt: skip


async def beside_the_bare(ground: Ground, report: Report, *, messages: int) -> None:
    """As much as it carries: all messages sent as fast as they are acknowledged, until nothing waits anywhere.

    The bare pipeline reads only the load client's messages, whose stays are of long ago: to our rules they are history
    without tasks and notices. So ours is also fed with stays of today, which cost it more.
    """
    load = Load(50, messages, seed=700, patients=messages // 8)
    await ground.only()
    async with ground.bare_pipeline() as port:
        began = time.monotonic()
        await tools.send(port, load)
        bare = messages / (await _still(ground) - began)
    await ground.everything()
    for whose, send in (("the same messages", tools.send), ("stays of today", tools.offer)):
        await ground.drained()
        began = time.monotonic()
        await send(ground.mllp_port, load)
        await ground.drained()
        ours = messages / (time.monotonic() - began)
        report.tell(
            Figure(f"end to end, all it carries, {whose}", ours / bare, "of the bare pipeline", ASKED_OF_THE_BARE,
                   beside=f"{ours:.0f}/s beside the bare pipeline's {bare:.0f}/s")
        )  # fmt: skip


async def _still(ground: Ground) -> float:
    """Until the bare pipeline writes no more delivery rows; answers when it wrote the last."""
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < 1.0:
        now = await ground.bare_deliveries()
        if now != seen:
            seen, since = now, time.monotonic()
        await asyncio.sleep(0.1)
    return since
