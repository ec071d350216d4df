"""The services' real applications, each on its own schema of a test's database, without their background work."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI

from deploy.local.ports import free_port
from services.careplan import app as careplan
from services.careplan.settings import Settings as CareplanSettings
from services.dashboard import app as dashboard
from services.dashboard.settings import ServiceUrls
from services.dashboard.settings import Settings as DashboardSettings
from services.intake import app as intake
from services.intake.settings import Settings as IntakeSettings
from services.notifications import app as notifications
from services.notifications.settings import Settings as NotificationsSettings
from services.transitions import app as transitions
from services.transitions.settings import Settings as TransitionsSettings
from shared.http import HttpSettings
from shared.kafka import KafkaSettings
from tests.integration.http.running import Client
from tests.support.databases import Databases

KEY = base64.b64encode(bytes(range(32))).decode()
Running = dict[str, tuple[FastAPI, Client]]
Opening = Callable[[dict[str, Any], AsyncExitStack], Awaitable[FastAPI]]


async def open_intake(wiring: dict[str, Any], ends: AsyncExitStack) -> FastAPI:
    app, _ = await intake.build(IntakeSettings(raw_key=KEY, **wiring))
    ends.push_async_callback(app.state.database.close)
    return app


async def open_transitions(wiring: dict[str, Any], ends: AsyncExitStack) -> FastAPI:
    service = await transitions.build(TransitionsSettings(**wiring))
    ends.push_async_callback(service.database.close)
    return service.app


async def open_careplan(wiring: dict[str, Any], ends: AsyncExitStack) -> FastAPI:
    service = await careplan.build(CareplanSettings(**wiring))
    ends.push_async_callback(service.database.close)
    return service.app


async def open_notifications(wiring: dict[str, Any], ends: AsyncExitStack) -> FastAPI:
    service = await notifications.build(NotificationsSettings(secret_key=KEY, **wiring))
    await ends.enter_async_context(service.resources)
    return service.app


async def open_dashboard(wiring: dict[str, Any], ends: AsyncExitStack) -> FastAPI:
    nowhere = "http://127.0.0.1:1"
    others = ServiceUrls(
        intake=nowhere, transitions=nowhere, careplan=nowhere, notifications=nowhere, dashboard=nowhere
    )
    service = await dashboard.build(DashboardSettings(services=others, issuer_login=nowhere, **wiring))
    ends.push_async_callback(service.close)
    return service.app


SERVICES: dict[str, Opening] = {
    "intake": open_intake,
    "transitions": open_transitions,
    "careplan": open_careplan,
    "notifications": open_notifications,
    "dashboard": open_dashboard,
}


@asynccontextmanager
async def application(service: str, databases: Databases, issuer: str) -> AsyncIterator[tuple[FastAPI, HttpSettings]]:
    """The service's application and where it may listen; its pool is closed at the end."""
    http = HttpSettings(port=free_port(), issuer=issuer, drain_seconds=0)
    wiring = {
        "postgres": databases.settings(service),
        "kafka": KafkaSettings(bootstrap="127.0.0.1:1"),
        "http": http,
        "instance": "policies",
    }
    async with AsyncExitStack() as ends:
        yield await SERVICES[service](wiring, ends), http
