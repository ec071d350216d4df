"""Many parked patients are released within seconds, in order, and one that fails holds up no other."""

import asyncio
from collections.abc import Sequence

from shared.kafka import operating
from tests.support.story import Story, running, until

KEYS, EVENTS = 300, 12
DRAINED_WITHIN_S = 20.0


async def test_thousands_of_events_of_hundreds_of_patients_drain_within_seconds(story: Story, patient: str) -> None:
    """The first event of every patient is lost on the way; when it comes, all that waited behind it follows."""
    patients = [f"{patient}-{n}" for n in range(KEYS)]
    await _say_all(story, patients)
    await _lose_first_events(story)
    consumer = story.consumer()
    async with running(story.relay().run, consumer.run):
        await until(lambda: _count(story, "parked_event", KEYS * (EVENTS - 1)), "everything behind the gaps is parked")
        assert not await story.hearer.pool.fetchval("SELECT count(*) FROM effect")
        await _bring_first_events(story)
        await until(lambda: _count(story, "effect", KEYS * EVENTS), "everything took effect", DRAINED_WITHIN_S)
        await until(lambda: _count(story, "blocked_key", 0), "every key is free")
    await _each_in_order(story, patients)


async def test_one_that_fails_again_is_parked_again_and_the_others_are_freed(story: Story, patient: str) -> None:
    """Released together with the others, it costs them nothing, and what it could take in took effect."""
    patients = [f"{patient}-{n}" for n in range(40)]
    failing = patients[17]
    await _say_all(story, patients)
    await _lose_first_events(story)
    consumer = story.consumer()
    async with running(story.relay().run, consumer.run):
        await until(lambda: _count(story, "parked_event", 40 * (EVENTS - 1)), "everything behind the gaps is parked")
        story.poisoned_numbers.add((failing, 8))
        await _bring_first_events(story)
        version = await story.blocked(failing, "failed")
        await until(lambda: _count(story, "blocked_key", 1), "every other key is free")
        assert await story.effects(failing) == list(range(1, 8))
        story.poisoned_numbers.clear()
        async with story.hearer.transaction() as tx:
            await operating.release(tx, story.name, failing, version)
        await until(lambda: _count(story, "blocked_key", 0), "and then this one too")
    await _each_in_order(story, patients)


async def test_two_drainers_release_the_same_patients_once(story: Story, patient: str) -> None:
    patients = [f"{patient}-{n}" for n in range(60)]
    await _say_all(story, patients)
    await _lose_first_events(story)
    consumer = story.consumer()
    async with running(story.relay().run, consumer.run):
        await until(lambda: _count(story, "parked_event", 60 * (EVENTS - 1)), "everything behind the gaps is parked")
        await _bring_first_events(story)
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(story.consumer().drainer.drain())
        await until(lambda: _count(story, "blocked_key", 0), "every key is free")
    await _each_in_order(story, patients)


async def _say_all(story: Story, patients: Sequence[str]) -> None:
    async with story.teller.transaction() as tx:
        await tx.lock(patients)
        await tx.publish([story.draft(subject, number) for number in range(1, EVENTS + 1) for subject in patients])


async def _lose_first_events(story: Story) -> None:
    await story.teller.pool.execute("UPDATE outbox SET published_at = now() WHERE sequence = 1")


async def _bring_first_events(story: Story) -> None:
    async with story.teller.transaction() as tx:
        await tx.connection.execute("UPDATE outbox SET published_at = NULL WHERE sequence = 1")
        tx.has_published = True


async def _count(story: Story, table: str, wanted: int) -> bool:
    return int(await story.hearer.pool.fetchval(f"SELECT count(*) FROM {table}")) == wanted


async def _each_in_order(story: Story, patients: Sequence[str]) -> None:
    rows = await story.hearer.pool.fetch(
        "SELECT subject, array_agg(number ORDER BY id) AS numbers FROM effect GROUP BY subject"
    )
    assert {row["subject"]: row["numbers"] for row in rows} == {
        subject: list(range(1, EVENTS + 1)) for subject in patients
    }
