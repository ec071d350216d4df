"""What old rows of transitions go, and what an open transition keeps."""

from datetime import timedelta

from services.transitions.store.retention import ENDED
from shared.retention import Forgetting, RetentionSettings
from tests.integration.transitions.house import House

LONG_AGO = timedelta(days=2300)
AGE = (
    "UPDATE evidence SET at = at - $1::interval, known_at = known_at - $1::interval",
    "UPDATE history SET recorded = recorded - $1::interval",
    "UPDATE task_known SET known_at = known_at - $1::interval",
    "UPDATE transition_known SET known_at = known_at - $1::interval",
    "UPDATE transition SET changed_at = changed_at - $1::interval",
)
DEED = """
INSERT INTO evidence (event_id, type, patient_id, at) VALUES (gen_random_uuid(), 'care.contact.made.v1', $1, now())
"""
READING = """
INSERT INTO reading (id, patient_id, signal, at, value, quality, event_id, known_at)
SELECT gen_random_uuid(), $1, 'weight', now() - $2::interval, 80, 'good', gen_random_uuid(), now() - $2::interval
"""
LABORATORY = """
INSERT INTO laboratory (id, patient_id, analyte, at, value, withdrawn, known_at)
VALUES (gen_random_uuid(), $1, 'sodium', now() - $2::interval, 140, false, now() - $2::interval)
"""
UNMATCHED = """
INSERT INTO referral_unmatched (event_id, patient_id, at, type, historical, body)
SELECT uuidv7(-$1::interval), 'p1', now() - $2::interval, 'care.appointment.booked.v1', false, '{}'
"""


async def left(house: House, table: str, column: str = "transition_id") -> dict[str, int]:
    rows = await house.database.pool.fetch(
        f"SELECT t.patient_id, count(*) AS rows FROM {table} x JOIN transition t ON t.id = x.{column} GROUP BY 1"
    )
    return {row["patient_id"]: row["rows"] for row in rows}


async def test_what_was_said_of_an_ended_transition_goes_and_an_open_one_keeps_all(house: House) -> None:
    for patient in ("ended", "open"):
        await house.discharge_past_due(patient, timedelta(days=3))
        await house.database.pool.execute(DEED, patient)
    await house.timekeeper().work_off()
    await house.database.pool.execute("UPDATE transition SET status = 'closed' WHERE patient_id = 'ended'")
    for statement in AGE:
        await house.database.pool.execute(statement, LONG_AGO)
    tables = ("history", "task_known", "transition_known")
    before = {table: await left(house, table) for table in tables}
    assert all(rows["ended"] and rows["open"] for rows in before.values())
    forgetting = Forgetting.of(house.database, RetentionSettings(), ENDED)
    gone = {table: await forgetting.forget(table) for table in (*tables, "evidence")}
    after = {table: await left(house, table) for table in tables}
    assert {table: rows["open"] for table, rows in after.items()} == {t: r["open"] for t, r in before.items()}
    tasks = await house.count("SELECT count(*) FROM task WHERE patient_id = 'ended'")
    assert [after[table].get("ended", 0) for table in tables] == [0, tasks, 1]
    assert gone == {t: before[t]["ended"] - after[t].get("ended", 0) for t in tables} | {"evidence": 1}
    assert await house.count("SELECT count(*) FROM evidence WHERE patient_id = 'open'") == 1


async def test_an_ended_transition_that_changed_since_keeps_what_was_said(house: House) -> None:
    await house.discharge_past_due("p1", timedelta(days=3))
    for statement in AGE:
        await house.database.pool.execute(statement, LONG_AGO)
    await house.database.pool.execute("UPDATE transition SET status = 'closed', changed_at = now()")
    forgetting = Forgetting.of(house.database, RetentionSettings(), ENDED)
    assert [await forgetting.forget(table) for table in ("history", "task_known", "transition_known")] == [0, 0, 0]


async def test_readings_of_who_is_watched_stay(house: House) -> None:
    for patient in ("watched", "left"):
        await house.discharge_past_due(patient, timedelta(days=3))
        for age in (LONG_AGO, timedelta(days=1)):
            await house.database.pool.execute(READING, patient, age)
    await house.database.pool.execute(
        "INSERT INTO monitoring (id, patient_id, transition_id, facility, time_zone, signals, limits, since, version)"
        " SELECT gen_random_uuid(), patient_id, id, facility, 'UTC', '{weight}', '{}', now(), 1"
        " FROM transition WHERE patient_id = 'watched'"
    )
    assert await Forgetting.of(house.database, RetentionSettings(), ENDED).forget("reading") == 1
    rows = await house.database.pool.fetch("SELECT patient_id, count(*) FROM reading GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in rows] == [("left", 1), ("watched", 2)]


async def test_an_old_deed_that_was_heard_of_lately_still_waits_for_its_referral(house: House) -> None:
    for heard, done in ((timedelta(days=500), timedelta(days=500)), (timedelta(days=5), timedelta(days=500))):
        await house.database.pool.execute(UNMATCHED, heard, done)
    assert await Forgetting.of(house.database, RetentionSettings(), ENDED).forget("referral_unmatched") == 1
    assert await house.count("SELECT count(*) FROM referral_unmatched") == 1


async def test_requests_that_took_effect_are_known_for_a_month(house: House) -> None:
    for days in (29, 31):
        await house.database.pool.execute(
            "INSERT INTO request_done (about, key, at)"
            " VALUES (gen_random_uuid(), 'k', now() - make_interval(days => $1))",
            days,
        )
    assert await Forgetting.of(house.database, RetentionSettings(), ENDED).forget("request_done") == 1


async def test_scores_and_laboratory_values_go_with_their_transition(house: House) -> None:
    for patient in ("ended", "open"):
        await house.discharge_past_due(patient, timedelta(days=3))
        await house.database.pool.execute(LABORATORY, patient, LONG_AGO)
    scored = await left(house, "risk_score")
    assert scored["ended"]
    assert scored["open"]
    await house.database.pool.execute(
        "UPDATE transition SET status = 'closed', changed_at = changed_at - $1::interval WHERE patient_id = 'ended'",
        LONG_AGO,
    )
    await house.database.pool.execute("UPDATE risk_score SET at = at - $1::interval", LONG_AGO)
    forgetting = Forgetting.of(house.database, RetentionSettings(), ENDED)
    assert await forgetting.forget("risk_score") == scored["ended"]
    assert await left(house, "risk_score") == {"open": scored["open"]}
    assert await forgetting.forget("laboratory") == 1
    assert await house.count("SELECT count(*) FROM laboratory WHERE patient_id = 'open'") == 1
