"""A loop that ends without being told to is noticed; one that is told to end just ends."""

import asyncio
from contextlib import suppress

import pytest

from shared.lasting import EndedByItselfError, lasting


async def for_ever() -> None:
    await asyncio.Event().wait()


async def returns() -> None:
    return None


async def given_up_by_a_library() -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


async def swallows_its_cancellation() -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return


async def turns_its_first_cancellation_into_an_error() -> None:
    """As giving back a connection does when its server has gone."""
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    await asyncio.Event().wait()


async def test_work_that_returns_is_an_error() -> None:
    with pytest.raises(EndedByItselfError):
        await lasting(returns())


async def two_loops() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(lasting(for_ever()))
        group.create_task(lasting(given_up_by_a_library()))


async def test_a_cancellation_that_nobody_asked_for_is_an_error_of_the_whole_group() -> None:
    with pytest.raises(ExceptionGroup) as raised:
        await two_loops()
    assert raised.group_contains(EndedByItselfError)


async def test_work_that_is_told_to_end_ends() -> None:
    for work in (for_ever, swallows_its_cancellation, turns_its_first_cancellation_into_an_error):
        task = asyncio.create_task(lasting(work()))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled() or task.exception() is None


async def test_a_group_of_loops_ends_though_one_of_them_swallows_its_cancellation() -> None:
    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(lasting(for_ever()))
            group.create_task(lasting(turns_its_first_cancellation_into_an_error()))

    task = asyncio.create_task(both())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=10)
    assert done == {task}
