"""Providers' servers in one: a hook for each organisation of the roster, with a log of everything that came."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aiohttp import web

from deploy.operations import Operations
from deploy.sample_provider.verifying import genuine


class Receivers:
    """Listens on one port; keeps what came on disk before it answers. Ids only: the log is for comparing."""

    def __init__(self, host: str, port: int, log: Path) -> None:
        self.received = 0
        self.forged = 0
        self._host, self._port = host, port
        self._secrets: dict[str, str] = {}
        self._endpoints: dict[str, str] = {}
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        application = web.Application()
        application.router.add_post("/hook/{organisation}", self._take)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()
        os.close(self._log)

    async def subscribe(self, operations: Operations, organisations: Iterable[str]) -> None:
        """Registers a hook for each. Raises CallFailedError."""
        for organisation in organisations:
            body = {"organisation": organisation, "url": f"http://{self._host}:{self._port}/hook/{organisation}"}
            said = await operations.post("notifications", "/endpoints", body)
            self._secrets[organisation], self._endpoints[organisation] = said["secret"], said["id"]

    async def _take(self, request: web.Request) -> web.Response:
        organisation = request.match_info["organisation"]
        body = await request.read()
        if not genuine(self._secrets.get(organisation, ""), request.headers, body):
            self.forged += 1
            return web.Response(status=401)
        self._keep(request.headers["webhook-id"], self._endpoints[organisation], json.loads(body))
        return web.Response(status=204)

    def _keep(self, webhook_id: str, endpoint_id: str, notice: dict[str, Any]) -> None:
        self.received += 1
        kept = {
            "webhook_id": webhook_id,
            "endpoint_id": endpoint_id,
            "order": self.received,
            "event_id": notice["event_id"],
            "retracts": notice.get("retracts", []),
        }
        os.write(self._log, json.dumps(kept).encode() + b"\n")
