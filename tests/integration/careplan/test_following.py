"""Careplan's handler on a real database: rows, history, events; and the whole way over a real broker."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from uuid import UUID

import pytest_asyncio

import services.careplan
from services.careplan import store
from services.careplan.catalogue import read_catalogue
from services.careplan.consumers import handlers
from services.careplan.snapshots import tell_open_plans
from services.careplan.store import PlanFilter
from shared.events import AnyEvent, Topic
from shared.events.plans import CarePlan, PlanStatus
from shared.events.transitions import TaskStatus, TransitionStatus
from shared.postgres import Database
from tests.support.databases import Databases
from tests.unit.careplan.stories import Stay

CATALOGUE = read_catalogue(Path(services.careplan.__file__).parent / "templates")
OUTBOX = "SELECT type, subject FROM outbox ORDER BY id"


@pytest_asyncio.fixture
async def careplan(databases: Databases) -> AsyncIterator[Database]:
    yield await databases.open("careplan")


async def hear(database: Database, events: Sequence[AnyEvent]) -> None:
    handler = handlers(CATALOGUE)[Topic.TRANSITIONS]
    async with database.transaction() as tx:
        await tx.lock({e.subject for e in events} | {who for e in events for who in e.fact.concerns()})
        await handler(tx, events)


async def said(database: Database) -> list[tuple[str, str]]:
    return [(row["type"], row["subject"]) for row in await database.pool.fetch(OUTBOX)]


async def plans(database: Database, patient: str) -> list[CarePlan]:
    async with database.pool.acquire() as connection:
        rows = await store.page(connection, PlanFilter(patient=patient))
    return [CarePlan.model_validate(row["plan"]) for row in rows]


async def test_a_discharge_is_a_row_a_history_and_an_event(careplan: Database) -> None:
    stay = Stay()
    await hear(careplan, [stay.opened(), stay.discharged(), stay.task("contact")])
    await hear(careplan, [stay.task("contact", TaskStatus.COMPLETED)])
    [plan] = await plans(careplan, "p1")
    assert (plan.status, plan.version) == (PlanStatus.ACTIVE, 2)
    async with careplan.pool.acquire() as connection:
        versions = await store.history(connection, plan.id)
    assert [(v["version"], v["reason"], v["actor"]) for v in versions] == [
        (1, "discharged", "careplan"),
        (2, "task contact: completed", "careplan"),
    ]
    assert await said(careplan) == [("care.plan.activated.v1", "p1"), ("care.plan.revised.v1", "p1")]


async def test_a_merge_rekeys_rows_bodies_and_history_and_says_so_on_both_keys(careplan: Database) -> None:
    stay, other = Stay(patient="old"), Stay("other", patient="new")
    await hear(careplan, [stay.opened(), stay.discharged(), other.opened(), other.discharged()])
    await hear(careplan, [stay.merged("old", "new", "old")])
    await hear(careplan, [stay.merged("old", "new", "new")])
    assert await plans(careplan, "old") == []
    assert {plan.patient.id for plan in await plans(careplan, "new")} == {"new"}
    merges = [("care.plan.patient-merged.v1", "old"), ("care.plan.patient-merged.v1", "new")]
    assert (await said(careplan))[2:] == merges
    # What is still said with the retired id, by a transition of before the merge, lands on the survivor.
    await hear(careplan, [stay.becomes(TransitionStatus.CLOSED)])
    assert (await said(careplan))[-1] == ("care.plan.completed.v1", "new")
    left = await careplan.pool.fetchval("SELECT count(*) FROM plan_version WHERE patient_id = 'old'")
    assert left == 0


async def test_a_readmission_of_an_earlier_batch_is_superseded_at_the_next_discharge(careplan: Database) -> None:
    first, second = Stay("first"), Stay("second")
    await hear(careplan, [first.opened(), first.discharged()])
    await hear(careplan, [second.opened(), second.readmission_of(first)])
    await hear(careplan, [first.becomes(TransitionStatus.CLOSED)])
    await hear(careplan, [second.discharged()])
    by_transition: dict[UUID, CarePlan] = {plan.transition_id: plan for plan in await plans(careplan, "p1")}
    earlier, later = by_transition[first.transition_id], by_transition[second.transition_id]
    assert (earlier.status, later.status, later.replaces) == (PlanStatus.REVOKED, PlanStatus.ACTIVE, earlier.id)


async def test_snapshots_tell_every_open_plan_and_are_not_heard(careplan: Database) -> None:
    stays = [Stay(f"s{n}", patient=f"p{n}") for n in range(3)]
    for stay in stays:
        await hear(careplan, [stay.opened(), stay.discharged()])
    await hear(careplan, [stays[0].becomes(TransitionStatus.CLOSED)])
    async with careplan.transaction() as tx:
        assert await tell_open_plans(tx) == 2
    assert [kind for kind, _ in await said(careplan)][-2:] == ["care.plan.snapshot.v1"] * 2


async def test_two_writers_of_overlapping_patients_neither_deadlock_nor_lose(careplan: Database) -> None:
    stays = [Stay(f"s{n}", patient=f"p{n}") for n in range(20)]
    await hear(careplan, [event for stay in stays for event in (stay.opened(), stay.discharged())])
    batches = [
        [stay.task(f"task-{round_}") for stay in (stays if round_ % 2 else reversed(stays))] for round_ in range(10)
    ]
    await asyncio.gather(*(hear(careplan, batch) for batch in batches))
    for stay in stays:
        [plan] = await plans(careplan, stay.patient)
        assert {f"task-{n}" for n in range(10)} <= {activity.code for activity in plan.activities}
