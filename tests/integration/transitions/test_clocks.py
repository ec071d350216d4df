"""Clocks that jump, and rows that the rules fail on: nothing is told early, twice or never, and nobody waits for them."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import time_machine

from services.transitions.followed import transition_id
from services.transitions.monitoring import store as monitoring
from services.transitions.monitoring.rules import read_rules as read_monitoring
from services.transitions.monitoring.store import Monitoring
from services.transitions.monitoring.watching import watcher
from services.transitions.referrals.ticking import loop_keeper
from shared.events.monitoring import AlertRaised
from shared.events.people import PatientSummary
from shared.events.referrals import ReferralEscalated, ReferralOverdue, ReferralRequested
from shared.events.transitions import TaskEscalated, TaskOverdue
from tests.integration.transitions.house import RULES, House
from tests.unit.transitions.referrals_told import told
from tests.unit.transitions.stays import StayTold

WATCH = read_monitoring()
UNFIRED = """SELECT (SELECT count(*) FROM task_timer WHERE fired_at IS NULL AND due_at <= clock_timestamp())
    + (SELECT count(*) FROM referral_timer WHERE fired_at IS NULL AND due_at <= clock_timestamp())"""
JUMPS = [timedelta(days=-1), timedelta(hours=-1), timedelta(hours=1), timedelta(days=1)]


async def referred(house: House, ago: timedelta, patient: str = "p1") -> UUID:
    asked = (await house.now() - ago).isoformat()
    event = told(
        ReferralRequested, asked, identifier=None, service=f"for {patient}", patient=PatientSummary(id=patient)
    )
    await house.hear(replace(event, subject=patient))
    found: UUID = event.fact.referral_id  # type: ignore[attr-defined]  # a ReferralFact
    return found


async def watched(house: House, patient: str) -> UUID:
    """A patient whose scale has been silent for longer than anybody waits."""
    stay = await house.discharge_past_due(patient, timedelta(days=3))
    now = await house.now()
    watching = Monitoring(
        id=uuid4(),
        patient_id=patient,
        transition_id=transition_id(stay.id),
        encounter_id=stay.id,
        facility="LAKE",
        time_zone="America/Chicago",
        signals=("weight",),
        variant=None,
        limits={},
        since=now - timedelta(days=3),
    )
    async with house.database.transaction() as tx:
        await monitoring.save(tx.connection, watching)
        await monitoring.set_missing(tx.connection, watching.id, now - timedelta(days=1))
    return watching.id


@pytest.mark.parametrize("jump", JUMPS)
async def test_a_clock_that_jumps_tells_nothing_early_and_nothing_twice(house: House, jump: timedelta) -> None:
    """The application's clock is set forward or back between rounds; the database's decides."""
    await house.discharge_past_due("late", timedelta(days=10))
    await referred(house, timedelta(days=30))
    fresh = StayTold(patient="fresh")
    await house.hear(fresh.discharge((await house.now()).isoformat(sep=" ")))
    for shift in (jump, timedelta(0), -jump):
        with time_machine.travel(await house.now() + shift, tick=True):
            await house.timekeeper().work_off()
            await loop_keeper(house.database, RULES).work_off()
    assert await house.count(UNFIRED) == 0
    levels = [
        (f.task.id, getattr(f, "level", 0))
        for f in [*await house.facts(TaskOverdue), *await house.facts(TaskEscalated)]
    ]
    assert len(levels) == len(set(levels)) == 4 + 3
    assert {f.transition.patient.id for f in await house.facts(TaskOverdue)} == {"late"}
    assert len(await house.facts(ReferralOverdue)) == 1
    assert [f.level for f in await house.facts(ReferralEscalated)] == [1, 2]


async def test_a_referral_that_the_rules_fail_on_holds_up_no_other(house: House) -> None:
    broken = await referred(house, timedelta(days=31), "broken")
    for n in range(5):
        await referred(house, timedelta(days=30), f"p{n}")
    await house.database.pool.execute(
        """UPDATE referral_deed SET said = said || '{"expires_at": "never"}' WHERE referral_id = $1""", broken
    )
    keeper = loop_keeper(house.database, RULES, batch=4)
    await keeper.work_off()
    assert {f.service for f in await house.facts(ReferralOverdue)} == {f"for p{n}" for n in range(5)}
    assert await house.count(UNFIRED) == 3
    # What is mended is told when it is tried again, by this clock or another.
    await house.database.pool.execute("UPDATE referral_deed SET said = said - 'expires_at'")
    await loop_keeper(house.database, RULES).work_off()
    assert len(await house.facts(ReferralOverdue)) == 6


async def test_a_monitoring_that_the_rules_fail_on_holds_up_no_other(house: House) -> None:
    broken = await watched(house, "broken")
    for n in range(3):
        await watched(house, f"p{n}")
    await house.database.pool.execute(
        "UPDATE monitoring SET signals = '{mood}', missing_at = missing_at - interval '1 day' WHERE id = $1", broken
    )
    await watcher(house.database, house.library, WATCH, batch=2).work_off()
    assert {f.patient.id for f in await house.facts(AlertRaised)} == {f"p{n}" for n in range(3)}
