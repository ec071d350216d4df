"""Kafka's log as a whole: which one it is (its id changes when a broker lost it) and where its partitions end."""

from collections.abc import Iterable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.kafka.leaving import leave
from shared.kafka.settings import KafkaSettings


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
    """The next offset of each (topic, partition)."""
    partitions = [TopicPartition(topic, partition) for topic, partition in places]
    if not partitions:
        return {}
    reader = AIOKafkaConsumer(**kafka.client_arguments(), enable_auto_commit=False)
    await reader.start()
    try:
        found = await reader.end_offsets(partitions)
    finally:
        await leave(reader)
    return {(place.topic, place.partition): offset for place, offset in found.items()}
