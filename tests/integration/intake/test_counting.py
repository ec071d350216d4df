"""Counts per feed and minute, and open stays told again."""

import orjson

from services.intake import log_store
from services.intake.counting import Counting
from services.intake.operating import tell_open_stays
from tests.integration.intake.conftest import Intake
from tests.unit.intake.messages import adt

# As if everything had come two minutes ago: ids and minutes are moved, nothing waits.
EARLIER = (
    "UPDATE message SET id = overlay(id::text placing left(first_id(now() - interval '2 min')::text, 13) from 1)::uuid"
)
COUNTS = "SELECT subject, value FROM outbox WHERE topic = 'care.feeds.v1' ORDER BY id"


async def counts(intake: Intake) -> dict[str, int]:
    told: dict[str, int] = {}
    for row in await intake.rows(COUNTS):
        fact = orjson.loads(row["value"])
        told[fact["feed"]] = told.get(fact["feed"], 0) + fact["total"]
    return told


async def test_each_minute_is_counted_once_with_zeros_for_the_silent(intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(adt("A01"))
    await sender.send(adt("A01"))
    await sender.send(adt("A01", version="9.9"))
    await intake.database.pool.execute(EARLIER)
    await intake.database.pool.execute("UPDATE duplicates SET minute = minute - interval '2 minutes'")
    await intake.database.pool.execute(
        "INSERT INTO counted_minute SELECT 'marker', date_trunc('minute', now()) - interval '5 minutes'"
    )
    first, second = (Counting(intake.database, intake.feeds) for _ in range(2))
    said = await first.count()
    assert await second.count() == 0
    assert said % 3 == 0
    assert await counts(intake) == {"general-hospital": 3, "lakeside": 0, "st-brigid": 0}
    told = [orjson.loads(row["value"]) for row in await intake.rows(COUNTS)]
    assert {fact["feed"]: (fact["time_zone"], fact.get("quiet_minutes")) for fact in told} == {
        "general-hospital": ("America/Chicago", None),
        "lakeside": ("America/New_York", None),
        "st-brigid": ("America/Los_Angeles", None),
    }


async def test_feeds_show_what_came_before_and_since_the_last_count(intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(adt("A01"))
    await sender.send(adt("A01", version="9.9"))
    await intake.database.pool.execute(EARLIER)
    counting = Counting(intake.database, intake.feeds)
    await intake.database.pool.execute(
        "INSERT INTO counted_minute SELECT 'marker', date_trunc('minute', now()) - interval '90 minutes'"
    )
    await counting.count()
    await sender.send(adt("A08", control_id="2", recorded="20260302091900"))
    async with intake.database.pool.acquire() as connection:
        [feed] = (await log_store.feed_counts(connection)).values()
    assert {name: feed[name] for name in ("messages", "accepted", "rejected")} == {
        "messages": 3, "accepted": 2, "rejected": 1,
    }  # fmt: skip
    assert feed["last_received_at"] > (await intake.rows("SELECT now() - interval '1 minute' AS at"))[0]["at"]


async def test_open_stays_are_told_again_and_nothing_else(intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(adt("A01", mrn="A", visit="V1"))
    await sender.send(adt("A01", mrn="B", visit="V2", control_id="2"))
    await sender.send(adt("A03", mrn="B", visit="V2", control_id="3", recorded="20260305090000"))
    async with intake.database.transaction() as tx:
        assert await tell_open_stays(tx) == 1
    [row] = await intake.rows("SELECT value, headers FROM outbox WHERE type = 'care.encounter.snapshot.v1'")
    assert orjson.loads(row["value"])["encounter"]["visit"]["value"] == "V1"
    assert b'"ce_snapshot":"true"' in row["headers"]


async def test_a_feed_is_not_told_silent_in_a_minute_of_which_something_waits_to_be_interpreted(intake: Intake) -> None:
    pool = intake.database.pool
    waits = await pool.fetchrow(
        "INSERT INTO arrival SELECT first_id(now() - interval '2 min'), now() - interval '2 min', '127.0.0.1', '' "
        "RETURNING id, date_trunc('minute', received_at) AS minute"
    )
    assert waits
    await pool.execute(
        "INSERT INTO counted_minute VALUES ('marker', $1::timestamptz - interval '2 minutes')", waits["minute"]
    )
    minutes = "SELECT DISTINCT minute FROM counted_minute WHERE feed <> 'marker' ORDER BY 1"
    counting = Counting(intake.database, intake.feeds)
    assert await counting.count() == len(intake.feeds.feeds)
    assert waits["minute"] not in [row["minute"] for row in await intake.rows(minutes)]
    await pool.execute("DELETE FROM arrival")
    await counting.count()
    assert waits["minute"] in [row["minute"] for row in await intake.rows(minutes)]
