"""`python -m services.careplan`: settings, then the service until a signal ends it."""

import uvloop

from services.careplan.app import SERVICE, build
from services.careplan.catalogue import CatalogueError
from services.careplan.settings import Settings
from shared import telemetry
from shared.http import built, read_settings, serve


async def run(settings: Settings) -> None:
    service = await built(SERVICE, build(settings), {"CAREPLAN_TEMPLATES": CatalogueError})
    try:
        await serve(service.app, settings.http, *service.background)
    finally:
        await service.database.close()


def main() -> None:
    settings = read_settings(Settings)
    telemetry.configure(SERVICE, instance=settings.instance)
    uvloop.run(run(settings))


if __name__ == "__main__":
    main()
