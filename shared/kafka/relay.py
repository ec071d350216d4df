"""The relay: publishes the outbox, in order, from the row that is still unpublished. It keeps no cursor.

One relay leads per service (an advisory lock). A wave carries at most one batch per partition and is awaited before
the next: after an expired batch a later one of the same partition could otherwise be acknowledged first, and a resend
would invert the order. On any error the producer is dropped and everything unpublished is sent again, oldest first:
duplicates are harmless, an inversion is not. Kafka's own idempotence is off; the sequence numbers do its work.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from shared import metrics
from shared.kafka import relay_store
from shared.kafka.gauges import gauge
from shared.kafka.leaving import leave
from shared.kafka.log import LogWatch, ends
from shared.kafka.relay_store import Published, Row
from shared.kafka.settings import KafkaSettings
from shared.lasting import lasting
from shared.postgres import Database
from shared.postgres.outbox import unpack_headers
from shared.telemetry import describe_error, log

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

# A request is copied whole some seven times on its way to the socket: beyond half a megabyte that costs more a row than
# another wave does.
WAVE = 500
# Below the 1 MB that brokers take by default.
BATCH_BYTES = 900_000
# A transaction of this process wakes the relay; only what another process said is found by looking.
POLL_S = 1.0
# Waves begin no closer together than this, unless told otherwise: one for each small transaction would take more of the
# service's time than the transactions do, and each wakes every reader of its topics.
WAVE_EVERY_S = 0.1
# Nor closer than this many times what a wave took: where processors are short, fewer waves carry more.
REST = 3
LONGEST_REST_S = 0.4
STAND_BY_S = 1.0
LOG_CHECK_S = 2.0
MAINTAIN_EVERY_S = 3_600.0
DAYS_KEPT = 14

Place = tuple[str, int]
"""(topic, partition)"""
Wave = dict[Place, tuple[Any, list["Row"]]]
"""Per place: aiokafka's batch builder and the rows in it."""


class LogChangedError(RuntimeError):
    """The broker's log is not the one that this relay is open on: a republish must come first."""


@dataclass(slots=True)
class RelayState:
    """What the operations routes tell."""

    leads: bool = False
    is_open: bool = False
    log_id: str | None = None
    published: int = 0
    last_wave_at: datetime | None = None


