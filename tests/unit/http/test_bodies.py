"""A body that drips in is not waited for without an end; one that is whole is."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message

from shared.http import Problem
from shared.http.middleware import BodyLimit


async def told_to(messages: list[Message], reads: int) -> int:
    """How many messages an application gets that reads so often; what comes after them never does."""
    got = 0

    async def receive() -> Message:
        if messages:
            return messages.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def application(_scope: Any, receive: Any, _send: Any) -> None:
        nonlocal got
        for _ in range(reads):
            await receive()
            got += 1

    async def send(_: Message) -> None:
        return None

    limited = BodyLimit(application, max_bytes=1024, patience_s=0.05)
    await limited({"type": "http", "path": "/", "headers": []}, receive, send)
    return got


def part(*, more: bool) -> Message:
    return {"type": "http.request", "body": b"x", "more_body": more}


async def test_a_body_that_does_not_go_on_is_given_up() -> None:
    with pytest.raises(Problem) as refused:
        await told_to([part(more=True)], 2)
    assert refused.value.status == 408


async def test_after_the_whole_body_the_clients_leaving_may_take_its_time() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await told_to([part(more=True), part(more=False)], 3)
