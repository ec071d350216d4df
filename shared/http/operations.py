"""The routes by which people and the `handoff` command run a service; the same on every one of them."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query

from shared.http.audit import audit_page
from shared.http.policy import allow
from shared.http.roles import Caller, Role

if TYPE_CHECKING:
    from shared.kafka import Consumer, Relay
    from shared.postgres import Database, Transaction

Snapshot = Callable[["Transaction"], Awaitable[int]]
Auditor = Annotated[Caller, allow(Role.AUDITOR)]
LARGEST_PAGE = 500


def operations_router(
    database: "Database", *, consumer: "Consumer | None", relay: "Relay", snapshot: Snapshot | None
) -> APIRouter:
    router = APIRouter(prefix="/operations", tags=["operations"])

    @router.get("/audit")
    async def audit(
        _caller: Auditor, before: int | None = None, limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 100
    ) -> dict[str, Any]:
        async with database.pool.acquire() as connection:
            return {"items": await audit_page(connection, before, limit)}

    return router
