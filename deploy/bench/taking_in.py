"""MLLP in, stored, acknowledged: beside the floor, in the same minutes, over one and over fifty connections."""

from statistics import median

from deploy.bench import tools
from deploy.bench.figures import Figure, Report
from deploy.bench.ground import Ground
from deploy.bench.tools import Load

ASKED_OF_THE_FLOOR = 0.40
ASKED_P99_MS = {"alone": 50.0, "with all services": 250.0}
RATE = 400
POISON = 0.3
ASKED_WITH_POISON = 0.9


async def throughput(ground: Ground, report: Report, *, seconds: float, rounds: int) -> None:
    """Intake alone, interleaved with the floor: medians of the rounds."""
    await ground.only("intake")
    for connections in (1, 50):
        ours: list[float] = []
        floors: list[float] = []
        left: list[float] = []
        meanwhile: list[float] = []
        for turn in range(rounds):
            load = Load(connections, messages=500_000, seed=100 + 10 * connections + turn, seconds=seconds)
            async with ground.floor() as port:
                floors.append((await tools.send(port, load)).per_second)
            before = await ground.messages_interpreted()
            sent = await tools.send(ground.mllp_port, load)
            ours.append(sent.per_second)
            meanwhile.append((await ground.messages_interpreted() - before) / sent.seconds)
            # What is still to be interpreted would take the floor's time.
            left.append(await ground.interpreted())
        ratio = median(ours) / median(floors)
        beside = (
            f"{median(ours):.0f}/s beside the floor's {median(floors):.0f}/s; "
            f"{median(meanwhile):.0f}/s interpreted meanwhile, all {median(left):.1f} s after {seconds:.0f} s"
        )
        report.tell(
            Figure(f"MLLP in, stored, acknowledged, {connections} connection(s)", ratio, "of the floor",
                   ASKED_OF_THE_FLOOR, beside=beside)
        )  # fmt: skip


async def latency(ground: Ground, report: Report, *, seconds: float) -> None:
    """The 99th percentile of the acknowledgement at 400 messages/s: intake alone, then with everything running."""
    for who, asked in ASKED_P99_MS.items():
        await (ground.only("intake") if who == "alone" else ground.everything())
        if who != "alone":
            await ground.drained()
        load = Load(20, int(RATE * seconds), seed=300 + len(who), rate=RATE)
        sent = await tools.send(ground.mllp_port, load)
        beside = f"p50 {sent.ack_ms['p50']:.1f}, p95 {sent.ack_ms['p95']:.1f} ms at {sent.per_second:.0f}/s"
        report.tell(Figure(f"acknowledgement p99 at {RATE}/s, {who}", sent.ack_ms["p99"], "ms", asked, "less", beside))


async def poison(ground: Ground, report: Report, *, messages: int, rounds: int) -> None:
    """Messages/s, until the last one has taken effect, of a stream of which three in ten can't be applied, beside
    the same stream without them.
    """
    await ground.only("intake")
    ratios: list[float] = []
    rates: dict[float, list[float]] = {0.0: [], POISON: []}
    refused = 0
    await tools.offer(ground.mllp_port, Load(50, messages, seed=800))
    for turn in range(rounds):
        for share in (0.0, POISON) if turn % 2 else (POISON, 0.0):
            sent = await tools.offer(
                ground.mllp_port, Load(50, messages, seed=810 + 10 * turn + bool(share)), poison=share
            )
            rates[share].append(sent.messages / (sent.seconds + await ground.interpreted()))
            refused += sent.errors if share else 0
        ratios.append(rates[POISON][-1] / rates[0.0][-1])
    beside = f"{median(rates[POISON]):.0f}/s beside {median(rates[0.0]):.0f}/s; {refused} of them refused"
    report.tell(
        Figure("taken in with 30 % poison among them, 50 connections", median(ratios), "of the rate without",
               ASKED_WITH_POISON, beside=beside)
    )  # fmt: skip
