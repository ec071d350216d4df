"""How fast a faust agent and a plain loop read the same events, one after the other on the embedded broker.

Usage: python -m tests.integration.signals.throughput [EVENTS] [ROUNDS]. Prints events per second of the clock and of
processor time, the median of the rounds; the second figure holds on a busy machine too.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import faust
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local.broker import EmbeddedBroker
from deploy.local.ports import free_port
from shared.kafka import KafkaSettings

TOPIC = "measured"
PARTITIONS = 12
VALUE = b"x" * 600
WAITS_S = 300.0
Reader = Callable[[KafkaSettings, int], Awaitable[tuple[float, float]]]


class Stopwatch:
    """From the first event to the last: seconds of the clock and of this process's processors."""

    def __init__(self, events: int) -> None:
        self.left = events
        self.done = asyncio.Event()
        self._started: tuple[float, float] | None = None
        self.took = (0.0, 0.0)

    def saw(self, events: int) -> None:
        now = (time.perf_counter(), time.process_time())
        self._started = self._started or now
        self.left -= events
        if self.left <= 0:
            self.took = (now[0] - self._started[0], now[1] - self._started[1])
            self.done.set()


async def plain(kafka: KafkaSettings, events: int) -> tuple[float, float]:
    watch = Stopwatch(events)
    consumer = AIOKafkaConsumer(
        TOPIC,
        **kafka.client_arguments(),
        group_id=f"plain-{uuid4()}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        while not watch.done.is_set():
            found = await consumer.getmany(timeout_ms=200, max_records=500)
            if found:
                watch.saw(sum(map(len, found.values())))
                await consumer.commit()
    finally:
        await consumer.stop()
    return watch.took


async def with_faust(kafka: KafkaSettings, events: int, *, batch: int | None = None) -> tuple[float, float]:
    watch = Stopwatch(events)
    app = faust.App(
        f"faust-{uuid4()}",
        broker=f"kafka://{kafka.bootstrap}",
        store="memory://",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=False,
    )

    async def one_by_one(stream: Any) -> None:
        async for _ in stream:
            watch.saw(1)

    async def by_batch(stream: Any) -> None:
        async for batch_ in stream.take_events(batch, within=0.2):
            watch.saw(len(batch_))

    channel = app.topic(TOPIC, key_serializer="raw", value_serializer="raw")
    app.agent(channel, name="measured")(by_batch if batch else one_by_one)
    async with app:
        await asyncio.wait_for(watch.done.wait(), WAITS_S)
    return watch.took


async def batched_faust(kafka: KafkaSettings, events: int) -> tuple[float, float]:
    return await with_faust(kafka, events, batch=500)


READERS: dict[str, Reader] = {
    "plain aiokafka, batches of 500": plain,
    "faust agent, one by one": with_faust,
    "faust agent, take_events(500)": batched_faust,
}


async def fill(kafka: KafkaSettings, events: int) -> None:
    admin = AIOKafkaAdminClient(**kafka.client_arguments())
    await admin.start()
    await admin.create_topics([NewTopic(name=TOPIC, num_partitions=PARTITIONS, replication_factor=1)])
    await admin.close()
    producer = AIOKafkaProducer(**kafka.client_arguments(), enable_idempotence=False, linger_ms=20)
    await producer.start()
    for first in range(0, events, 2_000):
        sends = [await producer.send(TOPIC, VALUE, partition=n % PARTITIONS) for n in range(first, first + 2_000)]
        await asyncio.gather(*sends)
    await producer.stop()


async def main(events: int = 20_000, rounds: int = 3) -> None:
    with tempfile.TemporaryDirectory() as folder:
        broker = EmbeddedBroker(free_port(), Path(folder) / "broker.log")
        await broker.start()
        try:
            await fill(broker.kafka, events)
            took: dict[str, list[tuple[float, float]]] = {name: [] for name in READERS}
            for _ in range(rounds):
                for name, read in READERS.items():
                    took[name].append(await read(broker.kafka, events))
        finally:
            await broker.stop()
    for name, all_took in took.items():
        wall, cpu = (statistics.median(events / part for part in parts) for parts in zip(*all_took, strict=True))
        sys.stdout.write(f"{name:32} {wall:9,.0f}/s   {cpu:9,.0f} per second of processor\n")


if __name__ == "__main__":
    asyncio.run(main(*(int(given) for given in sys.argv[1:3])))
