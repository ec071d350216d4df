"""The embedded servers behind every other test: they hold what they promise."""

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local.broker import EmbeddedBroker, log_id
from deploy.local.ports import PortTakenError, free_port
from deploy.local.postgres import EmbeddedPostgres
from deploy.local.settings import StackSettings
from deploy.topics import create_topics, planned
from shared.events import Topic
from tests.support.databases import Databases
from tests.support.servers import reachable_folder


async def test_a_test_sees_its_own_migrated_clone(databases: Databases) -> None:
    intake = await databases.open("intake")
    assert await intake.pool.fetchval("SELECT current_schema()") == "intake"
    assert await intake.pool.fetchval("SELECT current_database()") == databases.name
    assert await intake.pool.fetchval("SELECT count(*) FROM outbox") == 0


async def test_a_service_cannot_read_another_services_schema(databases: Databases) -> None:
    careplan = await databases.open("careplan")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await careplan.pool.fetchval("SELECT count(*) FROM intake.outbox")


async def test_committed_rows_survive_a_kill_and_only_the_owner_reads_the_folder() -> None:
    server = EmbeddedPostgres(reachable_folder(), free_port())
    await server.start()
    try:
        connection = await server.connect()
        await connection.execute("CREATE TABLE intake.kept (id int)")
        await connection.execute("INSERT INTO intake.kept VALUES (1)")
        await server.kill()
        await server.start()
        connection = await server.connect()
        assert await connection.fetchval("SELECT id FROM intake.kept") == 1
        await connection.close()
        assert server.data.stat().st_mode & 0o777 == 0o700
        assert (server.data.parent / "keys.json").stat().st_mode & 0o777 == 0o600
    finally:
        await server.stop()
        server.remove()


async def test_a_taken_port_is_named_with_the_setting_that_moves_it(postgres_server: EmbeddedPostgres) -> None:
    second = EmbeddedPostgres(reachable_folder(), postgres_server.port, durable=False)
    with pytest.raises(PortTakenError, match=rf"port {postgres_server.port} .* HANDOFF_POSTGRES_PORT"):
        await second.start()
    second.remove()


async def test_a_restarted_broker_has_another_log_id_and_no_topics(fresh_broker: EmbeddedBroker) -> None:
    before = await log_id(fresh_broker.kafka)
    after = await fresh_broker.restart()
    assert before
    assert after != before
    created = await create_topics(fresh_broker.kafka, ["riverside"])
    assert set(created) == {plan.name for plan in planned(["riverside"])}
    assert await create_topics(fresh_broker.kafka, ["riverside"]) == []


async def test_topics_have_the_partitions_of_the_contract(broker: EmbeddedBroker) -> None:
    described = await _partitions(broker)
    assert described["care.encounters.v1"] == 12
    assert {plan.name: plan.partitions for plan in planned()}.items() <= described.items()


async def test_a_stack_on_the_embedded_broker_has_fewer(fresh_broker: EmbeddedBroker) -> None:
    await fresh_broker.restart()
    partitions = StackSettings(kafka="embedded").partitions
    await create_topics(fresh_broker.kafka, ["riverside"], partitions=partitions)
    described = await _partitions(fresh_broker)
    assert partitions == 2
    assert {described[topic.value] for topic in Topic} == {2}
    assert described["care.provider.riverside.v1"] == 1


async def _partitions(broker: EmbeddedBroker) -> dict[str, int]:
    admin = AIOKafkaAdminClient(**broker.kafka.client_arguments())
    await admin.start()
    described = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
    await admin.close()
    return described
