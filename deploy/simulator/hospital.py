"""The simulated hospital at work: one connection per feed, messages when they are due."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from random import Random

from deploy.simulator.schedule import Planned, Schedule
from deploy.simulator.sending import SentLog, send_until_acknowledged
from deploy.simulator.settings import SimulatorSettings
from shared.mllp import Ack, MllpClient, MllpTarget

QUEUE = 500


@dataclass(slots=True)
class Tally:
    """What was sent and how it was answered."""

    sent: int = 0
    positive: int = 0
    negative: int = 0
    resent: int = 0
    triggers: dict[str, int] = field(default_factory=dict)

    def count(self, planned: Planned, ack: Ack, tries: int) -> None:
        self.sent += 1
        self.resent += tries - 1
        self.triggers[planned.trigger] = self.triggers.get(planned.trigger, 0) + 1
        if ack.positive:
            self.positive += 1
        else:
            self.negative += 1


async def simulate(settings: SimulatorSettings, told: Callable[[Tally], None] = lambda _tally: None) -> Tally:
    """Send until all patients have gone home, or for ever. `told` hears of every acknowledgement."""
    tally = Tally()
    log = SentLog(settings.log)
    feeds: dict[str, asyncio.Queue[Planned | None]] = {}
    began = asyncio.get_running_loop().time()
    try:
        async with asyncio.TaskGroup() as tasks:
            for planned in delivered(Schedule(settings), settings):
                await _until(began + planned.due)
                if planned.feed not in feeds:
                    queue = feeds[planned.feed] = asyncio.Queue(QUEUE)
                    tasks.create_task(_feed(queue, settings, tally, log, told))
                await feeds[planned.feed].put(planned)
            for queue in feeds.values():
                await queue.put(None)
    finally:
        log.close()
    return tally


async def _feed(
    queue: asyncio.Queue[Planned | None],
    settings: SimulatorSettings,
    tally: Tally,
    log: SentLog,
    told: Callable[[Tally], None],
) -> None:
    connection = MllpClient(MllpTarget(settings.host, settings.port))
    while (planned := await queue.get()) is not None:
        ack, tries = await send_until_acknowledged(connection, planned.payload)
        tally.count(planned, ack, tries)
        log.note(
            feed=planned.feed, trigger=planned.trigger, control_id=planned.control_id, visit=planned.visit,
            ack=ack.code, tries=tries,
        )  # fmt: skip
        told(tally)
    await connection.close()


def delivered(schedule: Iterable[Planned], settings: SimulatorSettings) -> Iterator[Planned]:
    """The schedule as a network delivers it: some messages twice, some after the one that follows them."""
    random = Random(f"{settings.seed} network")  # noqa: S311  (repeatable on purpose)
    held: Planned | None = None
    for planned in schedule:
        if held is None and random.random() < settings.late:
            held = planned
            continue
        yield planned
        if random.random() < settings.duplicates:
            yield planned
        if held is not None:
            yield held
            held = None
    if held is not None:
        yield held


async def _until(moment: float) -> None:
    delay = moment - asyncio.get_running_loop().time()
    if delay > 0:
        await asyncio.sleep(delay)
