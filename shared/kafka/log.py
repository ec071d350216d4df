"""Kafka's log as a whole: which one it is (its id changes when a broker lost it) and where its partitions end."""

from collections.abc import Iterable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.kafka.leaving import leave
from shared.kafka.settings import KafkaSettings

FETCH_WAIT_MS = 100
FETCHES = 20


async def log_id(kafka: KafkaSettings) -> str:
    """The cluster's id. An in-memory broker gets a new one at each start, since its log is then a new one.

    Raises aiokafka.errors.KafkaError or OSError when the broker does not answer.
    """
    admin = AIOKafkaAdminClient(**kafka.client_arguments(), request_timeout_ms=5_000)
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
    finally:
        await admin.close()
    return str(cluster["cluster_id"])


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
