"""Every level of every task is told once: after downtime, with two schedulers, and when one is killed half-way."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from services.transitions.timing import tell_due
from shared.events.transitions import TaskEscalated, TaskOverdue
from tests.integration.transitions.house import House
from tests.support.story import running, until
from tests.unit.transitions.stays import StayTold, contact

LONG_AGO = timedelta(days=10)
"""After ten days the contact and the discharge information are overdue with all their levels, the visit is not."""
LEVELS = 4 + 3
UNFIRED = "SELECT count(*) FROM task_timer WHERE fired_at IS NULL AND due_at <= clock_timestamp()"

REFUSING = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'not this one';
END $$;
CREATE TRIGGER refusing BEFORE UPDATE ON task_timer FOR EACH ROW WHEN (NEW.patient_id = 'failing')
    EXECUTE FUNCTION refuse();
"""


class Killed(BaseException):
    """As if the process were gone: no handler may catch it."""


async def _told_and_killed(house: House) -> None:
    async with house.database.transaction() as tx:
        assert (await tell_due(tx, house.library, 500)).levels == 5 * LEVELS
        raise Killed


async def told(house: House) -> Counter[tuple[str, int]]:
    """How often each (task, level) was told, from what was said."""
    facts = [*await house.facts(TaskOverdue), *await house.facts(TaskEscalated)]
    return Counter((str(f.task.id), f.level if isinstance(f, TaskEscalated) else 0) for f in facts)


async def test_all_that_became_due_while_down_is_told_once_and_in_order(house: House) -> None:
    for n in range(20):
        await house.discharge_past_due(f"p{n}", LONG_AGO)
    await house.timekeeper().work_off()
    counted = await told(house)
    assert len(counted) == 20 * LEVELS
    assert set(counted.values()) == {1}
    contacts = [f for f in await house.facts(TaskEscalated) if f.transition.patient.id == "p0"]
    levels = [f.level for f in contacts if f.task.code == "interactive-contact"]
    assert levels == [1, 2, 3]
    before = await house.count("SELECT count(*) FROM outbox")
    await house.timekeeper().work_off()
    assert await house.count("SELECT count(*) FROM outbox") == before


