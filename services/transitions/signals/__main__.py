"""`python -m services.transitions.signals`: settings, then the signals until a signal of the system ends them."""

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine

from services.transitions.signals.app import build
from services.transitions.signals.settings import Settings
from services.transitions.signals.thresholds import Thresholds, WrongThresholdsError, read_thresholds
from shared import telemetry
from shared.http import built, read_settings, serve
from shared.telemetry import log

EXIT_WRONG_SETTINGS = 2


async def run(settings: Settings, limits: Thresholds) -> None:
    signals = await built("signals", build(settings, limits), {})
    try:
        await serve(signals.app, settings.http, *signals.background)
    finally:
        await signals.database.close()


def main() -> None:
    settings = read_settings(Settings)
    telemetry.configure("signals", instance=settings.instance)
    try:
        limits = read_thresholds(settings.rules_file)
    except WrongThresholdsError as wrong:
        sys.stderr.write(f"SIGNALS_RULES_FILE: {wrong}\n")
        raise SystemExit(EXIT_WRONG_SETTINGS) from None
    code = _end_of(run(settings, limits))
    logging.shutdown()
    sys.stdout.flush()
    # Faust leaves tasks behind that swallow their cancellation when its broker is away: nobody waits for them.
    os._exit(code)


def _end_of(work: Coroutine[None, None, None]) -> int:
    """The exit code of the service."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(work)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except Exception:  # noqa: BLE001  (whatever it was: the process ends with it)
        log.exception("signals ended")
        return 1
    return 0


if __name__ == "__main__":
    main()
