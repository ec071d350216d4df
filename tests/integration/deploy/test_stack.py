"""The stack as its operator knows it: it starts, heals, tells what happened, and stops."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from deploy.cli.sending import sampled
from deploy.local.ports import PortTakenError
from deploy.local.supervisor import Stack
from deploy.operations import CallFailedError
from tests.support.stack import Heard, StackDriver, running_stack, stack_settings

DEADLINE_SECONDS = 120.0  # two cores may be shared with the rest of the suite
STOP_SECONDS = 10.0


async def eventually(found: Callable[[], Awaitable[Any]], seconds: float = DEADLINE_SECONDS) -> Any:
    """The first true value of `found`, asked again until the deadline; a service that is away has no value yet."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                if value := await found():
                    return value
            except CallFailedError:
                pass
            await asyncio.sleep(0.2)


async def effects_of(stack: StackDriver, payload: bytes, wanted: set[str]) -> None:
    """Send the message and wait until the console knows of effects from all of these services."""
    ack = await stack.send(payload)
    assert ack.code == "AA"
    async with stack.operations() as operations:

        async def reached() -> bool:
            items = (await operations.get("intake", "/messages", control_id=ack.control_id))["items"]
            if not items:
                return False
            tree = await operations.get("dashboard", f"/api/effects/{items[0]['id']}")
            return wanted <= set(sources(tree["effects"]))

        try:
            assert await eventually(reached)
        except TimeoutError:
            pytest.fail("\n".join([f"{sorted(wanted)} not reached; what was told:", *stack.heard.lines[-20:]]))


def sources(effects: list[dict[str, Any]]) -> list[str]:
    return [one for effect in effects for one in (effect["source"], *sources(effect["effects"]))]


async def test_a_discharge_reaches_every_service(stack: StackDriver) -> None:
    *before, discharge = sampled()
    for payload in before:
        assert (await stack.send(payload)).code == "AA"
    await effects_of(stack, discharge, {"intake", "transitions", "careplan"})


@pytest.mark.parametrize("name", ["intake", "transitions", "dashboard", "postgres"])
async def test_a_killed_program_is_named_and_comes_back(stack: StackDriver, name: str) -> None:
    before = stack.stack.children[name].restarts
    stack.stack.kill(name)

    async def told() -> bool:
        return any(line.startswith(f"{name} was ended by SIGKILL") for line in stack.heard.lines)

    async def back() -> bool:
        return stack.stack.children[name].restarts > before and stack.stack.children[name].pid is not None

    await eventually(told)
    await eventually(back)
    *earlier, discharge = sampled()
    for payload in earlier:
        await stack.send(payload)
    await effects_of(stack, discharge, {"intake", "transitions", "careplan"})


async def test_a_broker_that_lost_its_log_gets_the_missing_events_again(stack: StackDriver) -> None:
    served = stack.stack.log_id
    *before, discharge = sampled()
    for payload in before:
        await stack.send(payload)
    stack.stack.kill("broker")
    await effects_of(stack, discharge, {"intake", "transitions", "careplan"})

    async def reopened() -> bool:
        return stack.stack.log_id != served and any("the broker has a new log" in line for line in stack.heard.lines)

    assert await eventually(reopened)


async def test_the_sample_provider_is_told_and_lasts() -> None:
    settings = stack_settings(sample_provider=True)
    async with running_stack(settings) as driver:
        folder = settings.run_folder / "provider"
        received = folder / "received.jsonl"

        async def registered() -> bool:
            return (folder / "endpoint.json").exists()

        async def told() -> bool:
            return received.exists() and b"care.encounter.discharged.v1" in received.read_bytes()

        assert await eventually(registered)
        for payload in sampled():
            await driver.send(payload)
        assert await eventually(told)
        assert driver.stack.children["provider"].restarts == 0


async def test_a_second_stack_on_the_same_port_says_so_in_one_line(stack: StackDriver) -> None:
    settings = stack_settings(mllp_port=stack.settings.mllp_port)
    second = Stack(settings, Heard())
    with pytest.raises(PortTakenError, match=r"port \d+ \(for mllp\) is taken by .* HANDOFF_MLLP_PORT"):
        await second.start()
    await second.stop()


async def test_a_stop_is_quick_and_a_second_start_keeps_everything() -> None:
    settings = stack_settings()
    loop = asyncio.get_running_loop()
    heard = Heard()
    first = Stack(settings, heard)
    await first.start()
    driver = StackDriver(first, heard)
    for payload in sampled():
        assert (await driver.send(payload)).code == "AA"
    began = loop.time()
    await first.stop()
    assert loop.time() - began < STOP_SECONDS
    async with running_stack(settings) as again, again.operations() as operations:

        async def kept() -> bool:
            return len((await operations.get("intake", "/messages"))["items"]) >= len(sampled()) - 1

        assert await eventually(kept)
        again.stack.kill("signals", signal.SIGTERM)
