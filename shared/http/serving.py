"""Runs a service: HTTP and its background work as one, until a signal or a failure ends them all."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from types import FrameType

import uvicorn
from fastapi import FastAPI
from typing_extensions import override

from shared.http.policy import guarded_routes
from shared.http.settings import HttpSettings
from shared.lasting import EndedByItselfError, end, lasting
from shared.telemetry import log

BACKLOG = 2048
# How many objects more than have gone before the garbage collector looks. A batch makes a hundred thousand, and nearly
# all of them go with it, without the collector; walking them while they live took an eighth of a reader's time.
GARBAGE_THRESHOLDS = (200_000, 10, 10)
Background = Callable[[], Awaitable[None]]


async def serve(app: FastAPI, settings: HttpSettings, *background: Background, patience_s: float | None = None) -> None:
    """Serves until SIGTERM or SIGINT: then background work is cancelled and open requests are let finish.

    A failure in any background work ends the process with exit code 1, for the supervisor to start it anew: half a
    service is worse than none. `app.state.stopping` is set when the end begins, for streams to close themselves;
    setting it begins the end. `patience_s` is what background work may take to end after it was cancelled; by default
    as long as open requests get.
    """
    if unguarded := [route.path for route in guarded_routes(app) if not route.declared]:
        raise RuntimeError(f"routes without a policy: {', '.join(unguarded)}")
    patience = settings.drain_seconds if patience_s is None else patience_s
    listener = _listen(app.state.service, settings)
    stopping = asyncio.Event()
    app.state.stopping = stopping
    server = _Server(_config(app, settings), stopping)
    log.info("listening", host=settings.host, port=listener.getsockname()[1])
    _settle_heap()
    try:
        async with asyncio.TaskGroup() as group:
            work = [
                group.create_task(_run(task, stopping, patience), name=getattr(task, "__qualname__", "background"))
                for task in background
            ]
            group.create_task(_stop_when_told(stopping, server, work, patience))
            await server.serve(sockets=[listener])
            stopping.set()
    except BaseExceptionGroup as failed:
        log.error("background work failed, ending", exc_info=failed)
        raise SystemExit(1) from None
    finally:
        listener.close()
    log.info("stopped")


def _settle_heap() -> None:
    """What was built by now lives as long as the process: the garbage collector need not walk it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


class _Server(uvicorn.Server):
    """Uvicorn, telling others of the signal it got, and not raising it a second time when it is done."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping
        self._loop = asyncio.get_running_loop()

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handled = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in handled}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @override
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._loop.call_soon_threadsafe(self._stopping.set)


async def _run(task: Background, stopping: asyncio.Event, patience: float) -> None:
    try:
        await lasting(task(), max(patience, 1.0))
    except EndedByItselfError:
        if not stopping.is_set():
            raise


async def _stop_when_told(
    stopping: asyncio.Event, server: uvicorn.Server, work: list[asyncio.Task[None]], patience: float
) -> None:
    await stopping.wait()
    server.should_exit = True
    await end(work, max(patience, 1.0))


def _config(app: FastAPI, settings: HttpSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.drain_seconds,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )


def _listen(service: str, settings: HttpSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        sys.stderr.write(f"{service}: cannot listen on {settings.host}:{settings.port}: {why}\n")
        raise SystemExit(1) from None
