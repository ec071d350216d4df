"""Why faust is kept off the paths where an event may not be skipped: what its agent raises at is acknowledged.

If these tests fail after an upgrade, ADR 1 must be read again. The last one shows that our agents let nothing out.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local.broker import EmbeddedBroker
from services.transitions.signals.listening import take_all
from shared.events import AnyEvent, Topic, headers_of
from tests.support.story import until
from tests.unit.signals.said import START, counted, draft


class Worker:
    """A faust process and the values its agent has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.given: list[int] = []

    async def listen(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            if line.strip().isdigit():
                self.given.append(int(line))

    async def wait_for(self, value: int) -> None:
        async def has_it() -> bool:
            assert self.process.returncode is None, "the worker has ended"
            return value in self.given

        await until(has_it, f"the agent is given {value}", 60)


@asynccontextmanager
async def worker(*arguments: str) -> AsyncIterator[Worker]:
    module = "tests.integration.signals.skipping"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    running = Worker(process)
    listening = asyncio.create_task(running.listen())
    try:
        yield running
    finally:
        process.kill()
        await process.wait()
        await listening


async def test_an_event_whose_agent_raises_is_acknowledged_and_never_given_again(fresh_broker: EmbeddedBroker) -> None:
    topic, name = "numbers", f"skipping-{uuid4().hex[:8]}"
    await make_topic(fresh_broker, topic)
    arguments = (fresh_broker.kafka.bootstrap, topic, name)
    await send(fresh_broker, topic, range(1, 8))
    async with worker(*arguments) as first:
        await first.wait_for(7)
        await until(lambda: has_committed(fresh_broker, topic, name, 7), "all seven are committed", 30)
    assert first.given == [1, 2, 3, 4, 5, 6, 7]
    await send(fresh_broker, topic, range(8, 10))
    async with worker(*arguments) as second:
        await second.wait_for(9)
    assert second.given == [8, 9], "3 is gone: no retry, no second chance after a restart"


async def test_our_agents_wait_for_a_database_that_is_away_and_let_nothing_out() -> None:
    tried: list[int] = []

    async def take(events: Sequence[AnyEvent]) -> None:
        tried.append(len(events))
        if len(tried) < 3:
            raise asyncpg.PostgresConnectionError

    async def fail(_events: Sequence[AnyEvent]) -> None:
        tried.append(-1)
        raise ValueError("a fault in a rule")

    await take_all(Topic.FEEDS, [Record(counted("north", START, 1))], take)
    await take_all(Topic.FEEDS, [Record(counted("north", START, 1))], fail)
    await take_all(Topic.FEEDS, [Record(counted("north", START, 1), value=b"{")], take)
    assert tried == [1, 1, 1, -1]


class Record:
    """What faust hands out of a Kafka record, as far as our agents look at it."""

    def __init__(self, fact: Any, value: bytes | None = None) -> None:
        said = headers_of(draft(fact, "feed:north"), source="intake", sequence=1, epoch=1, recorded=START)
        self.headers = dict(said)
        self.value = fact.model_dump_json().encode() if value is None else value
        self.message = SimpleNamespace(offset=0)


async def make_topic(broker: EmbeddedBroker, name: str) -> None:
    admin = AIOKafkaAdminClient(**broker.kafka.client_arguments())
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name=name, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def send(broker: EmbeddedBroker, topic: str, values: Sequence[int]) -> None:
    producer = AIOKafkaProducer(**broker.kafka.client_arguments(), enable_idempotence=False)
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, str(value).encode(), partition=0)
    finally:
        await producer.stop()


async def has_committed(broker: EmbeddedBroker, topic: str, group: str, offset: int) -> bool:
    consumer = AIOKafkaConsumer(**broker.kafka.client_arguments(), group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        committed: int | None = await consumer.committed(TopicPartition(topic, 0))
    finally:
        await consumer.stop()
    return committed is not None and committed >= offset
