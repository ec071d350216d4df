"""Apache Kafka from its Maven artefact: durable, and the whole stack on it."""

import pytest

from deploy.cli.sending import sampled
from deploy.local.apache import ApacheKafka
from deploy.local.broker import log_id
from deploy.local.ports import free_port
from deploy.topics import create_topics, planned
from tests.integration.deploy.test_stack import effects_of
from tests.support.servers import reachable_folder
from tests.support.stack import running_stack, stack_settings

pytestmark = pytest.mark.apache


async def test_the_log_outlives_a_kill() -> None:
    node = ApacheKafka(reachable_folder(), free_port())
    before = await node.start()
    try:
        assert len(await create_topics(node.kafka)) == len(planned())
        await node.kill()
        assert await node.start() == before == await log_id(node.kafka)
        assert await create_topics(node.kafka) == []
    finally:
        await node.stop()


async def test_a_discharge_has_its_effects_though_the_broker_is_killed() -> None:
    async with running_stack(stack_settings(kafka="apache")) as stack:
        *before, discharge = sampled()
        for payload in before:
            assert (await stack.send(payload)).code == "AA"
        stack.stack.kill("broker")
        await effects_of(stack, discharge, {"intake", "transitions", "careplan"})