async def test_five_hundred_that_become_due_at_once_are_told_within_half_a_minute(house: House) -> None:
    patients = [f"p{n}" for n in range(500 // LEVELS + 1)]
    left = (await house.now() - LONG_AGO).isoformat(sep=" ")
    await house.hear(*(StayTold(patient=patient).discharge(left) for patient in patients))
    assert await house.count(UNFIRED) == len(patients) * LEVELS >= 500
    async with asyncio.timeout(30):
        await house.timekeeper().work_off()
    assert await house.count(UNFIRED) == 0
    assert set((await told(house)).values()) == {1}


async def test_two_schedulers_at_once_tell_each_level_once(house: House) -> None:
    for n in range(30):
        await house.discharge_past_due(f"p{n}", LONG_AGO)
    keepers = [house.timekeeper(batch=7) for _ in range(2)]

    async def drained() -> bool:
        await asyncio.gather(*(keeper.work_off() for keeper in keepers))
        return await house.count(UNFIRED) == 0

    await until(drained, "all due levels are told")
    counted = await told(house)
    assert len(counted) == 30 * LEVELS
    assert set(counted.values()) == {1}


async def test_a_batch_that_dies_before_its_commit_is_told_by_the_next(house: House) -> None:
    for n in range(5):
        await house.discharge_past_due(f"p{n}", LONG_AGO)
    with pytest.raises(Killed):
        await _told_and_killed(house)
    assert await told(house) == Counter()
    await house.timekeeper().work_off()
    counted = await told(house)
    assert (len(counted), set(counted.values())) == (5 * LEVELS, {1})


async def test_a_scheduler_whose_connection_is_cut_half_way_leaves_nothing_half_told(house: House) -> None:
    for n in range(5):
        await house.discharge_past_due(f"p{n}", LONG_AGO)
    async with house.database.pool.acquire() as dying:
        transaction = dying.transaction()
        await transaction.start()
        await dying.execute("UPDATE task_timer SET fired_at = clock_timestamp()")
        dying.terminate()
    await until(lambda: _fired_all(house), "the cut transaction is rolled back and told by the next")
    counted = await told(house)
    assert (len(counted), set(counted.values())) == (5 * LEVELS, {1})


async def _fired_all(house: House) -> bool:
    await house.timekeeper().work_off()
    return await house.count(UNFIRED) == 0


async def test_who_is_busy_is_left_for_the_next_round_and_the_others_are_told(house: House) -> None:
    await house.discharge_past_due("busy", LONG_AGO)
    await house.discharge_past_due("idle", LONG_AGO)
    async with house.database.transaction() as elsewhere:
        await elsewhere.lock(["busy"])
        await house.timekeeper().work_off()
        patients = {f.transition.patient.id for f in await house.facts(TaskOverdue)}
        assert patients == {"idle"}
    await house.timekeeper().work_off()
    assert {f.transition.patient.id for f in await house.facts(TaskOverdue)} == {"idle", "busy"}


async def test_what_the_rules_fail_on_is_set_aside_and_the_others_are_told(house: House) -> None:
    for patient in ("p0", "failing", "p1"):
        await house.discharge_past_due(patient, LONG_AGO)
    await house.database.pool.execute(REFUSING)
    keeper = house.timekeeper()
    await keeper.work_off()
    assert {f.transition.patient.id for f in await house.facts(TaskOverdue)} == {"p0", "p1"}
    assert len(await told(house)) == 2 * LEVELS
    aside = await house.count(f"SELECT count(DISTINCT task_id) FROM ({UNFIRED.replace('count(*)', 'task_id')}) due")
    await keeper.work_off()
    assert REGISTRY.get_sample_value("handoff_timers_set_aside", {"work": "tasks"}) == aside == 2
    # Mended: a fresh process tells them, late and once.
    await house.database.pool.execute("DROP TRIGGER refusing ON task_timer")
    await house.timekeeper().work_off()
    counted = await told(house)
    assert (len(counted), set(counted.values())) == (3 * LEVELS, {1})


async def test_evidence_and_the_clock_never_both_win(house: House) -> None:
    """A deed and the timer at the same moment: whoever locks the patient first decides."""
    for n in range(10):
        await house.discharge_past_due(f"p{n}", LONG_AGO)
    when = (await house.now() - timedelta(days=9)).isoformat(sep=" ")
    deeds = [house.hear(contact(when, patient=f"p{n}")) for n in range(10)]
    await asyncio.gather(*deeds, *(house.timekeeper(batch=5).work_off() for _ in range(2)))
    await until(lambda: _fired_all(house), "all due levels are told")
    question = """SELECT count(*) FROM task k JOIN task_timer t ON t.task_id = k.id
        WHERE k.status = 'completed' AND t.fired_at IS NULL"""
    assert await house.count(question) == 0
    done = await house.count("SELECT count(*) FROM task WHERE status = 'completed'")
    assert done == 10
    assert set((await told(house)).values()) == {1}


async def test_a_parked_patients_timers_are_told_as_uncertain(house: House) -> None:
    await house.discharge_past_due("p1", LONG_AGO)
    await house.discharge_past_due("p2", LONG_AGO)
    await house.database.pool.execute(
        "INSERT INTO blocked_key (consumer, subject, reason, detail) VALUES ('transitions', 'p1', 'failed', 'test')"
    )
    await house.timekeeper().work_off()
    reasons = {f.transition.patient.id: f.reason for f in await house.facts(TaskOverdue)}
    assert reasons == {"p1": "state-uncertain", "p2": None}


async def test_the_running_clock_tells_a_task_when_its_minute_comes(house: House) -> None:
    """By the database's clock, within two seconds; nothing before."""
    stay = StayTold()
    now = await house.now()
    await house.hear(stay.discharge(now.isoformat(sep=" ")))
    await house.database.pool.execute(
        "UPDATE task_timer SET due_at = clock_timestamp() + interval '400 ms' WHERE level = 0"
    )
    async with running(house.timekeeper().run):

        async def all_told() -> bool:
            return len(await house.facts(TaskOverdue)) == 4

        await until(all_told, "the four tasks are told overdue")
    lateness = (
        "SELECT max(extract(epoch FROM fired_at - due_at) * 1000)::int FROM task_timer WHERE fired_at IS NOT NULL"
    )
    assert 0 <= await house.count(lateness) < 2000


async def test_a_catch_up_keeps_pace(house: House) -> None:
    """At least 500 levels a second on an otherwise idle machine; asserted at a fifth of it, since tests share theirs."""
    stays = [StayTold(patient=f"p{n}") for n in range(150)]
    left = (await house.now() - LONG_AGO).isoformat(sep=" ")
    await house.hear(*(stay.discharge(left) for stay in stays))
    due = await house.count(UNFIRED)
    began = await house.now()
    await house.timekeeper().work_off()
    seconds = (await house.now() - began).total_seconds()
    assert due == 150 * LEVELS
    assert due / seconds >= 100
