"""The composition of intake: settings in, application and background work out."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial, wraps
from typing import Any

import asyncpg
from fastapi import APIRouter, FastAPI

from services.intake import file_store, idempotency, operating
from services.intake.api import messages_router, patients_router
from services.intake.correcting import Corrector
from services.intake.counting import Counting
from services.intake.events_api import events_router
from services.intake.feed_book import FeedBook
from services.intake.feed_file import read_feeds_file
from services.intake.feeds_api import feeds_router
from services.intake.fhir.api import BUNDLE_BYTES, fhir_router
from services.intake.files_api import files_router
from services.intake.folder import WatchedFolder
from services.intake.identity.api import identity_router
from services.intake.identity.linking import link_certain
from services.intake.identity.match_api import match_router
from services.intake.identity.matching import Matching
from services.intake.identity.showing import show_reviews
from services.intake.identity.weights import read_weights
from services.intake.incoming_files import IncomingFiles
from services.intake.keeping import Keeping
from services.intake.log_api import log_router
from services.intake.mllp import Listener
from services.intake.receiving import Reception
from services.intake.releasing import Release
from services.intake.replay_api import replay_router
from services.intake.replay_runs import ReplayRuns
from services.intake.retention import forget_old_messages
from services.intake.sealing import Seal
from services.intake.settings import Settings
from services.intake.trial.api import FILE_BYTES, trials_router
from services.intake.unknown_store import ENDED, keep_unknown_codes
from services.intake.working_off import WorkingOff
from shared.http import Check, NotReadyError, create_app, operations_router
from shared.kafka import Consumer, Relay
from shared.postgres import Database, open_database
from shared.retention import Forgetting
from shared.telemetry import log

MAINTAIN_EVERY_S = 3600.0


Background = Callable[[], Awaitable[None]]


class Parts:
    """What intake is put together of, each made once."""

    def __init__(self, settings: Settings, database: Database, feeds: FeedBook) -> None:
        self.settings, self.database, self.feeds = settings, database, feeds
        self.seal = Seal(settings.raw_key_bytes)
        self.reception = Reception(database, self.seal)
        self.working_off = WorkingOff(database, feeds, self.seal, self.reception, settings.mllp.most_ahead)
        self.listener = Listener(settings.mllp, feeds, Keeping(database, self.seal, self.working_off))
        self.corrector = Corrector(database, feeds, self.seal)
        self.runs = ReplayRuns(database, self.corrector, self.reception)
        self.files = IncomingFiles(database, feeds, self.reception, self.seal)
        identity = settings.identity
        self.matching = Matching(database, read_weights(identity.weights_file), auto_link=identity.auto_link)
        self.relay = Relay(database=database, kafka=settings.kafka, instance=settings.instance)
        # Intake hears nothing but requests to publish again.
        self.consumer = Consumer(
            database=database, kafka=settings.kafka, name="intake", handlers={}, instance=settings.instance
        )

    async def store_takes_messages(self) -> None:
        if self.reception.store_failures or self.listener.keeping.store_failures:
            raise NotReadyError("messages cannot be stored now")


async def build(settings: Settings) -> tuple[FastAPI, list[Background]]:
    """The HTTP application and what runs beside it: listener with group commit, relay, counting, maintenance.

    Raises BrokenFeedsError, OSError or asyncpg.PostgresError when feeds or database can't be used.
    """
    feeds = FeedBook(settings.feeds_file, read_feeds_file(settings.feeds_file))
    parts = Parts(settings, await open_database("intake", settings.postgres), feeds)
    app = create_app(
        "intake",
        database=parts.database,
        settings=settings.http,
        routers=_routers(parts),
        ready=[Check("store", parts.store_takes_messages)],
        body_limits={"/fhir/": BUNDLE_BYTES, "/trials/": FILE_BYTES, "/files": settings.files.max_bytes},
    )
    app.state.listener, app.state.database = parts.listener, parts.database
    return app, _background(parts)


def _routers(parts: Parts) -> list[APIRouter]:
    database, feeds, reception, seal = parts.database, parts.feeds, parts.reception, parts.seal
    return [
        messages_router(feeds, reception),
        log_router(database, feeds, seal, parts.working_off.caught_up),
        replay_router(database, parts.corrector, reception, parts.runs),
        feeds_router(database, feeds),
        identity_router(database, feeds, reception, seal),
        match_router(database, feeds, parts.matching.weights),
        patients_router(database),
        fhir_router(feeds, reception),
        events_router(database, feeds, reception),
        trials_router(feeds),
        files_router(database, feeds, parts.files),
        operations_router(
            database,
            consumer=parts.consumer,
            relay=parts.relay,
            snapshot=operating.tell_open_stays,
            own_hops=operating.held_hop,
        ),
    ]


def _background(parts: Parts) -> list[Background]:
    """What runs beside HTTP, until the service ends."""
    settings, database, feeds = parts.settings, parts.database, parts.feeds
    folder = settings.files.folder
    watching = [WatchedFolder(settings.files, folder, parts.files, database).run] if folder else []
    return [
        _named(receive, parts.listener),
        parts.relay.run,
        parts.consumer.run,
        Counting(database, feeds).run,
        _named(keep_partitions, database, timedelta(days=settings.messages_kept_days)),
        feeds.watch,
        _named(keep_unknown_codes, database, feeds.unknown),
        parts.runs.run,
        Release(database, parts.corrector, parts.reception).run,
        _named(parts.matching.run, partial(link_certain, database)),
        _named(show_reviews, database),
        parts.files.run,
        Forgetting.of(database, settings.retention, ENDED).run,
        *watching,
    ]


def _named(work: Callable[..., Awaitable[None]], *arguments: Any) -> Background:
    """The work with its arguments, under its own name: failures are told by it."""

    @wraps(work)
    async def run() -> None:
        await work(*arguments)

    return run


async def receive(listener: Listener) -> None:
    """Listens, keeps and commits. When cancelled: reads no more, settles and answers what has come, then ends."""
    keeping = listener.keeping
    working_off = keeping.working_off
    reception = working_off.reception
    works = [asyncio.create_task(one.run(), name=type(one).__name__) for one in (reception, working_off, keeping)]
    listening = asyncio.create_task(listener.run(), name="listener")
    try:
        await asyncio.wait({*works, listening}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ends = asyncio.get_running_loop().time() + listener.settings.drain_timeout_s
        await _ended(listening)
        # What came over HTTP and what was spoiled has no connection that waits for it.
        with suppress(TimeoutError):
            async with asyncio.timeout_at(ends):
                await keeping.drained()
                await working_off.drained()
                await reception.drained()
        for work in reversed(works):
            await _ended(work)


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def keep_partitions_once(database: Database, kept_for: timedelta) -> None:
    """Room for the messages of the next days; those past their time go."""
    await database.pool.execute("SELECT message_maintain()")
    await idempotency.forget(database.pool)
    async with database.pool.acquire() as connection:
        await file_store.forget(connection)
    await forget_old_messages(database, kept_for)


async def keep_partitions(database: Database, kept_for: timedelta) -> None:
    while True:
        try:
            await keep_partitions_once(database, kept_for)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("maintenance failed", error=error, retry_in=MAINTAIN_EVERY_S)
        await asyncio.sleep(MAINTAIN_EVERY_S)
