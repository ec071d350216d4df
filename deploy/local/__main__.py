"""`python -m deploy.local`: the stack in the foreground, until Ctrl-C or SIGTERM."""

import asyncio
import logging
import signal
import sys

from deploy.local.apache import ApacheKafkaError
from deploy.local.broker import BrokerError
from deploy.local.display import Display
from deploy.local.instance import AlreadyRunningError
from deploy.local.ports import PortTakenError
from deploy.local.postgres import PostgresError
from deploy.local.settings import StackSettings
from deploy.local.supervisor import Stack, StartFailedError
from deploy.operations import CallFailedError
from shared.http import read_settings

EXPECTED = (
    AlreadyRunningError, PortTakenError, PostgresError, BrokerError, ApacheKafkaError, StartFailedError,
    CallFailedError, OSError,
)  # fmt: skip


async def run(settings: StackSettings, display: Display) -> int:
    """Start, wait for the end, stop. The exit code."""
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ending.set)
    stack = Stack(settings, display)
    starting = asyncio.create_task(stack.start())
    waiting = asyncio.create_task(ending.wait())
    try:
        await asyncio.wait([starting, waiting], return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            display.finish()
            return 130
        await starting
        display.overview(settings)
        await waiting
    except EXPECTED as error:
        display.fail(str(error))
        return 1
    else:
        return 0
    finally:
        waiting.cancel()
        if stack.children:
            display.say("stopping: senders first, the broker last")
        await stack.stop()


def main() -> None:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a broker that is away is said once, by us
    settings = read_settings(StackSettings)
    sys.exit(asyncio.run(run(settings, Display())))


if __name__ == "__main__":
    main()
