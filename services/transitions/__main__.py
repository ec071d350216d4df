"""`python -m services.transitions`: settings, then the service until a signal ends it."""

import uvloop

from services.transitions.app import SERVICE, build
from services.transitions.protocols import WrongProtocolError
from services.transitions.risk.rules import WrongRiskRulesError
from services.transitions.settings import Settings
from services.transitions.signals.thresholds import WrongThresholdsError
from shared import telemetry
from shared.http import built, read_settings, serve


async def run(settings: Settings) -> None:
    wrong = {
        "TRANSITIONS_PROTOCOLS": WrongProtocolError,
        "TRANSITIONS_SIGNAL_RULES": WrongThresholdsError,
        "TRANSITIONS_SCORES": WrongRiskRulesError,
    }
    service = await built(SERVICE, build(settings), wrong)
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
