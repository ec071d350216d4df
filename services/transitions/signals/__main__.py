"""`python -m services.transitions.signals`: settings, then the signals until a signal of the system ends them."""

import asyncio

from services.transitions.signals.app import build
from services.transitions.signals.settings import Settings
from shared import telemetry
from shared.http import read_settings, serve


async def run(settings: Settings) -> None:
    signals = await build(settings)
    try:
        await serve(signals.app, settings.http, *signals.background)
    finally:
        await signals.database.close()


def main() -> None:
    settings = read_settings(Settings)
    telemetry.configure("signals", instance=settings.instance)
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
