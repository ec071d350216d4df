"""What the database refuses for good: one notice is set aside, the others are told."""

from services.notifications.store import sending
from tests.integration.notifications.house import House
from tests.integration.notifications.recipients import accepting, recipient
from tests.support.story import running
from tests.unit.notifications.stories import Stay

REFUSING = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM delivery d WHERE d.id = NEW.delivery_id AND d.patient_id = '{patient}') THEN
        RAISE EXCEPTION 'not this one';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refusing BEFORE INSERT ON attempt FOR EACH ROW EXECUTE FUNCTION refuse();
"""


async def test_a_result_that_is_refused_is_set_aside_and_the_others_are_told(house: House) -> None:
    stays = [Stay(f"p{number}") for number in range(3)]
    async with recipient(accepting) as one:
        await house.register("exchange", one.url)
        await house.database.pool.execute(REFUSING.format(patient=stays[1].patient_id))
        for stay in stays:
            await house.hear(stay.discharged())
        async with running(house.deliverer(away_seconds=0.01).run):
            await house.become("delivered", "failed", "delivered")
        assert await sending.count_set_aside(house.database.pool) == 1
        [row] = [row for row in await house.deliveries() if row["status"] == "failed"]
        assert (row["reason"], row["lease"], row["reached"]) == ("set-aside", None, True)
        assert (await house.said()).count("failed") == 1
        # The cause is gone: a person sends it again, under the same id.
        await house.database.pool.execute("DROP TRIGGER refusing ON attempt")
        async with running(house.deliverer(away_seconds=0.01).run):
            await house.database.pool.execute(
                "UPDATE delivery SET status = 'queued', reason = NULL, due_at = now() WHERE id = $1", row["id"]
            )
            await house.become("delivered", "delivered", "delivered")
        assert [got.headers["webhook-id"] for got in one.got].count(str(row["id"])) == 2


async def test_one_that_can_not_be_stranded_keeps_no_other_waiting(house: House) -> None:
    stays = [Stay(f"p{number}") for number in range(3)]
    endpoint = await house.register("exchange", "http://127.0.0.1:1/hook")
    for stay in stays:
        await house.hear(stay.discharged())
    await house.database.pool.execute(
        "ALTER TABLE delivery ADD CONSTRAINT refusing CHECK (patient_id <> 'p0' OR reason <> 'endpoint-disabled')"
    )
    await house.database.pool.execute("UPDATE endpoint SET status = 'disabled' WHERE id = $1", endpoint)
    async with running(house.deliverer(away_seconds=0.01).run):
        await house.become("failed", "failed", "failed")
    assert [row["reason"] for row in await house.deliveries()] == [
        "set-aside",
        "endpoint-disabled",
        "endpoint-disabled",
    ]
