"""`python -m services.transitions`: settings, then the service until a signal ends it."""

import sys

import uvloop

from services.transitions.app import SERVICE, build
from services.transitions.protocols import WrongProtocolError
from services.transitions.settings import Settings
from services.transitions.signals.thresholds import WrongThresholdsError
from shared import telemetry
from shared.http import read_settings, serve

EXIT_WRONG_SETTINGS = 2


async def run(settings: Settings) -> None:
    service = await build(settings)
    try:
        await serve(service.app, settings.http, *service.background)
    finally:
        await service.database.close()


def main() -> None:
    settings = read_settings(Settings)
    telemetry.configure(SERVICE, instance=settings.instance)
    try:
        uvloop.run(run(settings))
    except WrongProtocolError as wrong:
        sys.stderr.write(f"TRANSITIONS_PROTOCOLS: {wrong}\n")
        raise SystemExit(EXIT_WRONG_SETTINGS) from None
    except WrongThresholdsError as wrong:
        sys.stderr.write(f"TRANSITIONS_SIGNAL_RULES: {wrong}\n")
        raise SystemExit(EXIT_WRONG_SETTINGS) from None


if __name__ == "__main__":
    main()
