"""Loops that last as long as their process: one that ends by itself must not do so unseen."""

import asyncio
from collections.abc import Awaitable


class EndedByItselfError(RuntimeError):
    """A loop ended that nobody had told to end."""


async def lasting(work: Awaitable[None]) -> None:
    """Awaits work that only a cancellation from here may end. Raises EndedByItselfError when it ends otherwise.

    A task group takes no notice of a task that was cancelled, and a library that gives up a future cancels whoever
    awaits it: the loop would be gone, and all else would look well.
    """
    task = asyncio.current_task()
    try:
        await work
    except asyncio.CancelledError:
        if task is None or task.cancelling():
            raise
        raise EndedByItselfError("a cancellation that nobody asked for") from None
    if task is None or not task.cancelling():
        raise EndedByItselfError("it returned")
