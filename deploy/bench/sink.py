"""A provider that takes every notice and answers at once: what it costs to tell is ours alone."""

from typing import Self

from aiohttp import web

from deploy.operations import Operations


class Sink:
    """Counts the notices it is sent."""

    def __init__(self) -> None:
        self.received = 0
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_post("/{organisation}", self._take)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def subscribe(self, operations: Operations, organisation: str) -> None:
        body = {"organisation": organisation, "url": f"{self.url}/{organisation}"}
        await operations.post("notifications", "/endpoints", body)

    async def _take(self, request: web.Request) -> web.Response:
        await request.read()
        self.received += 1
        return web.Response(status=204)
