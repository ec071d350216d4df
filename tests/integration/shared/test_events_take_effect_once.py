"""Events take effect once and in order, whatever happens between PostgreSQL and Kafka."""

import asyncio

import asyncpg
import pytest

import shared.kafka.relay
from deploy.local.broker import EmbeddedBroker
from deploy.topics import create_topics
from shared.kafka import operating
from shared.kafka.log import log_id
from shared.kafka.republish import republish
from tests.support.story import Story, running, until


async def test_said_events_are_heard_in_order(story: Story, patient: str) -> None:
    async with running(story.relay().run, story.consumer().run):
        await story.say(patient, 1, 2, 3)
        await story.say(patient, 4)
        await story.heard(patient, 1, 2, 3, 4)


async def test_a_rolled_back_transaction_says_nothing(story: Story, patient: str) -> None:
    async with running(story.relay().run, story.consumer().run):
        with pytest.raises(asyncpg.DivisionByZeroError):
            await _say_and_fail(story, patient)
        await story.say(patient, 2)
        await story.heard(patient, 2)


async def test_events_published_twice_have_one_effect(story: Story, patient: str) -> None:
    async with running(story.relay().run, story.consumer().run):
        await story.say(patient, 1, 2)
        await story.heard(patient, 1, 2)
        await story.teller.pool.execute("UPDATE outbox SET published_at = NULL")
        await story.say(patient, 3)
        await story.heard(patient, 1, 2, 3)


async def test_a_consumer_killed_before_its_offsets_are_committed_repeats_nothing(story: Story, patient: str) -> None:
    async with running(story.relay().run):
        async with running(story.consumer().run):
            await story.say(patient, 1, 2)
            await story.heard(patient, 1, 2)
        await story.say(patient, 3)
        async with running(story.consumer().run):
            await story.heard(patient, 1, 2, 3)


async def test_two_writers_of_one_patient_make_one_gapless_sequence(story: Story, patient: str) -> None:
    async with running(story.relay().run, story.consumer().run):
        await asyncio.gather(*(story.say(patient, number) for number in range(30)))

        async def all_heard() -> bool:
            return len(await story.effects(patient)) >= 30

        await until(all_heard, "thirty events of one patient")
    said = await story.teller.pool.fetch("SELECT sequence FROM outbox WHERE subject = $1 ORDER BY id", patient)
    assert [row["sequence"] for row in said] == list(range(1, 31))
    assert sorted(await story.effects(patient)) == list(range(30))


async def test_a_broker_that_lost_its_log_loses_nothing(
    story: Story, fresh_broker: EmbeddedBroker, patient: str
) -> None:
    async with running(story.relay().run, story.consumer().run):
        await story.say(patient, 1, 2)
        await story.heard(patient, 1, 2)
    async with running(story.relay().run):
        await story.say(patient, 3, 4)

        async def published() -> bool:
            return not await story.teller.pool.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL")

        await until(published, "the relay published everything")
    await fresh_broker.stop()
    await fresh_broker.start()
    await create_topics(fresh_broker.kafka)
    async with running(story.relay().run, story.consumer().run):
        await story.say(patient, 5)
        async with story.hearer.pool.acquire() as connection:
            held = await operating.positions(connection)
        async with story.teller.pool.acquire() as connection, connection.transaction():
            again = await republish(connection, await log_id(story.kafka), held)
        assert again >= 2
        await story.heard(patient, 1, 2, 3, 4, 5)


async def test_what_a_new_log_holds_is_not_noted_as_a_place_in_the_old_one(
    story: Story, fresh_broker: EmbeddedBroker, patient: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a republish would take events for read that nobody has read: the clients connect anew by themselves."""
    monkeypatch.setattr(shared.kafka.relay, "LOG_CHECK_S", 3600.0)
    relay = story.relay()

    async def is_closed() -> bool:
        return not relay.state.is_open

    async with running(relay.run, story.consumer().run):
        await story.say(patient, 1)
        await story.heard(patient, 1)
        old = await log_id(story.kafka)
        await fresh_broker.restart()
        await create_topics(fresh_broker.kafka)
        anew = await story.teller.pool.fetchval("SELECT clock_timestamp()")
        await story.say(patient, 2)
        await until(is_closed, "the relay has seen that the log is another one")
    noted = "SELECT count(*) FROM outbox WHERE log_id = $1 AND published_at > $2"
    moved = "SELECT count(*) FROM position WHERE log_id = $1 AND moved_at > $2"
    assert await story.teller.pool.fetchval(noted, old, anew) == 0
    assert await story.hearer.pool.fetchval(moved, old, anew) == 0


async def test_a_raised_epoch_starts_sequences_anew(story: Story, patient: str) -> None:
    async with running(story.relay().run, story.consumer().run):
        await story.say(patient, 1, 2)
        await story.heard(patient, 1, 2)
        async with story.teller.pool.acquire() as connection:
            assert await operating.raise_epoch(connection) == 2
        await story.say(patient, 3)
        await story.heard(patient, 1, 2, 3)
    said = await story.teller.pool.fetch("SELECT epoch, sequence FROM outbox WHERE subject = $1 ORDER BY id", patient)
    assert [tuple(row) for row in said] == [(1, 1), (1, 2), (2, 1)]


async def _say_and_fail(story: Story, patient: str) -> None:
    async with story.teller.transaction() as tx:
        await tx.lock([patient])
        await tx.publish([story.draft(patient, 1)])
        await tx.connection.execute("SELECT 1 / 0")