class Relay:
    """Publishes one service's outbox."""

    def __init__(
        self, *, database: Database, kafka: KafkaSettings, instance: str = "0", wave_every_s: float = WAVE_EVERY_S
    ) -> None:
        self.database = database
        self.state = RelayState()
        self._kafka = kafka
        self._log = LogWatch(kafka)
        self._instance = instance
        self._wave_every_s = wave_every_s

    async def run(self) -> None:
        """Publishes until cancelled; what fails is logged, and begun again."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(lasting(self._maintain()))
                tasks.create_task(lasting(gauge(self.database)))
                tasks.create_task(lasting(self._lead()))
        finally:
            await self._log.close()

    async def _lead(self) -> None:
        while True:
            try:
                async with self._leadership() as connection:
                    await self._publish(connection)
            except LogChangedError:
                log.warning("relay.closed", reason="the broker has another log: waiting for a republish")
            except (KafkaError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("relay.waiting", error=describe_error(error))
            finally:
                self.state.is_open = self.state.leads = False
            await asyncio.sleep(0.5)

    @asynccontextmanager
    async def _leadership(self) -> "AsyncIterator[Connection]":
        """Holds the relay's lock on a connection of its own; the lock goes with the connection.

        Waves use it too: taking one from the pool and giving it back is a round trip.
        """
        async with self.database.pool.acquire() as connection:
            while not await relay_store.take_lead(connection, self._instance):  # noqa: ASYNC110  (a lock of the server)
                await asyncio.sleep(STAND_BY_S)
            self.state.leads = True
            try:
                yield connection
            finally:
                await self._give_up(connection)

    async def _give_up(self, connection: "Connection") -> None:
        """Gives the lock back; where that fails the connection goes, and the lock with it."""
        try:
            await relay_store.give_up_lead(connection)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, asyncio.CancelledError) as error:
            connection.terminate()
            if isinstance(error, asyncio.CancelledError):
                raise

    async def _publish(self, connection: "Connection") -> None:
        current = await self._log.log_id()
        await self._open(current)
        producer = AIOKafkaProducer(
            **self._kafka.client_arguments(),
            acks="all",
            enable_idempotence=False,
            max_batch_size=BATCH_BYTES,
            max_request_size=4 * BATCH_BYTES,
            request_timeout_ms=10_000,
            linger_ms=0,
        )
        try:
            await producer.start()
            self.state.is_open = True
            await self._waves(connection, producer, current)
        finally:
            await leave(producer)

    async def _open(self, current: str) -> None:
        """Opens on the log that was published to before, after taking back rows that this log has lost at its end."""
        async with self.database.transaction() as tx:
            known = await relay_store.open_on(tx.connection, current)
        self.state.log_id = known
        if known != current:
            raise LogChangedError
        places = await relay_store.places(self.database.pool, current)
        found = await ends(self._kafka, places)
        lost = await relay_store.take_back(self.database.pool, current, found)
        if lost:
            log.warning("relay.log_truncated", rows=lost)

    async def _waves(self, connection: "Connection", producer: AIOKafkaProducer, current: str) -> None:
        clock = asyncio.get_running_loop().time
        checked = clock()
        while True:
            began = clock()
            self.database.published.clear()
            rows = await relay_store.unpublished(connection, WAVE)
            metrics.RELAY_ALIVE.set_to_current_time()
            if rows:
                with metrics.RELAY_WAVE_SECONDS.time():
                    await self._send(connection, producer, current, rows)
                if len(rows) < WAVE:
                    rest = min(REST * (clock() - began), LONGEST_REST_S)
                    await asyncio.sleep(began + max(rest, self._wave_every_s) - clock())
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(self.database.published.wait(), POLL_S)
            if clock() - checked > LOG_CHECK_S:
                checked = clock()
                await self._check_log(current)

    async def _check_log(self, current: str) -> None:
        await relay_store.beat(self.database.pool, self._instance)
        await self._must_be(current)

    async def _must_be(self, current: str) -> None:
        """The producer connects anew by itself, to a broker whose log may be another one: offsets that were
        acknowledged there would be noted as this log's, and a republish would take them for read.

        Asked after the acknowledgements: what has acknowledged was this log. Raises LogChangedError.
        """
        if await self._log.serving() != current:
            raise LogChangedError

    async def _send(
        self, connection: "Connection", producer: AIOKafkaProducer, current: str, rows: Sequence[Row]
    ) -> None:
        """One wave: a batch per partition, all awaited; what was acknowledged is marked, then any error is raised."""
        wave = await self._wave(producer, rows)
        futures = [
            await producer.send_batch(batch, topic, partition=partition)
            for (topic, partition), (batch, _) in wave.items()
        ]
        results = await asyncio.gather(*futures, return_exceptions=True)
        published: list[Published] = []
        failure: BaseException | None = None
        for (place, (_, sent)), result in zip(wave.items(), results, strict=True):
            if isinstance(result, BaseException):
                # A future that the client gave up ends the wave, not this task.
                failure = KafkaError("given up") if isinstance(result, asyncio.CancelledError) else result
                continue
            published += [Published(row, place[1], result.offset + i) for i, row in enumerate(sent)]
        if published:
            await self._must_be(current)
            await relay_store.mark(connection, current, published)
            self.state.published += len(published)
            for topic, said in Counter(sent.row.topic for sent in published).items():
                metrics.RELAY_PUBLISHED.labels(topic).inc(said)
        if failure:
            metrics.RELAY_FAILURES.inc()
            raise failure

    async def _wave(self, producer: AIOKafkaProducer, rows: Sequence[Row]) -> Wave:
        """Fills a batch per partition; a partition whose batch is full takes no later row in this wave."""
        wave: Wave = {}
        full: set[Place] = set()
        counts = {topic: len(await producer.partitions_for(topic)) for topic in {row.topic for row in rows}}
        for row in rows:
            place = (row.topic, partition_of(row.subject, counts[row.topic]))
            if place in full:
                continue
            batch, sent = wave.setdefault(place, (producer.create_batch(), []))
            headers = unpack_headers(row.headers)
            if batch.append(key=row.subject.encode(), value=row.value, timestamp=None, headers=headers) is None:
                full.add(place)
            else:
                sent.append(row)
        for batch, _ in wave.values():
            batch.close()
        return wave

    async def _maintain(self) -> None:
        """Keeps partitions for the days to come and drops those that have gone."""
        while True:
            try:
                await relay_store.maintain(self.database.pool, DAYS_KEPT)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("outbox.maintenance_failed", error=describe_error(error))
            await asyncio.sleep(MAINTAIN_EVERY_S)


@lru_cache(maxsize=100_000)
def partition_of(key: str, partitions: int) -> int:
    """Kafka's default partitioner (murmur2, as the Java client's): any other client agrees on a key's place."""
    return int((murmur2(key.encode()) & 0x7FFFFFFF) % partitions)
