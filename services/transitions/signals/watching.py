"""Runs faust, and ends the process when only a fresh one can go on.

Faust's agents are known to stop without a word after a broker was away (reported upstream), and offsets mean nothing in
the new log of a broker that lost its own. So: another log id, a crashed application, or nothing heard for minutes while
the broker answers, and the supervisor gets to start a new process.
"""

import asyncio
import time

from aiokafka.errors import KafkaError

from services.transitions.signals.listening import Listening
from shared.kafka import KafkaSettings
from shared.kafka.log import log_id
from shared.telemetry import log

CHECK_S = 2.0
# Intake counts every feed every minute, zeros too: this long without a word is no quiet night.
DEAF_S = 300.0
STOP_S = 3.0


class DeafError(RuntimeError):
    """Faust hears no more; the message says why."""


async def run_faust(listening: Listening, kafka: KafkaSettings) -> None:
    """Runs until cancelled. Raises DeafError when the process should end."""
    log_is = await first_log_id(kafka)
    app = listening.app
    listening.heard_at = time.monotonic()
    await app.start()
    log.info("signals.listening", log_id=log_is)
    try:
        while True:
            await asyncio.sleep(CHECK_S)
            await check(listening, await current_log_id(kafka), log_is)
    finally:
        stopping = asyncio.ensure_future(app.stop())
        await asyncio.wait({stopping}, timeout=STOP_S)  # without its broker it would never end


async def check(listening: Listening, log_now: str | None, log_was: str) -> None:
    app = listening.app
    if app.crashed or app.should_stop:
        raise DeafError("faust has stopped")
    if log_now is None:
        listening.heard_at = time.monotonic()  # a broker that is away is not faust's deafness
    elif log_now != log_was:
        raise DeafError("the broker's log is another one")
    elif time.monotonic() - listening.heard_at > DEAF_S:
        if await listening.is_owed():
            raise DeafError("nothing heard although the broker answers")
        listening.heard_at = time.monotonic()


async def first_log_id(kafka: KafkaSettings) -> str:
    """Waits for the broker."""
    while True:
        found = await current_log_id(kafka)
        if found is not None:
            return found
        await asyncio.sleep(CHECK_S)


async def current_log_id(kafka: KafkaSettings) -> str | None:
    try:
        return await log_id(kafka)
    except (KafkaError, OSError):
        return None
