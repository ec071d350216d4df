"""The routes by which signals and gauges are read; served by transitions, in whose schema they are."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from shared.events.operations import SignalKind
from shared.http import Role, allow
from shared.postgres import Database

SIGNALS = """
SELECT id, kind, scope, since, raised_at, cleared_at, value, usual, text FROM signal
WHERE ($1::text IS NULL OR kind = $1) AND ($2 OR cleared_at IS NULL)
  AND ($3::timestamptz IS NULL OR raised_at < $3)
ORDER BY raised_at DESC LIMIT $4
"""
GAUGES = "SELECT kind, scope, value, at FROM signal_gauge WHERE ($1::text IS NULL OR kind = $1) ORDER BY kind, scope"
WINDOWS = """
SELECT starts, value FROM signal_window WHERE kind = $1 AND scope = $2 AND starts > now() - make_interval(hours => $3)
ORDER BY starts
"""
LARGEST_PAGE = 200
KEPT_HOURS = 35 * 24


def signals_router(database: Database) -> APIRouter:
    """Counts and rates only, nothing of a patient: reading them needs no audit."""
    readers = allow(Role.OPS, Role.CARE_MANAGER, Role.AUDITOR)
    router = APIRouter(prefix="/signals", tags=["signals"], dependencies=[readers])

    @router.get("")
    async def signals(
        kind: SignalKind | None = None,
        cleared: bool = False,  # noqa: FBT001, FBT002  (a query parameter)
        before: datetime | None = None,
        limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 50,
    ) -> dict[str, Any]:
        """Those that stand open, newest first; with `cleared` also those that are over."""
        said = kind.value if kind else None
        rows = await database.pool.fetch(SIGNALS, said, cleared, before, limit)
        return {"items": [dict(row) for row in rows]}

    @router.get("/gauges")
    async def gauges(kind: str | None = None) -> dict[str, Any]:
        return {"items": [dict(row) for row in await database.pool.fetch(GAUGES, kind)]}

    @router.get("/windows")
    async def windows(kind: str, scope: str, hours: Annotated[int, Query(ge=1, le=KEPT_HOURS)] = 24) -> dict[str, Any]:
        """Counts of one place or feed over time, for a chart: kind `feed-minute`, `feed-hour`, `arrivals` …"""
        return {"items": [dict(row) for row in await database.pool.fetch(WINDOWS, kind, scope, hours)]}

    return router
