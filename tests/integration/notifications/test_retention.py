"""What old notices go, and what a stay that is still told of keeps."""

from datetime import timedelta

from services.notifications.store.retention import ENDED
from shared.retention import Forgetting, RetentionSettings
from tests.integration.notifications.house import House
from tests.unit.notifications.stories import Stay

AGE = (
    "UPDATE attempt SET at = at - $2::interval WHERE delivery_id IN (SELECT id FROM delivery WHERE patient_id = $1)",
    (
        "UPDATE delivery SET queued_at = queued_at - $2::interval, closed_at = closed_at - $2::interval"
        " WHERE patient_id = $1"
    ),
    "UPDATE notice SET recorded_at = recorded_at - $2::interval WHERE patient_id = $1",
    "UPDATE suppression SET at = at - $2::interval WHERE patient_id = $1",
)
ATTEMPT = "INSERT INTO attempt (delivery_id, number, outcome, status, latency_ms) SELECT id, 1, 'answered', 204, 5 FROM delivery"
LONG_AGO = timedelta(days=2300)


async def patients(house: House, table: str) -> set[str]:
    return {row["patient_id"] for row in await house.rows(f"SELECT DISTINCT patient_id FROM {table}")}


async def test_notices_of_stays_that_ended_go_with_their_attempts_and_others_stay(house: House) -> None:
    await house.register("exchange", "http://127.0.0.1:1/hook")
    told = {name: Stay(name) for name in ("ended", "open", "told since")}
    for stay in told.values():
        await house.hear(stay.admitted())
    await house.database.pool.execute("UPDATE delivery SET status = 'delivered', closed_at = now()")
    for name in told:
        for statement in AGE:
            await house.database.pool.execute(statement, name, LONG_AGO)
    # One more notice of each of two stays: open for long, and ended lately.
    for name in ("open", "told since"):
        await house.hear(told[name].discharged())
    await house.database.pool.execute(
        "UPDATE delivery SET queued_at = queued_at - $1::interval WHERE status <> 'delivered' AND patient_id = 'open'",
        LONG_AGO,
    )
    await house.database.pool.execute(
        "UPDATE delivery SET status = 'delivered', closed_at = now() WHERE patient_id = 'told since'"
        " AND status <> 'delivered'"
    )
    await house.database.pool.execute(ATTEMPT)
    await house.database.pool.execute("UPDATE attempt SET at = at - $1::interval", LONG_AGO)
    forgetting = Forgetting.of(house.database, RetentionSettings(), ENDED)
    before = await house.rows("SELECT count(*) AS all FROM delivery WHERE patient_id = 'open'")
    gone = {table: await forgetting.forget(table) for table in ENDED}
    assert gone["attempt"] > 0
    assert gone["delivery"] > 0
    assert gone["notice"] > 0
    assert await patients(house, "delivery") == await patients(house, "notice") == {"open", "told since"}
    assert await house.rows("SELECT count(*) AS all FROM delivery WHERE patient_id = 'open'") == before
    lately = await house.rows("SELECT count(*) AS all FROM delivery WHERE patient_id = 'told since'")
    assert lately[0]["all"] > 1  # the old ones of that stay too: a cancel would go to whoever got them


async def test_the_roster_in_force_and_those_from_the_file_stay(house: House) -> None:
    await house.database.pool.execute(
        "INSERT INTO roster_load (digest, memberships, removed, loaded_by, loaded_at)"
        " SELECT by || n, 1, 0, by, now() - interval '2300 days'"
        " FROM unnest(ARRAY['file', 'ann', 'ann', 'ann']) WITH ORDINALITY AS t (by, n)"
    )
    before = await house.rows("SELECT version FROM roster_load ORDER BY version")
    assert await Forgetting.of(house.database, RetentionSettings(), ENDED).forget("roster_load") == 2
    after = await house.rows("SELECT version, loaded_by FROM roster_load ORDER BY version")
    assert after[-1]["version"] == before[-1]["version"]
    assert "file" in {row["loaded_by"] for row in after}
