"""The composition of intake: settings in, application and background work out."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial

import asyncpg
from fastapi import FastAPI

from services.intake import idempotency, operating
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
from services.intake.identity.weights import read_weights
from services.intake.incoming_files import IncomingFiles
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
from services.intake.unknown_store import keep_unknown_codes
from shared.http import Check, NotReadyError, create_app, operations_router
from shared.kafka import Consumer, Relay
from shared.postgres import Database, open_database
from shared.telemetry import log

MAINTAIN_EVERY_S = 3600.0


async def build(settings: Settings) -> tuple[FastAPI, list[Callable[[], Awaitable[None]]]]:
    """The HTTP application and what runs beside it: listener with group commit, relay, counting, maintenance.

    Raises BrokenFeedsError, OSError or asyncpg.PostgresError when feeds or database can't be used.
    """
    feeds = FeedBook(settings.feeds_file, read_feeds_file(settings.feeds_file))
    database = await open_database("intake", settings.postgres)
    seal = Seal(settings.raw_key_bytes)
    reception = Reception(database, seal)
    corrector = Corrector(database, feeds, seal)
    runs = ReplayRuns(database, corrector, reception)
    release = Release(database, corrector, reception)
    identity = settings.identity
    matching = Matching(database, read_weights(identity.weights_file), auto_link=identity.auto_link)
    files = IncomingFiles(database, feeds, reception, seal)
    listener = Listener(settings.mllp, feeds, reception)
    relay = Relay(database=database, kafka=settings.kafka, instance=settings.instance)
    # Intake hears nothing but requests to publish again.
    consumer = Consumer(database=database, kafka=settings.kafka, name="intake", handlers={}, instance=settings.instance)

    async def store_takes_messages() -> None:
        if reception.store_failures:
            raise NotReadyError("messages cannot be stored now")

    app = create_app(
        "intake",
        database=database,
        settings=settings.http,
        routers=[
            messages_router(feeds, reception),
            log_router(database, feeds, seal),
            replay_router(database, corrector, reception, runs),
            feeds_router(database, feeds),
            identity_router(database, feeds, reception, seal),
            match_router(database, feeds, matching.weights),
            patients_router(database),
            fhir_router(feeds, reception),
            events_router(database, feeds, reception),
            trials_router(feeds),
            files_router(database, feeds, files),
            operations_router(
                database,
                consumer=consumer,
                relay=relay,
                snapshot=operating.tell_open_stays,
                own_hops=operating.held_hop,
            ),
        ],
        ready=[Check("store", store_takes_messages)],
        body_limits={"/fhir/": BUNDLE_BYTES, "/trials/": FILE_BYTES, "/files": settings.files.max_bytes},
    )
    app.state.listener, app.state.database = listener, database

    async def take_in() -> None:
        await receive(listener, reception)

    async def maintain() -> None:
        await keep_partitions(database, timedelta(days=settings.messages_kept_days))

    async def keep_unknown() -> None:
        await keep_unknown_codes(database, feeds.unknown)

    watching = []
    if settings.files.folder:
        watching.append(WatchedFolder(settings.files, settings.files.folder, files, database).run)
    counting = Counting(database, feeds)

    async def match() -> None:
        await matching.run(partial(link_certain, database))

    return app, [
        take_in,
        relay.run,
        consumer.run,
        counting.run,
        maintain,
        feeds.watch,
        keep_unknown,
        runs.run,
        release.run,
        match,
        files.run,
        *watching,
    ]


async def receive(listener: Listener, reception: Reception) -> None:
    """Listens and commits. When cancelled: reads no more, settles and answers what has come, then ends."""
    committing = asyncio.create_task(reception.run(), name="reception")
    listening = asyncio.create_task(listener.run(), name="listener")
    try:
        await asyncio.wait({committing, listening}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ends = asyncio.get_running_loop().time() + listener.settings.drain_timeout_s
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
        # What came over HTTP and what was spoiled has no connection that waits for it.
        await reception.drain(max(0.0, ends - asyncio.get_running_loop().time()))
        committing.cancel()
        with suppress(asyncio.CancelledError):
            await committing


async def keep_partitions_once(database: Database, kept_for: timedelta) -> None:
    """Room for the messages of the next days; those past their time go."""
    await database.pool.execute("SELECT message_maintain()")
    await idempotency.forget(database.pool)
    await forget_old_messages(database, kept_for)


async def keep_partitions(database: Database, kept_for: timedelta) -> None:
    while True:
        try:
            await keep_partitions_once(database, kept_for)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("maintenance failed", error=error, retry_in=MAINTAIN_EVERY_S)
        await asyncio.sleep(MAINTAIN_EVERY_S)
