"""Notifications without Kafka: the handlers are fed with events, and the delivery loop runs on a real database."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.notifications.consumers import handlers
from services.notifications.delivering import Deliverer, Pace
from services.notifications.posting import Poster
from services.notifications.roster import Roster
from services.notifications.rostering import load_roster
from services.notifications.signing import SecretBox, new_secret
from services.notifications.store import endpoints as endpoint_store
from shared.events import AnyEvent, Topic, uuid7
from shared.postgres import Database
from tests.support.story import until
from tests.unit.notifications.stories import ATTENDING_NPI, PCP_NPI

KEY = bytes(range(32))
ROSTER = Roster.model_validate(
    {
        "organisations": [
            {"slug": "hospitalists", "name": "Hospitalists", "practitioners": [ATTENDING_NPI]},
            {"slug": "primary", "name": "Primary Care", "practitioners": [PCP_NPI]},
            {"slug": "nursing", "name": "Nursing", "codes": ["WILLOW"]},
            {"slug": "exchange", "name": "Exchange", "subscriptions": ["*"]},
            {"slug": "reader", "name": "Reader", "kafka": True, "subscriptions": ["GENHOSP"]},
        ]
    }
)


class House:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.box = SecretBox(KEY)
        self.secrets: dict[UUID, bytes] = {}
        self.deliverers: list[Deliverer] = []
        self.posters: list[Poster] = []

    async def load(self, roster: Roster = ROSTER) -> None:
        async with self.database.transaction() as tx:
            await load_roster(tx, roster, by="test", confirmed=True)

    async def register(self, organisation: str, url: str, **more: Any) -> UUID:
        endpoint_id, secret = uuid7(), new_secret()
        self.secrets[endpoint_id] = secret
        said = (more.get("event_types", []), more.get("body", "full"), "", more.get("concurrency", 8))
        row = (endpoint_id, organisation, url, *said, self.box.seal(endpoint_id, secret))
        await endpoint_store.add(self.database.pool, row)
        return endpoint_id

    def deliverer(self, owner: str = "0", *, timeout: float = 15.0, **pace: Any) -> Deliverer:
        poster = Poster(private=True, total_seconds=timeout, connections=512)
        self.posters.append(poster)
        settled = {"poll_seconds": 0.02, "sweep_seconds": 0.2, "settle_seconds": 0.5, **pace}
        one = Deliverer(database=self.database, poster=poster, box=self.box, owner=owner, pace=Pace(**settled))
        self.deliverers.append(one)
        return one

    async def hear(self, *events: AnyEvent) -> None:
        """As the consumer would: one transaction for the batch, its patients locked."""
        async with self.database.transaction() as tx:
            await tx.lock({e.subject for e in events} | {who for e in events for who in e.fact.concerns()})
            for topic in dict.fromkeys(e.topic for e in events):
                handler = handlers(self.wake)[Topic(topic)]
                await handler(tx, [e for e in events if e.topic == topic])

    def wake(self) -> None:
        for one in self.deliverers:
            one.wake()

    async def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.database.pool.fetch(query, *arguments)]

    async def deliveries(self) -> list[dict[str, Any]]:
        return await self.rows("SELECT * FROM delivery WHERE channel = 'webhook' ORDER BY position")

    async def statuses(self) -> list[str]:
        return [row["status"] for row in await self.deliveries()]

    async def become(self, *statuses: str, within: float = 20.0) -> None:
        """Waits until the webhook deliveries, in the order of queueing, have these states."""

        async def done() -> bool:
            return await self.statuses() == list(statuses)

        try:
            await until(done, f"deliveries become {statuses}", within)
        except AssertionError:
            tried = await self.rows("SELECT delivery_id, number, outcome, status, latency_ms FROM attempt ORDER BY at")
            raise AssertionError(f"wanted {statuses}, are {await self.statuses()}, tried {tried}") from None

    async def said(self, prefix: str = "care.notification.") -> list[str]:
        rows = await self.rows("SELECT type FROM outbox ORDER BY id")
        return [row["type"].removeprefix(prefix).removesuffix(".v1") for row in rows]

    async def hasten(self) -> None:
        """What waits for a later attempt is due now: the schedule's hours, without waiting for them."""
        await self.database.pool.execute("UPDATE delivery SET due_at = now() WHERE status = 'queued'")
        await self.database.pool.execute("UPDATE endpoint SET paused_until = '-infinity'")
        self.wake()

    async def close(self) -> None:
        for poster in self.posters:
            await poster.close()


def reasons(rows: Sequence[dict[str, Any]]) -> list[str]:
    return sorted(row["reason"] for row in rows)


SOON = timedelta(milliseconds=50)
