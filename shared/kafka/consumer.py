"""The one consumer loop: decode, one transaction per batch, then offsets. At least once in, once in effect.

On failure the batch is halved until the failing event stands alone: what waiting may cure is retried in place, anything
else parks that patient's key. Positions in PostgreSQL are the truth; Kafka's own offsets only follow them.
"""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaError
from typing_extensions import override

from shared import metrics
from shared.events import Topic
from shared.kafka import store
from shared.kafka.applying import Applier, Handler
from shared.kafka.draining import Drainer
from shared.kafka.failures import TRANSIENT, FencedError, ParkingLimit, is_transient
from shared.kafka.leaving import leave
from shared.kafka.log import LogWatch
from shared.kafka.progress import Progress
from shared.kafka.records import Hearing, Item, Record
from shared.kafka.republish import publish_again
from shared.kafka.sequence import Mark
from shared.kafka.settings import HEARTBEAT_MS, SESSION_TIMEOUT_MS, KafkaSettings
from shared.kafka.store import Block
from shared.lasting import lasting
from shared.postgres import Database
from shared.postgres.outbox import pack_headers
from shared.telemetry import describe_error, log

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

BATCH = 500
# Below this many events a batch is followed by a pause: what comes meanwhile shares the next transaction.
FULL = BATCH // 2
GATHER_S = 0.03
# The embedded broker holds a fetch that found something for about half of this, any other answers it at once.
FETCH_WAIT_MS = 500
POLL_MS = 1_000
ALL_TYPES: Mapping[Topic, Collection[str]] = {}
RETRY_HEAD_S = 15.0
LONGEST_WAIT_S = 5.0
# A transient failure may hold a batch for long; the member must not be thrown out of its group meanwhile.
MAX_POLL_INTERVAL_MS = 3_600_000


