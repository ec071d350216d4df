"""Puts notifications together: pool, consumer, relay, delivery loop, routes."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from fastapi import FastAPI

from services.notifications.api import routers
from services.notifications.consumers import HEARD, handlers
from services.notifications.delivering import Deliverer, Pace
from services.notifications.posting import Poster
from services.notifications.rostering import load_file
from services.notifications.settings import Settings
from services.notifications.signing import SecretBox
from services.notifications.snapshots import tell_deliveries
from services.notifications.store import sending
from services.notifications.store.retention import ENDED
from shared.http import create_app, operations_router
from shared.kafka import Consumer, Relay
from shared.kafka.operating import Hop
from shared.postgres import Database, open_database
from shared.retention import Forgetting

SERVICE = "notifications"
# Small batches begin no closer together, and neither do waves of what became of the notices.
GATHER_S = 0.08
WAVE_EVERY_S = 0.2
# Who must know waits for no broker's leisure.
FETCH_WAIT_MS = 100


@dataclass(frozen=True, slots=True)
class Service:
    """What runs. Whoever built it closes `resources`: the database and the connections to recipients."""

    app: FastAPI
    database: Database
    deliverer: Deliverer
    background: tuple[Callable[[], Awaitable[None]], ...]
    resources: AsyncExitStack


async def build(settings: Settings) -> Service:
    """Raises RosterError when the roster's file is wrong, OSError when PostgreSQL can't be reached."""
    async with AsyncExitStack() as opening:
        database = await open_database(SERVICE, settings.postgres)
        opening.push_async_callback(database.close)
        await load_file(database, settings.roster_file)
        poster = Poster(
            private=settings.allow_private_endpoints,
            total_seconds=settings.attempt_timeout.total_seconds(),
            connections=settings.in_flight,
        )
        opening.push_async_callback(poster.close)
        box = SecretBox(settings.key)
        pace = Pace(in_flight=settings.in_flight, lease=settings.lease, settle_seconds=settings.drain.total_seconds())
        deliverer = Deliverer(database=database, poster=poster, box=box, owner=settings.instance, pace=pace)
        consumer = Consumer(
            database=database,
            kafka=settings.kafka,
            name=SERVICE,
            handlers=handlers(deliverer.wake, settings.late_after),
            hears=HEARD,
            gather_s=GATHER_S,
            fetch_wait_ms=FETCH_WAIT_MS,
            instance=settings.instance,
        )
        relay = Relay(database=database, kafka=settings.kafka, instance=settings.instance, wave_every_s=WAVE_EVERY_S)
        forgetting = Forgetting.of(database, settings.retention, ENDED)
        operations = operations_router(
            database, consumer=consumer, relay=relay, snapshot=tell_deliveries, own_hops=delivery_hops
        )
        served = [*routers(database, box, poster, deliverer.wake, private=settings.allow_private_endpoints), operations]
        app = create_app(SERVICE, database=database, settings=settings.http, routers=served)
        return Service(
            app, database, deliverer, (consumer.run, relay.run, deliverer.run, forgetting.run), opening.pop_all()
        )


async def delivery_hops(database: Database) -> Sequence[Hop]:
    """How many deliveries are not closed yet; those that only wait for their next attempt are counted apart."""
    return [
        Hop(name=name, count=row["count"], oldest_seconds=row["oldest_seconds"])
        for name, row in (await sending.hops(database.pool)).items()
    ]
