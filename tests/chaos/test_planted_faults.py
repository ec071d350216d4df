"""Five faults, planted in the real stores of a run: each turns the verdict red, where it must."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from deploy.reconciler.books import Books, Finding
from deploy.reconciler.verdict import reconcile
from tests.chaos.conftest import Rested

pytestmark = [pytest.mark.xdist_group("chaos"), pytest.mark.timeout(600)]

INSERT = """
INSERT INTO {schema}.outbox (event_id, topic, subject, epoch, sequence, type, headers, value, recorded, published_at)
VALUES ($1, $2, $3, 1, $4, $5, $6, $7, now(), now())
"""


def red(books: Books) -> dict[str, Sequence[Finding]]:
    """Comparisons that found something."""
    return {result.check.name: result.findings for result in reconcile(books) if result.findings}


async def test_a_run_without_faults_is_green_and_compared_something(rested: Rested) -> None:
    assert red(rested.books) == {}
    unseen = [result.check.name for result in reconcile(rested.books) if not result.compared]
    assert set(unseen) <= {"retracted to those told"}


async def test_a_lost_row_turns_it_red(rested: Rested) -> None:
    sent = rested.books.sent[0].control_id
    await rested.execute("CREATE TABLE public.lost AS SELECT * FROM intake.message WHERE control_id = $1", sent)
    await rested.execute("DELETE FROM intake.message WHERE control_id = $1", sent)
    try:
        found = red(await rested.look())
    finally:
        await rested.execute("INSERT INTO intake.message SELECT * FROM public.lost")
        await rested.execute("DROP TABLE public.lost")
    assert Finding(sent, "acknowledged and lost") in found["acknowledged = stored"]
    assert red(await rested.look()) == {}


async def test_a_double_effect_turns_it_red(rested: Rested) -> None:
    """The same event took effect in transitions a second time, and said so once more."""
    event = next(one for one in rested.books.of("transitions") if one.type == "care.task.created.v1")
    row = (await rested.execute("SELECT * FROM transitions.outbox WHERE event_id = $1::text::uuid", event.id))[0]
    last = max(one.sequence for one in rested.books.events if one.stream == event.stream)
    again = str(uuid4())
    await said(rested, "transitions", row, again, row["subject"], last + 1)
    try:
        found = red(await rested.look())
    finally:
        await rested.execute("DELETE FROM transitions.outbox WHERE event_id = $1::text::uuid", again)
    assert [one.id for one in found["nothing said twice"]] == [again]
    assert [one.id for one in found["tasks as told"]] == [event.about]


async def test_an_undelivered_notice_turns_it_red(rested: Rested, tmp_path: Path) -> None:
    lines = rested.run.got.read_text().splitlines(keepends=True)
    lost = json.loads(lines[5])["webhook_id"]
    log = tmp_path / "received.jsonl"
    log.write_text("".join(line for line in lines if json.loads(line)["webhook_id"] != lost))
    found = red(await rested.look(log))
    assert Finding(lost, "counts as delivered, and was never received") in found["delivered = received"]


async def test_a_notice_delivered_twice_turns_it_red(rested: Rested, tmp_path: Path) -> None:
    """Under another webhook-id, so that the receiver can't tell: the same id again is no fault."""
    lines = rested.run.got.read_text().splitlines(keepends=True)
    log = tmp_path / "received.jsonl"
    repeated = {**json.loads(lines[5]), "order": len(lines) + 1}
    log.write_text("".join([*lines, json.dumps(repeated) + "\n"]))
    assert red(await rested.look(log)) == {}

    twice = {**repeated, "webhook_id": str(uuid4())}
    log.write_text("".join([*lines, json.dumps(twice) + "\n"]))
    found = red(await rested.look(log))
    assert [one.id for one in found["received once"]] == [twice["webhook_id"]]


async def test_a_swapped_pair_turns_it_red(rested: Rested) -> None:
    """Two events of one patient stand in Kafka the wrong way round; every event is there once."""
    event = next(one for one in rested.books.of("intake") if one.about)
    row = (await rested.execute("SELECT * FROM intake.outbox WHERE event_id = $1::text::uuid", event.id))[0]
    subject, first, second = f"swapped-{uuid4()}", str(uuid4()), str(uuid4())
    headers = [await said(rested, "intake", row, one, subject, n) for n, one in enumerate((first, second), start=1)]
    producer = AIOKafkaProducer(**rested.run.stack.kafka.client_arguments(), enable_idempotence=False)
    await producer.start()
    try:
        for said_with in reversed(headers):
            raw = [(name, value.encode()) for name, value in said_with.items()]
            await producer.send_and_wait(row["topic"], row["value"], key=subject.encode(), headers=raw)
    finally:
        await producer.stop()
    found = red(await rested.look())
    assert [one.id for one in found["order in Kafka"]] == [second]
    assert "outboxes = Kafka" not in found
    assert "outboxes without gaps" not in found


async def said(rested: Rested, schema: str, row: Any, event_id: str, subject: str, sequence: int) -> dict[str, str]:
    """Puts a copy of an outbox row there as another event; answers its headers."""
    headers: dict[str, str] = orjson.loads(row["headers"]) | {
        "ce_id": event_id,
        "ce_subject": subject,
        "ce_patientsequence": f"{sequence:012d}",
        "ce_recorded": datetime.now(UTC).isoformat(),
    }
    values = (row["topic"], subject, sequence, row["type"], orjson.dumps(headers), row["value"])
    await rested.execute(INSERT.format(schema=schema), event_id, *values)
    return headers
