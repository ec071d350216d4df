"""Kafka's log as a whole: which one it is (its id changes when a broker lost it) and where its partitions end."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.kafka.leaving import end, leave
from shared.kafka.settings import KafkaSettings

FETCH_WAIT_MS = 100
FETCHES = 20


class LogWatch:
    """Tells which log the broker has now, over a connection that is kept: it is asked every few seconds.

    The log's id is the cluster's: an in-memory broker gets a new one at each start, since its log is then a new one.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._admin: AIOKafkaAdminClient | None = None
        self._known = ""
        self._asked: tuple[Any, ...] = ()

    async def log_id(self) -> str:
        """Raises aiokafka.errors.KafkaError or OSError when the broker does not answer; asking again connects anew."""
        try:
            if self._admin is None:
                self._admin = AIOKafkaAdminClient(**self._kafka.client_arguments(), request_timeout_ms=5_000)
                await self._admin.start()
            # No topics: the public way to ask brings all of them along, each time.
            cluster = await self._admin._get_cluster_metadata([])  # noqa: SLF001
        except BaseException:
            await self.close()
            raise
        self._known, self._asked = str(cluster.cluster_id), tuple(self._admin._client._conns.values())  # noqa: SLF001
        return self._known

    async def serving(self) -> str:
        """The same, asked anew only where a connection was lost since: a broker that lost its log has ended before.

        For whoever must know it of each batch. Raises as `log_id` does.
        """
        if self._asked and all(connection.connected() for connection in self._asked):
            return self._known
        return await self.log_id()

    async def close(self) -> None:
        admin, self._admin = self._admin, None
        self._asked = ()
        if admin is not None:
            await end(type(admin).__name__, admin.close())


async def log_id(kafka: KafkaSettings) -> str:
    """Which log the broker has now, asked once. Raises aiokafka.errors.KafkaError or OSError."""
    watch = LogWatch(kafka)
    try:
        return await watch.log_id()
    finally:
        await watch.close()


async def ends(kafka: KafkaSettings, places: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], int]:
    """The next offset of each (topic, partition).

    As fetches tell it: asked for the end of a partition, the embedded broker leaves out most of the last batch.
    """
    partitions = [TopicPartition(topic, partition) for topic, partition in places]
    if not partitions:
        return {}
    reader = AIOKafkaConsumer(**kafka.client_arguments(), enable_auto_commit=False, fetch_max_wait_ms=FETCH_WAIT_MS)
    await reader.start()
    try:
        asked = await reader.end_offsets(partitions)
        reader.assign(partitions)
        for place, offset in asked.items():
            reader.seek(place, offset)
        told = await _high_watermarks(reader, partitions)
    finally:
        await leave(reader)
    return {(place.topic, place.partition): max(asked[place], told.get(place, 0)) for place in partitions}


async def _high_watermarks(reader: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """What the first fetches say of these partitions; one that says nothing in time is left out."""
    told: dict[TopicPartition, int] = {}
    for _ in range(FETCHES):
        await reader.getmany(timeout_ms=FETCH_WAIT_MS)
        told = {place: end for place in partitions if (end := reader.highwater(place)) is not None}
        if len(told) == len(partitions):
            break
    return told
