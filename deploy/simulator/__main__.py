"""`python -m deploy.simulator`: the simulated hospital, until SIGTERM or until all patients have gone home."""

import asyncio
import contextlib
import signal

from deploy.simulator.hospital import simulate
from deploy.simulator.settings import SimulatorSettings
from shared.http import read_settings
from shared.telemetry import configure, log


async def run(settings: SimulatorSettings) -> None:
    task = asyncio.create_task(simulate(settings))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        tally = await task
        log.info("simulation.ended", count=tally.sent)
        # Under a supervisor an end would mean a restart: nothing is left to do but to wait for its word.
        await asyncio.get_running_loop().create_future()


def main() -> None:
    settings = read_settings(SimulatorSettings)
    configure("simulator")
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
