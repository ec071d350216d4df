"""The sample provider's routes: the hook, the page, and what was received as JSON."""

import asyncio
import json
from importlib import resources
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from sse_starlette import EventSourceResponse

from deploy.sample_provider.inbox import Inbox, listed, shown, stream
from deploy.sample_provider.settings import ProviderSettings
from deploy.sample_provider.subscribing import Subscription
from deploy.sample_provider.verifying import genuine
from shared.http import HttpSettings, create_app, public

ON_PAGE = 200
PAGE = resources.files("deploy.sample_provider") / "page"


def build(settings: ProviderSettings, inbox: Inbox, subscription: Subscription) -> tuple[FastAPI, HttpSettings]:
    http = HttpSettings(
        host=settings.host,
        port=settings.port,
        issuer=settings.issuer,
        issuer_plaintext=True,  # its pages are public and its hook is signed: it asks for no token
        plaintext_outside_loopback=True,
        drain_seconds=1,
    )
    routers = [hook_router(inbox, subscription), page_router(settings, inbox)]
    return create_app("provider", database=None, settings=http, routers=routers), http


def hook_router(inbox: Inbox, subscription: Subscription) -> APIRouter:
    router = APIRouter(dependencies=[public])

    @router.post("/hook")
    async def hook(request: Request) -> Response:
        """Kept first, answered then; a repetition is answered like the first time."""
        body = await request.body()
        if subscription.secret is None:
            return Response(status_code=503, headers={"Retry-After": "1"})
        if not genuine(subscription.secret, request.headers, body):
            return Response(status_code=401)
        inbox.keep(request.headers["webhook-id"], json.loads(body))
        return Response(status_code=204)

    @router.get("/received")
    async def received() -> dict[str, Any]:
        """Every notice in the order of arrival, without names."""
        return {"repeated": inbox.repeated, "items": [listed(one) for one in inbox.notices]}

    return router


def page_router(settings: ProviderSettings, inbox: Inbox) -> APIRouter:
    router = APIRouter(dependencies=[public])

    @router.get("/", response_class=HTMLResponse)
    async def page() -> str:
        return (PAGE / "index.html").read_text(encoding="utf-8").replace("{organisation}", settings.organisation)

    @router.get("/page.css")
    async def style() -> Response:
        return Response((PAGE / "page.css").read_bytes(), media_type="text/css")

    @router.get("/page.js")
    async def script() -> Response:
        return Response((PAGE / "page.js").read_bytes(), media_type="text/javascript")

    @router.get("/latest")
    async def latest() -> dict[str, Any]:
        """The lines of the page, newest last."""
        return {"total": len(inbox.notices), "items": [shown(one) for one in inbox.notices[-ON_PAGE:]]}

    @router.get("/live")
    async def live(request: Request) -> EventSourceResponse:
        stopping: asyncio.Event = request.app.state.stopping
        return EventSourceResponse(stream(inbox, stopping), ping=15)

    return router
