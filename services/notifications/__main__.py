"""`python -m services.notifications`: settings, then the service until a signal ends it."""

import sys

import uvloop

from services.notifications.app import SERVICE, build
from services.notifications.roster import RosterError
from services.notifications.settings import Settings
from shared import telemetry
from shared.http import read_settings, serve

EXIT_WRONG_SETTINGS = 2


async def run(settings: Settings) -> None:
    service = await build(settings)
    async with service.resources:
        await serve(service.app, settings.http, *service.background)


def main() -> None:
    settings = read_settings(Settings)
    telemetry.configure(SERVICE, instance=settings.instance)
    try:
        uvloop.run(run(settings))
    except RosterError as wrong:
        sys.stderr.write(f"NOTIFICATIONS_ROSTER_FILE: {wrong}\n")
        raise SystemExit(EXIT_WRONG_SETTINGS) from None


if __name__ == "__main__":
    main()
