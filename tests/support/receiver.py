"""A provider's own webhook receiver, as a test sees it: checks every signature, keeps what came, may be told to fail."""

import json
from typing import Any, Self

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from deploy.operations import Operations


class Receiver:
    """Keeps notices in the order of arrival; `answer` is the status it gives."""

    def __init__(self, organisation: str) -> None:
        self.organisation = organisation
        self.answer = 204
        self.notices: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.refused = 0
        self.turned_away = 0
        self._hook: Webhook | None = None
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_post("/hook", self._take)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        assert self._runner is not None
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook"

    async def subscribe(self, operations: Operations, **options: Any) -> None:
        """Registers this receiver as the organisation's endpoint and keeps the secret."""
        body = {"organisation": self.organisation, "url": self.url, **options}
        answer = await operations.post("notifications", "/endpoints", body)
        self._hook = Webhook(answer["secret"])

    def told(self, event_type: str, visit: str | None = None) -> list[dict[str, Any]]:
        """Notices of this type, of this visit number if given."""
        return [n for n in self.notices if n["event_type"] == event_type and (visit is None or visit in json.dumps(n))]

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        assert self._hook is not None
        try:
            self._hook.verify(body.decode(), {name.lower(): value for name, value in request.headers.items()})
        except WebhookVerificationError:
            self.refused += 1
            return web.Response(status=401)
        if self.answer >= 300:
            self.turned_away += 1
        elif request.headers["webhook-id"] not in self.ids:
            self.ids.append(request.headers["webhook-id"])
            self.notices.append(json.loads(body))
        return web.Response(status=self.answer)
