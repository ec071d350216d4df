"""Loops that last as long as their process: one ends when it is told to, surely, and never unseen by itself."""

import asyncio
from collections.abc import Awaitable, Collection
from contextlib import suppress
from typing import Any

AGAIN_S = 1.0


class EndedByItselfError(RuntimeError):
    """A loop ended that nobody had told to end."""


async def end(tasks: Collection[asyncio.Task[Any]], again_s: float = AGAIN_S) -> None:
    """Cancels these until all have ended: a database or broker that goes away meanwhile turns a cancellation into an
    error of its own, and the work goes on. Whoever cancels this waits as long: it is what is being done.
    """
    while going_on := [task for task in tasks if not task.done()]:
        for task in going_on:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait(going_on, timeout=again_s)


async def lasting(work: Awaitable[None], again_s: float = AGAIN_S) -> None:
    """Awaits work that only a cancellation from here may end. Raises EndedByItselfError when it ends otherwise.

    A task group takes no notice of a task that was cancelled, and a library that gives up a future cancels whoever
    awaits it: the loop would be gone, and all else would look well. The other way round a task group cancels only once,
    and a database or broker that goes away at that moment turns the cancellation into an error of its own, after which
    the loop would go on for ever: so it is cancelled again, `again_s` after the last time, until it ends.
    """
    inner = asyncio.ensure_future(work)
    told = False
    while not inner.done():
        try:
            await asyncio.wait({inner}, timeout=again_s if told else None)
        except asyncio.CancelledError:
            told = True
        if told:
            inner.cancel()  # work that is done takes no notice
    error = None if inner.cancelled() else inner.exception()
    if told:
        raise asyncio.CancelledError
    if error:
        raise error
    raise EndedByItselfError("a cancellation that nobody asked for" if inner.cancelled() else "it returned")
