"""A notice that must be acknowledged, through both services: from the notice to the escalation, and to its answer."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest_asyncio

from services.notifications.acting import acknowledge
from services.notifications.announcing import announcement_of
from services.notifications.roster import Roster
from shared.events import AnyEvent, read_event
from shared.events.encounters import DischargeCancelled
from shared.events.notifications import Acknowledgement, NotificationDelivered, ProviderNotice
from shared.events.transitions import Closure, TaskCompleted, TaskCreated, TaskEscalated, TaskOverdue
from shared.http import Caller, Role
from shared.postgres.outbox import unpack_headers
from tests.integration.notifications.house import House as Notifier
from tests.integration.transitions.house import House
from tests.support.databases import Databases
from tests.unit.notifications.stories import PCP_NPI, Stay, merged

DISCHARGED = "care.encounter.discharged.v1"
ROSTER = Roster.model_validate(
    {
        "organisations": [
            {
                "slug": "primary",
                "name": "Primary Care",
                "kafka": True,
                "practitioners": [PCP_NPI],
                "must_acknowledge": [
                    {"notice": DISCHARGED, "priority": "stat", "bases": ["pcp"], "source": "own choice"}
                ],
            },
            {"slug": "exchange", "name": "Exchange", "kafka": True, "subscriptions": ["*"]},
        ]
    }
)
CODE = "acknowledgement-stat"


@dataclass
class Both:
    """Notifications and transitions, each with its tables; `pass_on` is the broker between them."""

    notifier: Notifier
    house: House
    read: set[UUID] = field(default_factory=set)

    async def hear(self, *events: AnyEvent) -> None:
        await self.notifier.hear(*events)
        await self.house.hear(*events)

    async def pass_on(self) -> Sequence[AnyEvent]:
        rows = await self.notifier.rows("SELECT topic, headers, value FROM outbox ORDER BY id")
        told = [read_event(row["topic"], unpack_headers(row["headers"]), row["value"]) for row in rows]
        new = [event for event in told if event and event.id not in self.read and event.topic.startswith("care.notif")]
        self.read |= {event.id for event in new}
        await self.house.hear(*new)
        return new

    async def answer(self, organisation: str = "primary") -> None:
        [row] = await self.notifier.rows(
            "SELECT id FROM delivery WHERE organisation = $1 AND acknowledgement IS NOT NULL", organisation
        )
        caller = Caller(subject="desk", roles=frozenset({Role.PROVIDER}), organisation=organisation)
        async with self.notifier.database.transaction() as tx:
            await acknowledge(tx, caller, row["id"])

    async def tasks(self) -> list[Any]:
        return list(
            await self.house.database.pool.fetch(
                "SELECT id, patient_id, status, body->>'closure' AS closure, why FROM task WHERE code = $1", CODE
            )
        )


@pytest_asyncio.fixture(loop_scope="session")
async def both(databases: Databases) -> AsyncIterator[Both]:
    notifier = Notifier(await databases.open("notifications"))
    await notifier.load(ROSTER)
    yield Both(notifier, await House.open(databases))
    await notifier.close()


async def test_a_notice_that_nobody_acknowledges_climbs_its_ladder_and_its_recipient_is_reminded(both: Both) -> None:
    left = Stay().discharged()
    await both.hear(left)
    told = await both.pass_on()
    said = [event.fact.delivery for event in told if isinstance(event.fact, NotificationDelivered)]
    asked = {delivery.organisation: delivery.acknowledgement for delivery in said}
    assert asked["exchange"] is None
    assert asked["primary"] is not None
    assert asked["primary"].priority is Acknowledgement.STAT
    [created] = [fact for fact in await both.house.facts(TaskCreated) if fact.task.code == CODE]
    assert created.task.due_at == asked["primary"].asked_at + timedelta(minutes=30)
    await both.house.database.pool.execute(
        "UPDATE task_timer SET due_at = due_at - interval '3 hours' WHERE task_id = $1", created.task.id
    )
    await both.house.timekeeper().work_off()
    climbed = [fact.to_role for fact in await both.house.facts(TaskEscalated) if fact.task.id == created.task.id]
    assert climbed == ["care-manager-lead", "medical-director"]
    [overdue] = [e for e in await both.house.events() if isinstance(e.fact, TaskOverdue) and e.fact.task.code == CODE]
    reminder = announcement_of(overdue)
    assert reminder is not None
    assert reminder.parties.organisations == (("awaited", "primary"),)
    await both.notifier.hear(overdue)
    reminded = await both.notifier.rows(
        "SELECT organisation, acknowledgement FROM delivery WHERE event_id = $1", overdue.id
    )
    assert reminded == [{"organisation": "primary", "acknowledgement": None}]


async def test_its_acknowledgement_completes_the_task_once_whatever_is_heard_again(both: Both) -> None:
    await both.hear(Stay().discharged())
    told = list(await both.pass_on())
    await both.answer()
    await both.answer()
    told += await both.pass_on()
    [task] = await both.tasks()
    assert (task["status"], task["closure"]) == ("completed", Closure.MET)
    await both.house.hear(*told)
    assert len([f for f in await both.house.facts(TaskCompleted) if f.task.code == CODE]) == 1
    assert len(await both.tasks()) == 1


async def test_the_recipient_reads_that_it_must_acknowledge(both: Both) -> None:
    await both.hear(Stay().discharged())
    rows = await both.notifier.rows("SELECT topic, value FROM outbox WHERE topic LIKE 'care.provider.%' ORDER BY topic")
    notices = {row["topic"]: ProviderNotice.model_validate_json(row["value"]).acknowledgement for row in rows}
    assert notices["care.provider.exchange.v1"] is None
    asked = notices["care.provider.primary.v1"]
    assert asked is not None
    assert asked.priority is Acknowledgement.STAT


async def test_an_acknowledgement_that_is_heard_before_the_stay_and_a_merge_in_between_lose_nothing(both: Both) -> None:
    stay = Stay("p1")
    left = stay.discharged()
    await both.notifier.hear(left)
    first = await both.pass_on()
    assert await both.tasks() == []
    merges = [merged("p1", "p2", on="p1"), merged("p1", "p2", on="p2")]
    await both.notifier.hear(*merges)
    await both.house.hear(left)
    [task] = await both.tasks()
    assert (task["patient_id"], task["status"]) == ("p1", "requested")
    await both.house.hear(*merges)
    await both.answer()
    second = await both.pass_on()
    [task] = await both.tasks()
    assert (task["patient_id"], task["status"]) == ("p2", "completed")
    await both.house.hear(*first, *second)
    assert len(await both.tasks()) == 1


async def test_a_cancel_ends_it_before_and_after_the_notice_was_heard(both: Both) -> None:
    for heard_first in (True, False):
        stay = Stay("p1" if heard_first else "p3")
        left = stay.discharged()
        await both.notifier.hear(left)
        back = stay.says(DischargeCancelled, retracts=(left.id,), discharged_at=None, disposition=None)
        if heard_first:
            await both.house.hear(left)
            await both.pass_on()
        await both.house.hear(*([back] if heard_first else [left, back]))
        await both.pass_on()
    assert [(task["patient_id"], task["why"]) for task in await both.tasks()] == [("p1", "notice-taken-back")]
