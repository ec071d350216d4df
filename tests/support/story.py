"""A small story for tests of the machinery: one service says numbered events, another takes them into effect."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

from shared.events import AnyEvent, Draft, Fact, Topic
from shared.events.operations import FeedCounted
from shared.kafka import Consumer, KafkaSettings, Relay
from shared.postgres import Database, Transaction

DEADLINE_S = 60.0


async def until(condition: Callable[[], Awaitable[object]], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Waits until the condition holds; fails with `what` when the deadline has passed."""
    ends = time.monotonic() + deadline_s
    while not await condition():
        assert time.monotonic() < ends, f"not within {deadline_s:.0f} s: {what}"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def running(*parts: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Runs these in the background; what one of them raises, ends the test."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_run(part)) for part in parts]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def _run(part: Callable[[], Awaitable[None]]) -> None:
    await part()


class Story:
    """`teller` says events (as the service it belongs to); `hearer` records their effects in a table of its own."""

    def __init__(self, teller: Database, hearer: Database, kafka: KafkaSettings) -> None:
        self.teller, self.hearer, self.kafka = teller, hearer, kafka
        self.name = f"hearer-{uuid4().hex[:8]}"
        self.poisoned: set[str] = set()
        self.poisoned_numbers: set[tuple[str, int]] = set()

    async def prepare(self) -> None:
        await self.hearer.pool.execute(
            "CREATE TABLE effect (id bigint GENERATED ALWAYS AS IDENTITY, subject text, number int, event_id uuid)"
        )

    def relay(self, database: Database | None = None) -> Relay:
        return Relay(database=database or self.teller, kafka=self.kafka)

    def consumer(self, instance: str = "0") -> Consumer:
        return Consumer(
            database=self.hearer,
            kafka=self.kafka,
            name=self.name,
            handlers={Topic.FEEDS: self.hear, Topic.TRANSITIONS: self.hear},
            instance=instance,
        )

    async def hear(self, tx: Transaction, events: Sequence[AnyEvent]) -> None:
        for event in events:
            total = event.fact.total if isinstance(event.fact, FeedCounted) else -1
            if event.subject in self.poisoned or (event.subject, total) in self.poisoned_numbers:
                raise ValueError(f"poisoned {event.subject}")
        await tx.connection.execute(
            "INSERT INTO effect (subject, number, event_id) SELECT * FROM unnest($1::text[], $2::int[], $3::uuid[])",
            [event.subject for event in events],
            [event.fact.total if isinstance(event.fact, FeedCounted) else -1 for event in events],
            [event.id for event in events],
        )

    def draft(self, subject: str, number: int, after: Draft | None = None) -> Draft:
        now = datetime.now(UTC)
        fact: Fact = FeedCounted(feed=subject, minute=now, total=number)
        return Draft(fact=fact, subject=subject, time=now, correlation_id=subject, causation_id="test", after=after)

    async def say(self, subject: str, *numbers: int) -> None:
        async with self.teller.transaction() as tx:
            await tx.lock([subject])
            await tx.publish([self.draft(subject, number) for number in numbers])

    async def effects(self, subject: str) -> list[int]:
        rows = await self.hearer.pool.fetch("SELECT number FROM effect WHERE subject = $1 ORDER BY id", subject)
        return [row["number"] for row in rows]

    async def heard(self, subject: str, *numbers: int) -> None:
        """Waits until exactly these took effect, in this order."""

        async def done() -> bool:
            return len(await self.effects(subject)) >= len(numbers)

        await until(done, f"{subject} hears {numbers}")
        assert await self.effects(subject) == list(numbers)

    async def blocked(self, subject: str, reason: str) -> int:
        """Waits until this key is parked for this reason; answers its version."""
        found: list[int] = []

        async def there() -> bool:
            found[:] = [
                row["version"]
                for row in await self.hearer.pool.fetch(
                    "SELECT version FROM blocked_key WHERE consumer = $1 AND subject = $2 AND reason = $3"
                    " AND state = 'parked'",
                    self.name,
                    subject,
                    reason,
                )
            ]
            return bool(found)

        await until(there, f"{subject} is parked for {reason}")
        return found[0]
