"""Puts the signals together: pool, faust, the judge, and HTTP for health and metrics."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import FastAPI

from services.transitions.signals.judging import Judging
from services.transitions.signals.listening import Listening
from services.transitions.signals.settings import Settings
from services.transitions.signals.thresholds import Thresholds
from services.transitions.signals.watching import run_faust
from shared.http import create_app
from shared.postgres import Database, open_database


@dataclass(frozen=True, slots=True)
class Signals:
    """What runs. Whoever built it closes the database."""

    app: FastAPI
    database: Database
    background: tuple[Callable[[], Awaitable[None]], ...]


async def build(settings: Settings, limits: Thresholds) -> Signals:
    """Raises OSError when PostgreSQL can't be reached."""
    database = await open_database("transitions", settings.postgres)
    async with database.transaction() as tx:
        now = await tx.now()
    listening = Listening(database, settings, limits)
    await listening.refill(now)
    judging = Judging(database, limits, every_seconds=settings.every_seconds, watched_since=now)

    async def listen() -> None:
        await run_faust(listening, settings.kafka)

    app = create_app("signals", database=database, settings=settings.http, routers=[])
    return Signals(app, database, (listen, judging.run))
