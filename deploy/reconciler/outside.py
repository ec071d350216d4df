"""What stands outside the services: Kafka's log, the sender's log, the receivers' logs."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.reconciler.books import Received, Record, Sent
from shared.kafka import KafkaSettings

FETCH = 5_000


async def read_back(kafka: KafkaSettings, topics: Iterable[str]) -> tuple[Record, ...]:
    """Every record of these topics from the first to the end as it is now. Raises KafkaError, OSError."""
    reader = AIOKafkaConsumer(**kafka.client_arguments(), enable_auto_commit=False, auto_offset_reset="earliest")
    await reader.start()
    try:
        await reader._client.set_topics(sorted(topics))  # noqa: SLF001  (metadata of topics that nobody subscribed to)
        places = [TopicPartition(topic, p) for topic in topics for p in reader.partitions_for_topic(topic) or ()]
        ends = await reader.end_offsets(places)
        reader.assign(places)
        await reader.seek_to_beginning(*places)
        return tuple([record async for record in _records(reader, ends)])
    finally:
        await reader.stop()


async def _records(reader: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> Any:
    waiting = {place for place, end in ends.items() if end > 0}
    while waiting:
        found = await reader.getmany(*waiting, timeout_ms=1_000, max_records=FETCH)
        for place, records in found.items():
            for record in records:
                yield _record(record)
            if records and records[-1].offset + 1 >= ends[place]:
                waiting.discard(place)


def _record(record: Any) -> Record:
    said = {name: raw.decode() for name, raw in record.headers}
    return Record(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        source=said["ce_source"].removeprefix("/handoff/"),
        event_id=said["ce_id"],
        subject=record.key.decode(),
        epoch=int(said["ce_epoch"]),
        sequence=int(said["ce_patientsequence"]),
    )


def read_sent(file: Path | None) -> tuple[Sent, ...]:
    """The sender's log: JSON lines with feed, trigger, control_id, visit and ack."""
    return tuple(
        Sent(line["control_id"], line["feed"], line["trigger"], line["visit"], line["ack"]) for line in _lines(file)
    )


def read_received(file: Path | None, endpoint_id: str | None = None) -> tuple[Received, ...]:
    """A receiver's log: JSON lines with webhook_id, order, and the notice (or its ids alone)."""
    return tuple(_received(line, endpoint_id) for line in _lines(file))


def _received(line: dict[str, Any], endpoint_id: str | None) -> Received:
    notice = line.get("notice", line)
    return Received(
        webhook_id=line["webhook_id"],
        endpoint_id=line.get("endpoint_id", endpoint_id or ""),
        order=line["order"],
        event_id=notice["event_id"],
        retracts=tuple(notice.get("retracts") or ()),
    )


def _lines(file: Path | None) -> Iterator[dict[str, Any]]:
    """Whole lines only: a kill may have cut the last one."""
    if file is None or not file.exists():
        return
    for line in file.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            yield json.loads(line)
