"""Alive, ready, measured. Ready means that the service can do its work now; alive only that it answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.http.policy import public
from shared.telemetry import describe_error

if TYPE_CHECKING:
    from shared.postgres import Database

CHECK_TIMEOUT_SECONDS = 2.0


class NotReadyError(Exception):
    """Raised by a probe to say why in words of the house; the text is shown, so it holds no data."""


@dataclass(frozen=True, slots=True)
class Check:
    """A named condition of readiness: `probe` returns when it holds and raises when it does not."""

    name: str
    probe: Callable[[], Awaitable[object]]


def database_check(database: "Database") -> Check:
    return Check("database", lambda: database.pool.fetchval("SELECT 1", timeout=CHECK_TIMEOUT_SECONDS))


def health_router(service: str, checks: Sequence[Check]) -> APIRouter:
    router = APIRouter(tags=["health"], dependencies=[public])

    @router.get("/healthz")
    async def alive() -> dict[str, str]:
        return {"service": service, "status": "alive"}

    @router.get("/readyz")
    async def ready() -> Response:
        results = await asyncio.gather(*(_run(check) for check in checks))
        holds = all(result["ok"] for result in results)
        return JSONResponse({"service": service, "ready": holds, "checks": results}, 200 if holds else 503)

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


async def _run(check: Check) -> dict[str, Any]:
    started = time.perf_counter()
    reason = None
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            await check.probe()
    except NotReadyError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001  (a probe may fail in any way; that is its answer)
        reason = describe_error(error)
    seconds = round(time.perf_counter() - started, 4)
    return {"name": check.name, "ok": reason is None, "seconds": seconds, "reason": reason}
