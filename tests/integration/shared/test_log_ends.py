"""The ends of a log, on the broker that answers questions for them wrongly."""

from aiokafka import AIOKafkaProducer

from deploy.local.broker import EmbeddedBroker
from shared.events import Topic
from shared.kafka.log import ends

PLACE = (Topic.PLANS.value, 3)


async def test_the_end_is_behind_the_last_record_of_a_batch_of_many(fresh_broker: EmbeddedBroker) -> None:
    assert await ends(fresh_broker.kafka, [PLACE]) == {PLACE: 0}
    producer = AIOKafkaProducer(**fresh_broker.kafka.client_arguments(), enable_idempotence=False)
    await producer.start()
    try:
        for expected in (50, 100):
            batch = producer.create_batch()
            for number in range(50):
                batch.append(key=b"k", value=b"%d" % number, timestamp=None)
            batch.close()
            await (await producer.send_batch(batch, PLACE[0], partition=PLACE[1]))
            assert (await ends(fresh_broker.kafka, [PLACE, (PLACE[0], 4)])) == {PLACE: expected, (PLACE[0], 4): 0}
    finally:
        await producer.stop()
