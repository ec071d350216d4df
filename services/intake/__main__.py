"""`python -m services.intake`: the composition root."""

import uvloop

from services.intake.app import build
from services.intake.feed_file import BrokenFeedsError
from services.intake.settings import Settings
from shared.http import built, read_settings, serve
from shared.telemetry import configure

# Beyond the drain: for what is being committed when its time is over.
LAST_WORDS_S = 1.0


async def run(settings: Settings) -> None:
    wrong = {f"INTAKE_FEEDS_FILE: {settings.feeds_file} does not fit": BrokenFeedsError}
    app, background = await built("intake", build(settings), wrong)
    await serve(app, settings.http, *background, patience_s=settings.mllp.drain_timeout_s + LAST_WORDS_S)


def main() -> None:
    settings = read_settings(Settings)
    configure("intake", instance=settings.instance)
    uvloop.run(run(settings))


if __name__ == "__main__":
    main()
