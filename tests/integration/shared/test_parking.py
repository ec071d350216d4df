"""A patient whose events cannot be taken in is parked alone, visibly, with a way forward."""

import pytest
from prometheus_client import REGISTRY

from shared.events import Topic, uuid7
from shared.kafka import Consumer, operating
from shared.kafka import consumer as consumer_loop
from shared.kafka.operating import StaleVersionError
from tests.support.story import Story, running, until

OTHER = "patient-of-the-other-bed"


async def test_a_failing_patient_is_parked_and_the_others_flow(story: Story, patient: str) -> None:
    story.poisoned.add(patient)
    async with running(story.relay().run, story.consumer().run):
        await story.say(patient, 1)
        await story.say(OTHER, 1, 2)
        await story.heard(OTHER, 1, 2)
        await story.blocked(patient, "failed")
        await story.say(patient, 2, 3)
        await story.say(OTHER, 3)
        await story.heard(OTHER, 1, 2, 3)
        assert await story.effects(patient) == []


async def test_released_events_take_effect_in_order(story: Story, patient: str) -> None:
    story.poisoned.add(patient)
    async with running(story.relay().run, story.consumer().run):
        await story.say(patient, 1, 2)
        version = await story.blocked(patient, "failed")
        story.poisoned.clear()
        async with story.hearer.transaction() as tx:
            await operating.release(tx, story.name, patient, version)
        await story.say(patient, 3)
        await story.heard(patient, 1, 2, 3)

        async def free() -> bool:
            return not await story.hearer.pool.fetchval("SELECT count(*) FROM blocked_key")

        await until(free, "the key is free again")
        await story.say(patient, 4)
        await story.heard(patient, 1, 2, 3, 4)


async def test_a_release_that_fails_again_parks_again_with_its_reason(story: Story, patient: str) -> None:
    story.poisoned.add(patient)
    async with running(story.relay().run, story.consumer().run):
        await story.say(patient, 1)
        version = await story.blocked(patient, "failed")
        async with story.hearer.transaction() as tx:
            await operating.release(tx, story.name, patient, version)

        async def parked_again() -> bool:
            async with story.hearer.pool.acquire() as connection:
                return any(k.attempts and k.state == "parked" for k in await operating.parked(connection))

        await until(parked_again, "parked again")
        async with story.hearer.pool.acquire() as connection:
            (key,) = await operating.parked(connection)
        assert "ValueError" in key.detail
        assert patient not in key.detail


async def test_a_stale_version_is_refused(story: Story, patient: str) -> None:
    story.poisoned.add(patient)
    async with running(story.relay().run, story.consumer().run):
        await story.say(patient, 1)
        version = await story.blocked(patient, "failed")
        with pytest.raises(StaleVersionError):
            async with story.hearer.transaction() as tx:
                await operating.release(tx, story.name, patient, version + 1)


async def test_skipping_the_head_keeps_it_on_record_and_releases_the_rest(story: Story, patient: str) -> None:
    story.poisoned.add(patient)
    async with running(story.relay().run, story.consumer().run):
        await story.say(patient, 1, 2)
        version = await story.blocked(patient, "failed")
        story.poisoned.clear()
        async with story.hearer.transaction() as tx:
            await operating.skip(tx, story.name, patient, version, "entered twice at the desk", "ops-1")
        await story.heard(patient, 2)
    skipped = await story.hearer.pool.fetchrow("SELECT reason, actor, from_sequence FROM skipped_event")
    assert skipped is not None
    assert tuple(skipped) == ("entered twice at the desk", "ops-1", 1)


async def test_a_gap_is_held_asked_for_and_closed_by_itself(story: Story, patient: str) -> None:
    """The relay is made to lose number 2: the hearer asks for it over the broker and gets it."""
    async with running(story.relay().run, story.relay(story.hearer).run, story.consumer().run, _teller(story).run):
        await story.say(patient, 1)
        await story.heard(patient, 1)
        async with story.teller.transaction() as tx:
            await tx.lock([patient])
            await tx.publish([story.draft(patient, 2)])
            await tx.connection.execute(
                "UPDATE outbox SET published_at = now() WHERE subject = $1 AND sequence = 2", patient
            )
        await story.say(patient, 3)
        await story.heard(patient, 1, 2, 3)


