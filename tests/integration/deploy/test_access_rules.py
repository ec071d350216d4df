"""On a Kafka with access control: the rules that are shipped suffice for the services, and an organisation reads its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from deploy.cli import provisioning
from deploy.local.apache import ApacheKafka
from deploy.local.ports import free_port
from deploy.topics import create_topics
from shared.kafka import KafkaSettings
from tests.support.databases import Databases
from tests.support.servers import reachable_folder
from tests.support.story import Story, running

pytestmark = pytest.mark.apache
USERS = Path(__file__).parents[3] / "deploy" / "kubernetes" / "users.yaml"
PASSWORDS = {name: f"{name}-secret" for name in ("root", "intake", "careplan", "riverside", "lakeside")}
KINDS = {"topic": provisioning.TOPIC, "group": provisioning.GROUP}
PATTERNS = {"literal": provisioning.LITERAL, "prefix": provisioning.PREFIXED}
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8}


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def node() -> AsyncIterator[ApacheKafka]:
    found = ApacheKafka(reachable_folder(), free_port(), PASSWORDS)
    await found.start()
    yield found
    await found.stop()


async def test_the_shipped_rules_let_services_speak_and_hear_and_no_more(
    node: ApacheKafka, databases: Databases
) -> None:
    await create_topics(node.kafka)
    for service in ("intake", "careplan"):
        await _apply(node.kafka, service)
    story = Story(await databases.open("intake"), await databases.open("careplan"), node.reached_by("intake"))
    await story.prepare()
    hearer = Story(story.teller, story.hearer, node.reached_by("careplan"))
    hearer.name = "careplan"
    async with running(story.relay().run, hearer.consumer().run):
        await story.say("patient-1", 1, 2, 3)
        await hearer.heard("patient-1", 1, 2, 3)
    with pytest.raises(TopicAuthorizationFailedError):
        await _write(node.reached_by("careplan"), "care.encounters.v1")


async def test_an_organisation_reads_its_own_topic_and_no_other(node: ApacheKafka) -> None:
    told = await provisioning.provision(node.kafka, ["riverside", "lakeside"])
    assert [one["readable_by"] for one in told] == ["User:riverside", "User:lakeside"]
    await _write(node.kafka, "care.provider.riverside.v1")
    reader = node.reached_by("riverside")
    assert await _read(reader, "care.provider.riverside.v1", "riverside.records") == b"a notice"
    for topic in ("care.provider.lakeside.v1", "care.encounters.v1"):
        with pytest.raises(TopicAuthorizationFailedError):
            await _read(reader, topic, "riverside.records")
    with pytest.raises(GroupAuthorizationFailedError):
        await _read(reader, "care.provider.riverside.v1", "lakeside.records")
    with pytest.raises(TopicAuthorizationFailedError):
        await _write(reader, "care.provider.riverside.v1")


async def test_a_rule_that_could_not_be_made_is_not_told_as_open_to_everyone(node: ApacheKafka) -> None:
    async with _client(node.reached_by("riverside")) as client:
        with pytest.raises(ClusterAuthorizationFailedError):
            await provisioning.allow(client, "User:riverside", *RULE)
    async with _client(node.kafka) as client:
        await node.kill()
        with pytest.raises(KafkaError):
            await provisioning.allow(client, "User:riverside", *RULE)
        await node.start()


RULE = (provisioning.TOPIC, "care.provider.riverside.v1", provisioning.LITERAL, provisioning.READ)


async def _apply(kafka: KafkaSettings, user: str) -> None:
    async with _client(kafka) as client:
        for rule in _rules(user):
            assert await provisioning.allow(client, f"User:{user}", *rule)


@asynccontextmanager
async def _client(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaClient]:
    client = AIOKafkaClient(**kafka.client_arguments())
    await client.bootstrap()
    try:
        yield client
    finally:
        await client.close()


def _rules(user: str) -> list[tuple[int, str, int, int]]:
    """As Kafka takes them, of what Strimzi would read."""
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(USERS.read_text(encoding="utf-8")))
    found = next(one for one in documents if one["metadata"]["name"] == user)
    return [
        (KINDS[at["type"]], at["name"], PATTERNS[at.get("patternType", "literal")], OPERATIONS[operation])
        for rule in found["spec"]["authorization"]["acls"]
        for at in [rule["resource"]]
        for operation in rule["operations"]
    ]


async def _write(kafka: KafkaSettings, topic: str) -> None:
    producer = AIOKafkaProducer(**kafka.client_arguments(), acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"a notice")
    finally:
        await producer.stop()


async def _read(kafka: KafkaSettings, topic: str, group: str) -> bytes:
    reader = AIOKafkaConsumer(topic, **kafka.client_arguments(), group_id=group, auto_offset_reset="earliest")
    try:
        await reader.start()
        record = await reader.getone()
        return bytes(record.value)
    finally:
        await reader.stop()
