"""A database of transitions, driven through its own handlers as the consumer loop drives them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from services.transitions.consumers import handlers
from services.transitions.editions import register_protocols
from services.transitions.monitoring.rules import read_rules as read_monitoring
from services.transitions.protocols import Library, read_protocols
from services.transitions.quality.measures import read_measures
from services.transitions.referrals.rules import read_rules
from services.transitions.timing import Timekeeper
from shared.events import AnyEvent, Fact, Topic, read_event
from shared.postgres import Database
from shared.postgres.outbox import unpack_headers
from tests.support.databases import Databases
from tests.unit.transitions import stays

# Read once: no transaction waits for files.
RULES = read_rules()
WATCH = read_monitoring()
MEASURES = read_measures()


@dataclass
class House:
    """The service's database with its library; `hear` is one transaction, `said` reads the outbox."""

    database: Database
    library: Library

    @classmethod
    async def open(cls, databases: Databases) -> Self:
        database = await databases.open("transitions")
        return cls(database, await register_protocols(database, read_protocols(stays.PROTOCOLS)))

    async def hear(self, *events: AnyEvent) -> None:
        by_topic: dict[str, list[AnyEvent]] = {}
        for event in events:
            by_topic.setdefault(event.topic, []).append(event)
        hears = handlers(self.library, RULES, WATCH, MEASURES)
        async with self.database.transaction() as tx:
            await tx.lock({who for event in events for who in (event.subject, *event.fact.concerns())})
            for topic, heard in by_topic.items():
                await hears[Topic(topic)](tx, heard)

    async def events(self, subject: str | None = None) -> Sequence[AnyEvent]:
        rows = await self.database.pool.fetch(
            "SELECT topic, headers, value FROM outbox WHERE $1::text IS NULL OR subject = $1 ORDER BY id", subject
        )
        read = [read_event(row["topic"], unpack_headers(row["headers"]), row["value"]) for row in rows]
        return [event for event in read if event is not None]

    async def facts(self, kind: type[Fact]) -> Sequence[Any]:
        return [event.fact for event in await self.events() if isinstance(event.fact, kind)]

    async def said(self, subject: str = "p1") -> list[str]:
        return [event.type.removeprefix("care.").removesuffix(".v1") for event in await self.events(subject)]

    async def tasks(self) -> dict[str, tuple[str, datetime]]:
        """The newest task of each code: status and due time."""
        rows = await self.database.pool.fetch("SELECT code, status, due_at FROM task ORDER BY number")
        return {row["code"]: (row["status"], row["due_at"]) for row in rows}

    async def count(self, question: str, *given: object) -> int:
        found: int = await self.database.pool.fetchval(question, *given)
        return found

    async def now(self) -> datetime:
        at: datetime = await self.database.pool.fetchval("SELECT clock_timestamp()")
        return at

    async def discharge_past_due(self, patient: str, ago: timedelta) -> stays.StayTold:
        """A patient who went home so long ago, heard of at once, as before the service went down."""
        stay = stays.StayTold(patient=patient)
        left = (await self.now() - ago).isoformat(sep=" ")
        await self.hear(stay.discharge(left))
        return stay

    def timekeeper(self, batch: int = 500) -> Timekeeper:
        return Timekeeper(self.database, self.library, batch=batch)
