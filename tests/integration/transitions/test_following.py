"""Handlers on a real database, driven through the transaction that the consumer loop gives them."""

from collections.abc import Sequence
from typing import Any

from services.transitions.consumers import handlers
from services.transitions.editions import register_protocols
from services.transitions.protocols import Library, read_protocols
from shared.events import AnyEvent, Topic
from shared.postgres import Database
from tests.support.databases import Databases
from tests.unit.transitions import stays
from tests.unit.transitions.stays import StayTold


async def open_library(database: Database) -> Library:
    return await register_protocols(database, read_protocols(stays.PROTOCOLS))


async def hear(database: Database, library: Library, *events: AnyEvent) -> None:
    """Gives the events to the topic's handlers in one transaction, as the consumer loop does."""
    by_topic: dict[str, list[AnyEvent]] = {}
    for event in events:
        by_topic.setdefault(event.topic, []).append(event)
    async with database.transaction() as tx:
        await tx.lock({who for event in events for who in (event.subject, *event.fact.concerns())})
        for topic, heard in by_topic.items():
            await handlers(library)[Topic(topic)](tx, heard)


async def said(database: Database, subject: str = "p1") -> Sequence[str]:
    rows = await database.pool.fetch("SELECT type FROM outbox WHERE subject = $1 ORDER BY id", subject)
    return [row["type"].removeprefix("care.").removesuffix(".v1") for row in rows]


async def tasks(database: Database) -> dict[str, Any]:
    rows = await database.pool.fetch("SELECT code, status, due_at FROM task ORDER BY number")
    return {row["code"]: (row["status"], row["due_at"]) for row in rows}


async def test_an_admission_opens_a_transition_and_the_discharge_gives_it_tasks(databases: Databases) -> None:
    database = await databases.open("transitions")
    library = await open_library(database)
    stay = StayTold()
    await hear(database, library, stay.admit("2026-03-02 08:00-06:00"))
    await hear(database, library, stay.discharge("2026-03-06 15:00-06:00"))
    assert await said(database) == ["transition.opened", "transition.changed"] + ["task.created"] * 4
    assert (await tasks(database))["interactive-contact"] == ("requested", stays.at("2026-03-10 23:59:59.999999-05:00"))
    assert await database.pool.fetchval("SELECT count(*) FROM task_timer") == 4 + 3 + 3 + 2 + 2
