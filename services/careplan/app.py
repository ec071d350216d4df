"""Puts careplan together: pool, consumer, relay, routes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import FastAPI

from services.careplan.api import plans_router
from services.careplan.catalogue import read_catalogue
from services.careplan.consumers import handlers
from services.careplan.retention_store import ENDED
from services.careplan.settings import Settings
from services.careplan.snapshots import tell_open_plans
from shared.http import create_app, operations_router
from shared.kafka import Consumer, Relay
from shared.postgres import Database, open_database
from shared.retention import Forgetting

SERVICE = "careplan"
# Small batches begin no closer together: a plan is read by people, minutes later.
GATHER_S = 0.4


@dataclass(frozen=True, slots=True)
class Service:
    """What runs: the application, and beside it the consumer and the relay. Whoever built it closes the database."""

    app: FastAPI
    database: Database
    background: tuple[Callable[[], Awaitable[None]], ...]


async def build(settings: Settings) -> Service:
    """Raises CatalogueError when a template is wrong, OSError when PostgreSQL can't be reached."""
    catalogue = read_catalogue(settings.templates)
    database = await open_database(SERVICE, settings.postgres)
    consumer = Consumer(
        database=database,
        kafka=settings.kafka,
        name=SERVICE,
        handlers=handlers(catalogue),
        gather_s=GATHER_S,
        instance=settings.instance,
    )
    relay = Relay(database=database, kafka=settings.kafka, instance=settings.instance)
    operations = operations_router(database, consumer=consumer, relay=relay, snapshot=tell_open_plans)
    app = create_app(SERVICE, database=database, settings=settings.http, routers=[plans_router(database), operations])
    forgetting = Forgetting.of(database, settings.retention, ENDED)
    return Service(app, database, (consumer.run, relay.run, forgetting.run))
