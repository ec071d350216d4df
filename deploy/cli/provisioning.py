"""Provider topics with their access rules: an organisation's principal may read its own topic, and no other."""

from collections.abc import Sequence
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, for_code
from aiokafka.protocol.admin import CreateAclsRequest

from deploy.topics import create_topics, provider_topic
from shared.kafka import KafkaSettings

# Numbers of Kafka's protocol (org.apache.kafka.common.acl and .resource).
TOPIC, GROUP = 2, 3
LITERAL, PREFIXED = 3, 4
READ, DESCRIBE = 3, 8
ALLOW = 3
SECURITY_DISABLED = 54
TRIES = 3
NO_RULES = "everyone (this broker has no access control)"


async def provision(kafka: KafkaSettings, organisations: Sequence[str], replication: int = 1) -> list[dict[str, Any]]:
    """Create what is missing, with so many copies of each partition, and say who may read it. Raises KafkaError when
    the broker is away or refuses a rule.
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
    readable_by = principal
    for rule in rules:
        if not await allow(client, principal, *rule):
            readable_by = NO_RULES
            break
    return {"topic": topic, "created": topic in created, "readable_by": readable_by}


async def allow(client: AIOKafkaClient, principal: str, kind: int, name: str, pattern: int, operation: int) -> bool:
    """Whether the broker took the rule; False where it has no access control at all. Raises KafkaError where
    anything else keeps a rule from being made: who may read a topic must not be told on a guess.
    """
    request = CreateAclsRequest(kind, name, pattern, principal, "*", operation, ALLOW)
    for _ in range(TRIES):
        try:
            answer = await client.send(client.get_random_node(), request)
        except KafkaConnectionError:
            await client.fetch_all_metadata()  # raises where it is the broker that is away
            continue
        codes = {code for code, _message in answer.creation_responses}
        if refused := codes - {0, SECURITY_DISABLED}:
            raise for_code(min(refused))(f"the rule for {principal} on {name} was refused")
        return SECURITY_DISABLED not in codes
    # The embedded broker hangs up on this request, each time, and answers every other.
    return False