async def test_a_gap_that_will_never_close_can_be_given_up_with_a_reason(story: Story, patient: str) -> None:
    async with running(story.relay().run, story.consumer().run):
        async with story.teller.transaction() as tx:
            await tx.lock([patient])
            await tx.publish([story.draft(patient, 1)])
            await tx.connection.execute("DELETE FROM outbox WHERE subject = $1", patient)
        await story.say(patient, 2)
        version = await story.blocked(patient, "gap")
        async with story.hearer.transaction() as tx:
            await operating.accept_gap(tx, story.name, patient, version, "older than what is kept", "ops-1")
        await story.heard(patient, 2)


async def test_a_survivors_merge_waits_for_the_retired_patients_events(story: Story, patient: str) -> None:
    retired, survivor = patient, f"{patient}-survivor"
    story.poisoned.add(retired)
    async with running(story.relay().run, story.consumer().run):
        await story.say(retired, 1)
        async with story.teller.transaction() as tx:
            await tx.lock([retired, survivor])
            closing = story.draft(retired, 2)
            await tx.publish([closing, story.draft(survivor, 1, after=closing)])
        await story.say(survivor, 2)
        await story.blocked(survivor, "awaiting-merge")
        version = await story.blocked(retired, "failed")
        assert await story.effects(survivor) == []
        story.poisoned.clear()
        async with story.hearer.transaction() as tx:
            await operating.release(tx, story.name, retired, version)
        await story.heard(retired, 1, 2)
        await story.heard(survivor, 1, 2)


async def test_merges_of_one_batch_take_effect_in_whatever_order_its_partitions_come(
    story: Story, patient: str
) -> None:
    pairs = [(f"{patient}-retired-{i}", f"{patient}-survivor-{i}") for i in range(24)]
    for retired, survivor in pairs:
        async with story.teller.transaction() as tx:
            await tx.lock([retired, survivor])
            closing = story.draft(retired, 1)
            await tx.publish([closing, story.draft(survivor, 1, after=closing)])

    async def published() -> bool:
        return not await story.teller.pool.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL")

    async with running(story.relay().run):
        await until(published, "everything is published")
    async with running(story.consumer().run):
        for retired, survivor in pairs:
            await story.heard(retired, 1)
            await story.heard(survivor, 1)


async def test_a_record_that_is_no_event_becomes_a_dead_letter(story: Story, patient: str) -> None:
    from aiokafka import AIOKafkaProducer

    producer = AIOKafkaProducer(bootstrap_servers=story.kafka.bootstrap, enable_idempotence=False)
    await producer.start()
    try:
        await producer.send_and_wait(
            Topic.FEEDS.value, b"rubbish", key=b"k", headers=[("ce_type", b"care.feed.counted.v1")]
        )
        await producer.send_and_wait(
            Topic.FEEDS.value,
            b"{}",
            key=b"k",
            headers=[("ce_type", b"care.unheard-of.v9"), ("ce_id", str(uuid7()).encode())],
        )
    finally:
        await producer.stop()
    async with running(story.relay().run, story.consumer().run):
        await story.say(patient, 1)
        await story.heard(patient, 1)

        async def buried() -> bool:
            return bool(await story.hearer.pool.fetchval("SELECT count(*) FROM dead_letter"))

        await until(buried, "the record is kept as a dead letter")
        async with story.hearer.pool.acquire() as connection:
            (letter,) = await operating.dead_letters(connection)
    assert letter["reason"] == "header ce_id is missing"


def _teller(story: Story) -> Consumer:
    return Consumer(database=story.teller, kafka=story.kafka, name=f"teller-{story.name}", handlers={})


async def test_too_many_failing_patients_pause_their_partitions_and_a_gauge_says_so(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_loop, "RETRY_HEAD_S", 0.2)
    patients = [f"patient-{number}" for number in range(60)]
    story.poisoned.update(patients)

    async def parked() -> int:
        return int(await story.hearer.pool.fetchval("SELECT count(*) FROM blocked_key"))

    def gauge() -> float | None:
        return REGISTRY.get_sample_value("handoff_consumer_paused_partitions", {"consumer": story.name})

    async def paused() -> bool:
        return bool(gauge())

    async def goes_on() -> bool:
        taken = int(await story.hearer.pool.fetchval("SELECT count(DISTINCT subject) FROM effect"))
        return gauge() == 0 and taken == len(patients) - await parked()

    async with running(story.relay().run, story.consumer().run):
        for patient in patients:
            await story.say(patient, 1)
        await until(paused, "the partitions are paused", 60)
        assert await parked() < len(patients)
        story.poisoned.clear()
        await until(goes_on, "all that was not parked takes effect", 60)
