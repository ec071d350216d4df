"""`python -m services.dashboard`: settings, then the console until a signal ends it."""

import uvloop

from services.dashboard.app import SERVICE, build
from services.dashboard.settings import Settings
from shared import telemetry
from shared.http import built, read_settings, serve


async def run(settings: Settings) -> None:
    service = await built(SERVICE, build(settings), {})
    try:
        await serve(service.app, settings.http, *service.background)
    finally:
        await service.close()


def main() -> None:
    settings = read_settings(Settings)
    telemetry.configure(SERVICE, instance=settings.instance)
    uvloop.run(run(settings))


if __name__ == "__main__":
    main()
