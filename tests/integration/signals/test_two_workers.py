"""Two workers on Apache Kafka share the feeds; what one had learned outlives its kill, in the changelog alone."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.local.apache import ApacheKafka
from deploy.local.ports import free_port
from deploy.topics import create_topics
from services.transitions.signals.settings import Tables
from services.transitions.signals.topics import APPLICATION
from shared.events import PARTITIONS, Topic
from shared.kafka import KafkaSettings, Relay
from shared.kafka.relay import partition_of
from shared.postgres import Database
from tests.integration.signals.running import process, settings_of, tell, this_minute
from tests.support.databases import Databases
from tests.support.servers import reachable_folder
from tests.support.story import running, until
from tests.unit.signals.said import counted, minutes

pytestmark = pytest.mark.apache
HOUR = timedelta(hours=1)
PATIENCE_S = 120
SEEN = "SELECT feed, counted_until, counted_by FROM signal_feed"
LEARNED = "SELECT feed, body FROM signal_profile"


@pytest_asyncio.fixture
async def apache() -> AsyncIterator[KafkaSettings]:
    node = ApacheKafka(reachable_folder(), free_port())
    await node.start()
    try:
        await create_topics(node.kafka)
        yield node.kafka
    finally:
        await node.stop()


@pytest_asyncio.fixture
async def admin(apache: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(**apache.client_arguments())
    await client.start()
    yield client
    await client.close()


def one_feed_a_partition() -> list[str]:
    found: dict[int, str] = {}
    for number in range(1000):
        found.setdefault(partition_of(f"feed-{number}", PARTITIONS), f"feed-{number}")
    return sorted(found.values())


async def both_share(admin: AIOKafkaAdminClient) -> bool:
    """The group stands with two members; Kafka knows of none before the first has come."""
    try:
        [answer] = await admin.describe_consumer_groups([APPLICATION])
    except KafkaError:
        return False
    _error, _group, state, _type, _protocol, members, *_ = answer.groups[0]
    return state == "Stable" and len(members) == 2


async def committed(admin: AIOKafkaAdminClient) -> int:
    """How many counts the group has taken for good: Kafka gives them to no one again."""
    offsets = await admin.list_consumer_group_offsets(APPLICATION)
    return sum(at.offset for place, at in offsets.items() if place.topic == Topic.FEEDS.value)


async def counters(transitions: Database) -> dict[str, str]:
    return {row["feed"]: row["counted_by"] for row in await transitions.pool.fetch(SEEN)}


async def test_a_worker_takes_over_with_what_the_killed_one_had_learned(
    databases: Databases, apache: KafkaSettings, admin: AIOKafkaAdminClient
) -> None:
    intake, transitions = await databases.open("intake"), await databases.open("transitions")
    feeds = one_feed_a_partition()
    first = this_minute().replace(minute=0) - 3 * HOUR
    one, other = (
        settings_of(databases, apache, every_seconds=1, instance=name, tables=Tables.CHANGELOG) for name in ("a", "b")
    )

    async def taken_for_good() -> bool:
        return await committed(admin) == 90 * len(feeds)

    async def second_hour_learned() -> bool:
        hours = [list(row["body"]["hours"].values()) for row in await transitions.pool.fetch(LEARNED)]
        return sorted(len(each) for each in hours) == [2] * len(feeds)

    async with running(Relay(database=intake, kafka=apache).run), process(one) as killed, process(other):
        await until(lambda: both_share(admin), "the workers share the feeds", PATIENCE_S)
        for feed in feeds:
            await tell(intake, feed, *(counted(feed, at, 2) for at in minutes(first, 90)))
        await until(taken_for_good, "an hour and a half of each feed is counted", PATIENCE_S)
        shares = list((await counters(transitions)).values())
        assert {worker: shares.count(worker) for worker in "ab"} == {"a": 6, "b": 6}
        # From here on nothing but the changelogs knows what was counted.
        await transitions.pool.execute("TRUNCATE signal_profile, signal_window")
        killed.kill()
        for feed in feeds:
            await tell(intake, feed, *(counted(feed, at, 2) for at in minutes(first + 1.5 * HOUR, 30)))
        await until(second_hour_learned, "both hours of every feed are known", PATIENCE_S)
        assert set((await counters(transitions)).values()) == {"b"}
    for row in await transitions.pool.fetch(LEARNED):
        assert [count for seen in row["body"]["hours"].values() for _, count in seen] == [120, 120]
