"""`python -m services.notifications`: settings, then the service until a signal ends it."""

import uvloop

from services.notifications.app import SERVICE, build
from services.notifications.roster import RosterError
from services.notifications.settings import Settings
from shared import telemetry
from shared.http import built, read_settings, serve


async def run(settings: Settings) -> None:
    service = await built(SERVICE, build(settings), {"NOTIFICATIONS_ROSTER_FILE": RosterError})
    async with service.resources:
        await serve(service.app, settings.http, *service.background)


def main() -> None:
    settings = read_settings(Settings)
    telemetry.configure(SERVICE, instance=settings.instance)
    uvloop.run(run(settings))


if __name__ == "__main__":
    main()
