"""`python -m deploy.sample_provider`"""

import asyncio

from deploy.sample_provider.app import build
from deploy.sample_provider.inbox import Inbox
from deploy.sample_provider.settings import ProviderSettings
from deploy.sample_provider.subscribing import Subscription
from shared import telemetry
from shared.http import read_settings, serve


async def run(settings: ProviderSettings) -> None:
    inbox = Inbox(settings.folder / "received.jsonl")
    subscription = Subscription(settings)
    app, http = build(settings, inbox, subscription)
    try:
        await serve(app, http, subscription.hold)
    finally:
        inbox.close()


def main() -> None:
    settings = read_settings(ProviderSettings)
    telemetry.configure("provider")
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
