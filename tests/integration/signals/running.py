"""Runs the signals as processes of their own, and says what intake would say."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from services.transitions.signals.settings import Settings
from services.transitions.signals.thresholds import read_thresholds
from shared.events import Draft, Fact
from shared.http import HttpSettings
from shared.kafka import KafkaSettings
from shared.postgres import Database
from tests.support.databases import Databases

SHIPPED = read_thresholds()
# Counts are told relative to now: on a busy machine a test must not find its own pipeline silent.
LIMITS = SHIPPED.model_copy(update={"pipeline": SHIPPED.pipeline.model_copy(update={"minutes": 30})})


def this_minute() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0)


def settings_of(databases: Databases, kafka: KafkaSettings, **more: Any) -> Settings:
    return Settings(postgres=databases.settings("transitions"), kafka=kafka, http=HttpSettings(port=0), **more)


@asynccontextmanager
async def process(settings: Settings) -> AsyncIterator[Process]:
    """The signals as they run in the stack; killed on leaving, unless the test did it."""
    postgres = settings.postgres
    environment = os.environ | {
        "SIGNALS_POSTGRES__HOST": postgres.host,
        "SIGNALS_POSTGRES__PORT": str(postgres.port),
        "SIGNALS_POSTGRES__DATABASE": postgres.database,
        "SIGNALS_POSTGRES__PASSWORD": postgres.password.get_secret_value(),
        "SIGNALS_KAFKA__BOOTSTRAP": settings.kafka.bootstrap,
        "SIGNALS_HTTP__PORT": "0",
        "SIGNALS_EVERY_SECONDS": str(settings.every_seconds),
        "SIGNALS_INSTANCE": settings.instance,
        "SIGNALS_TABLES": settings.tables.value,
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.transitions.signals", env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield started
        assert started.returncode in (None, -signal.SIGKILL), "the process ended by itself"
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def tell(intake: Database, subject: str, *facts: Fact) -> None:
    """As intake would say it; its relay publishes it."""
    async with intake.transaction() as tx:
        await tx.lock([subject])
        now = await tx.now()
        await tx.publish(
            [Draft(fact=fact, subject=subject, time=now, correlation_id="c", causation_id="m") for fact in facts]
        )