class Consumer:
    """Consumes topics into one service's schema. `handlers` say what to do; the loop knows nothing of care."""

    def __init__(
        self,
        *,
        database: Database,
        kafka: KafkaSettings,
        name: str,
        handlers: Mapping[Topic, Handler],
        instance: str = "0",
        joins_late: bool = False,
        stuck_after_s: float = 60.0,
        hears: Mapping[Topic, Collection[str]] = ALL_TYPES,
        gather_s: float = GATHER_S,
        fetch_wait_ms: int = FETCH_WAIT_MS,
    ) -> None:
        """`hears`: of these topics only these types matter, see Hearing. `gather_s`: seconds of pause after a small
        batch; `fetch_wait_ms`: how long the broker may let a fetch wait for something to come.
        """
        self.name = name
        self.database = database
        self.handlers: dict[Topic, Handler] = {Topic.REPUBLISH: publish_again, **handlers}
        self.topics = tuple(sorted(topic.value for topic in self.handlers))
        self.progress = Progress(name)
        self._kafka = kafka
        self._instance = instance
        self._stuck_after_s = stuck_after_s
        self._gather_s = gather_s
        self._fetch_wait_ms = fetch_wait_ms
        self._hearing = Hearing(hears)
        self._log = LogWatch(kafka)
        self._applier = Applier(name, database.service, self.handlers, self._hearing, joins_late)
        self.drainer = Drainer(database, self._applier)
        self._limit = ParkingLimit()
        self._log_id = ""
        self._fences: dict[TopicPartition, int] = {}
        self._paused: dict[TopicPartition, float] = {}

    async def run(self) -> None:
        """Consumes until cancelled. Raises StuckError when only a fresh process can go on."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(lasting(self.drainer.run()))
                tasks.create_task(lasting(self.progress.watch(self._stuck_after_s)))
                tasks.create_task(lasting(self._follow_logs()))
        finally:
            await self._log.close()

    async def _follow_logs(self) -> None:
        """One consumer per log: an in-memory broker that restarts has a new one, and old offsets mean nothing in it."""
        while True:
            try:
                self._log_id = await self._log.log_id()
                await self._consume()
            except FencedError:
                log.warning("consumer.fenced", consumer=self.name)
            except (KafkaError, *TRANSIENT) as error:
                self.progress.waiting()
                log.warning("consumer.broker_away", consumer=self.name, error=describe_error(error))
            await asyncio.sleep(1.0)

    async def _consume(self) -> None:
        alone = self._kafka.assignment == "all"
        consumer = AIOKafkaConsumer(
            **self._kafka.client_arguments(),
            group_id=None if alone else f"handoff-{self.name}",
            group_instance_id=None if alone else f"{self.name}-{self._instance}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
            max_poll_records=BATCH,
            fetch_max_wait_ms=self._fetch_wait_ms,
            metadata_max_age_ms=30_000,
        )
        self._fences, self._paused = {}, {}
        if not alone:
            consumer.subscribe(topics=self.topics, listener=_Assignment(self, consumer))
        try:
            await consumer.start()
            if alone:
                await self._take_all(consumer)
            await self._poll(consumer)
        finally:
            await leave(consumer)

    async def _poll(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            self._resume(consumer)
            found = await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH)
            records = [record for batch in found.values() for record in batch if self._owns(record)]
            # Asked after the fetch, since the client connects anew by itself: what another log holds, noted as a place
            # in this one, would make a republish pass over events that were never read.
            if await self._log.serving() != self._log_id:
                log.warning("consumer.log_changed", consumer=self.name)
                return
            if records:
                await self._take(consumer, records)
                await self._commit(consumer, records)
            self._measure(consumer)
            if 0 < len(records) < FULL:
                await asyncio.sleep(self._gather_s)

    async def _take_all(self, consumer: AIOKafkaConsumer) -> None:
        """Every partition of every topic; an older instance that still runs is fenced off."""
        await consumer._client.set_topics(self.topics)  # noqa: SLF001  (fetches the metadata of topics not subscribed to)
        places = [TopicPartition(topic, p) for topic in self.topics for p in consumer.partitions_for_topic(topic) or ()]
        if {place.topic for place in places} != set(self.topics):
            raise OSError("a topic is missing")
        consumer.assign(places)
        await self.assigned(consumer, places)

    def _owns(self, record: Record) -> bool:
        return TopicPartition(record.topic, record.partition) in self._fences

    async def assigned(self, consumer: AIOKafkaConsumer, places: Sequence[TopicPartition]) -> None:
        """Raises the fence of each partition and goes to the position that PostgreSQL knows, if the log is the same."""
        rows = sorted((place.topic, place.partition) for place in places)
        async with self.database.transaction() as tx:
            claimed = await store.claim(tx.connection, self.name, rows)
        for claim in claimed:
            place = TopicPartition(claim.topic, claim.partition)
            # Always a seek: what was fetched between the assignment and this claim was not taken, and must come again.
            start = claim.next_offset if claim.log_id == self._log_id else 0
            self._fences[place] = claim.fence
            self.progress.next_offsets[claim.topic, claim.partition] = start
            consumer.seek(place, start)
        log.info("consumer.assigned", consumer=self.name, partitions=len(claimed))

    def revoked(self, places: Sequence[TopicPartition]) -> None:
        for place in places:
            self._fences.pop(place, None)
            self._paused.pop(place, None)

    async def _take(self, consumer: AIOKafkaConsumer, records: Sequence[Record]) -> None:
        items = [self._hearing.read(record) for record in records]
        self._limit.saw(time.monotonic(), len({item.parked.event.subject for item in items if item.parked}))
        await self._apply(consumer, items)

    async def _apply(self, consumer: AIOKafkaConsumer, items: Sequence[Item]) -> None:
        """Applies these; on failure halves, down to the one that fails. Order within a partition is kept."""
        wait = 0.1
        while items := [item for item in items if not self._is_paused(item)]:
            try:
                await self._transact(items)
            except (FencedError, asyncio.CancelledError):
                raise
            except Exception as error:  # noqa: BLE001  (whatever a rule raises must not stop the other patients)
                if is_transient(error):
                    wait = await self._wait(error, wait)
                    continue
                if len(items) == 1:
                    await self._set_aside(consumer, items[0], error)
                else:
                    await self._apply(consumer, items[: len(items) // 2])
                    await self._apply(consumer, items[len(items) // 2 :])
            else:
                self.progress.passed(items)
            return

    async def _transact(self, items: Sequence[Item]) -> None:
        with metrics.CONSUMER_BATCH_SECONDS.labels(self.name).time():
            async with self.database.transaction() as tx:
                await self._bury(tx.connection, items)
                fate = await self._applier.apply(tx, [item.parked for item in items if item.parked])
                is_released = await self._settle(tx.connection, items, fate.marks) or bool(fate.awaited)
        if is_released:
            self.drainer.wake()
        metrics.CONSUMER_COMMITTED.labels(self.name).set_to_current_time()
        metrics.CONSUMER_BATCH_EVENTS.labels(self.name).observe(len(items))
        for topic, outcome, events in fate.counted():
            metrics.CONSUMED.labels(self.name, topic, outcome).inc(events)
        for why in fate.blocks.values():
            metrics.PARKED.labels(self.name, why.reason).inc()

    async def _bury(self, connection: "Connection", items: Sequence[Item]) -> None:
        for item in items:
            if item.unreadable:
                record = item.record
                place = (record.topic, record.partition, self._log_id, record.offset)
                await store.bury(connection, self.name, place, item.unreadable, _as_text(record.headers), record.value)
                metrics.DEAD_LETTERS.labels(self.name).inc()

    async def _settle(
        self, connection: "Connection", items: Sequence[Item], marks: Mapping[store.StreamKey, Mark]
    ) -> bool:
        """The end of a batch; answers whether parked keys need wait no longer."""
        moves: dict[tuple[str, int], tuple[int, int]] = {}
        for item in items:
            record = item.record
            fence = self._fences.get(TopicPartition(record.topic, record.partition), -1)
            moves[record.topic, record.partition] = (record.offset + 1, fence)
        settled = await store.settle(connection, self.name, marks, self._log_id, moves)
        if settled.is_fenced:
            raise FencedError("the partition was given to another instance")
        return settled.woken > 0

    async def _wait(self, error: BaseException, wait: float) -> float:
        self.progress.waiting()
        metrics.CONSUMER_RETRIES.labels(self.name).inc()
        log.warning("consumer.waiting", consumer=self.name, error=describe_error(error), seconds=wait)
        await asyncio.sleep(wait)
        return min(wait * 2, LONGEST_WAIT_S)

    async def _set_aside(self, consumer: AIOKafkaConsumer, item: Item, error: BaseException) -> None:
        """Parks the patient; or, when too many fail at once, pauses the partition and goes back to this record."""
        place = TopicPartition(item.record.topic, item.record.partition)
        now = time.monotonic()
        if item.parked is None or self._limit.reached(now):
            consumer.seek(place, item.record.offset)
            consumer.pause(place)
            self._paused[place] = now + RETRY_HEAD_S
            log.error("consumer.paused", consumer=self.name, topic=place.topic, partition=place.partition)
            return
        event = item.parked.event
        self._limit.parked(now, event.subject)
        async with self.database.transaction() as tx:
            await tx.lock([event.subject])
            await store.park(tx.connection, self.name, [item.parked])
            await store.block(tx.connection, self.name, event.subject, Block("failed", describe_error(error)))
            await self._settle(tx.connection, [item], {})
        metrics.PARKED.labels(self.name, "failed").inc()
        log.error("consumer.parked", consumer=self.name, event_id=str(event.id), error=describe_error(error))

    def _is_paused(self, item: Item) -> bool:
        return TopicPartition(item.record.topic, item.record.partition) in self._paused

    def _resume(self, consumer: AIOKafkaConsumer) -> None:
        for place in [place for place, until in self._paused.items() if until <= time.monotonic()]:
            del self._paused[place]
            if place in consumer.assignment():
                consumer.resume(place)

    async def _commit(self, consumer: AIOKafkaConsumer, records: Sequence[Record]) -> None:
        """Lets Kafka know too, for tools that look at lag there. A failure costs nothing: positions are ours."""
        offsets = {}
        for record in records:
            place = TopicPartition(record.topic, record.partition)
            if place in self._fences and place not in self._paused:
                offsets[place] = record.offset + 1
        if offsets and self._kafka.assignment == "group":
            with suppress(KafkaError):
                await consumer.commit(offsets)

    def _measure(self, consumer: AIOKafkaConsumer) -> None:
        self.progress.paused = len(self._paused)
        metrics.CONSUMER_PAUSED.labels(self.name).set(len(self._paused))
        ends = {(p.topic, p.partition): consumer.highwater(p) for p in self._fences}
        self.progress.measure({place: end for place, end in ends.items() if end is not None})
        for topic, behind in self.progress.lag.items():
            metrics.CONSUMER_LAG.labels(self.name, topic).set(behind)


def _as_text(headers: Sequence[tuple[str, bytes]]) -> bytes:
    """Of a record that is no event, whose headers may be anything."""
    return pack_headers([(name, raw.decode(errors="replace").encode()) for name, raw in headers])


class _Assignment(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Tells the consumer what it was given. aiokafka only logs what a listener raises, so nothing may escape unseen."""

    def __init__(self, owner: Consumer, consumer: AIOKafkaConsumer) -> None:
        self._owner = owner
        self._consumer = consumer

    @override
    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        self._owner.revoked(revoked)

    @override
    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        wait = 0.1
        while assigned:
            try:
                await self._owner.assigned(self._consumer, assigned)
            except Exception as error:  # noqa: BLE001  (without a claim nothing of these partitions may be taken)
                log.warning("consumer.claim_failed", consumer=self._owner.name, error=describe_error(error))
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT_S)
            else:
                return
