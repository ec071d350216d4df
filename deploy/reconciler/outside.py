"""What stands outside the services: Kafka's log, the sender's log, the receivers' logs."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.reconciler.books import Received, Record, Sent
from shared.kafka import KafkaSettings

FETCH = 5_000
QUIET_POLLS = 20
CLIENTS = 4
STOP_SECONDS = 5.0


class UnreadableLogError(Exception):
    """Kafka does not give back what its ends promise. The message says how many partitions stand still."""


async def read_back(kafka: KafkaSettings, topics: Iterable[str]) -> tuple[Record, ...]:
    """Every record of these topics from the first to the end as it is now.

    A client that gets nothing more is replaced by a new one. Raises UnreadableLogError, KafkaError, OSError.
    """
    wanted = sorted(topics)
    records: list[Record] = []
    reached: dict[TopicPartition, int] = {}
    for _ in range(CLIENTS):
        async with _reader(kafka) as reader:
            await reader._client.set_topics(wanted)  # noqa: SLF001  (metadata of topics that nobody subscribed to)
            places = [TopicPartition(topic, p) for topic in wanted for p in reader.partitions_for_topic(topic) or ()]
            at = {place: reached.get(place, 0) for place in places}
            records += [_record(one) async for one in _from(reader, at)]
            behind = sum(reader.highwater(place) is None or end_of(reader, place) > at[place] for place in places)
        if not behind:
            return tuple(records)
        reached = at
    raise UnreadableLogError(f"{behind} partitions cannot be read to their ends")


def end_of(reader: AIOKafkaConsumer, place: TopicPartition) -> int:
    """The end as the last fetch told it: the embedded broker answers questions for ends wrongly."""
    return int(reader.highwater(place) or 0)


@asynccontextmanager
async def _reader(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaConsumer]:
    reader = AIOKafkaConsumer(**kafka.client_arguments(), enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        await reader.start()
        yield reader
    finally:
        with suppress(TimeoutError):
            await asyncio.wait_for(reader.stop(), STOP_SECONDS)


async def _from(reader: AIOKafkaConsumer, at: dict[TopicPartition, int]) -> AsyncIterator[Any]:
    """Records up to the ends; moves `at` along. Ends early when nothing comes for long."""
    reader.assign(list(at))
    for place, offset in at.items():
        reader.seek(place, offset)
    quiet = 0
    while quiet < QUIET_POLLS and any(
        reader.highwater(place) is None or offset < end_of(reader, place) for place, offset in at.items()
    ):
        found = await reader.getmany(timeout_ms=500, max_records=FETCH)
        quiet = 0 if found else quiet + 1
        for place, several in found.items():
            for record in several:
                yield record
            at[place] = several[-1].offset + 1


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
