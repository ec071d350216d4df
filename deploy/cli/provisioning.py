"""Provider topics with their access rules: an organisation's principal may read its own topic, and no other."""

from collections.abc import Sequence
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import CreateAclsRequest

from deploy.topics import create_topics, provider_topic
from shared.kafka import KafkaSettings

# Numbers of Kafka's protocol (org.apache.kafka.common.acl and .resource).
TOPIC, GROUP = 2, 3
LITERAL, PREFIXED = 3, 4
READ, DESCRIBE = 3, 8
ALLOW = 3
NO_RULES = "everyone (this broker has no access control)"


async def provision(kafka: KafkaSettings, organisations: Sequence[str], replication: int = 1) -> list[dict[str, Any]]:
    """Create what is missing, with so many copies of each partition, and say who may read it. Raises KafkaError when
    the broker refuses a rule.
    """
    created = set(await create_topics(kafka, organisations, replication))
    client = AIOKafkaClient(**kafka.client_arguments())
    await client.bootstrap()
    try:
        return [await _one(client, organisation, created) for organisation in organisations]
    finally:
        await client.close()


async def _one(client: AIOKafkaClient, organisation: str, created: set[str]) -> dict[str, Any]:
    topic = provider_topic(organisation)
    principal = f"User:{organisation}"
    rules = [
        (TOPIC, topic, LITERAL, READ),
        (TOPIC, topic, LITERAL, DESCRIBE),
        (GROUP, f"{organisation}.", PREFIXED, READ),
    ]
    allowed = [await _allow(client, principal, *rule) for rule in rules]
    return {"topic": topic, "created": topic in created, "readable_by": principal if all(allowed) else NO_RULES}


async def _allow(client: AIOKafkaClient, principal: str, kind: int, name: str, pattern: int, operation: int) -> bool:
    """Whether the broker took the rule; False where it has no access control at all."""
    request = CreateAclsRequest(kind, name, pattern, principal, "*", operation, ALLOW)
    try:
        answer = await client.send(client.get_random_node(), request)
    except (KafkaError, NotImplementedError):
        return False
    return all(code == 0 for code, _message in answer.creation_responses)
