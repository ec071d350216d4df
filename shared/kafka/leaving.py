"""Stopping a client of the broker, whether or not the broker still answers."""

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from shared.telemetry import describe_error, log

STOP_S = 5.0


class Client(Protocol):
    """A consumer or producer of aiokafka."""

    def stop(self) -> Awaitable[None]: ...


async def leave(client: Client) -> None:
    """Stops a client, but waits no longer than it may take: with its broker away aiokafka's stop() can hang, and it
    swallows the cancellation by which `asyncio.wait_for` would give it up. What it held is fenced off by the next one.
    """
    await end(type(client).__name__, client.stop())


async def end(kind: str, stop: Awaitable[None]) -> None:
    """As `leave`, of whatever `kind` this stops."""
    stopping = asyncio.ensure_future(stop)
    await asyncio.wait({stopping}, timeout=STOP_S)
    if not stopping.done():
        log.warning("client.stop_abandoned", kind=kind)
        stopping.cancel()
    elif not stopping.cancelled() and (error := stopping.exception()) is not None:
        log.warning("client.stop_failed", kind=kind, error=describe_error(error))
