"""The routes by which signals, gauges and profiles are read; served by transitions, in whose schema they are."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from services.transitions.signals import reading
from services.transitions.signals.judging import feed_reading, prior_of
from services.transitions.signals.profile import Profile
from services.transitions.signals.thresholds import Thresholds
from services.transitions.signals.weeks import week_of
from shared.events.operations import SignalKind
from shared.http import Caller, Role, allow
from shared.postgres import Database

LARGEST_PAGE = 200
KEPT_HOURS = 63 * 24
READERS = (Role.OPS, Role.CARE_MANAGER, Role.AUDITOR)


def signals_router(database: Database, limits: Thresholds) -> APIRouter:
    """Counts, rates and opaque ids only, nothing of a patient: reading them needs no audit."""
    router = APIRouter(prefix="/signals", tags=["signals"])

    @router.get("")
    async def signals(
        caller: Annotated[Caller, allow(*READERS)],
        kind: SignalKind | None = None,
        cleared: bool = False,  # noqa: FBT001, FBT002  (a query parameter)
        before: datetime | None = None,
        limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 50,
    ) -> dict[str, Any]:
        """Those that stand open, newest first; with `cleared` also those that are over. A caller who is bound to
        facilities sees theirs, and what is nobody's in particular.
        """
        said = kind.value if kind else None
        items = await reading.signals(database, said, before, limit, cleared=cleared, of=caller.facilities)
        return {"items": items}

    @router.get("/gauges", dependencies=[allow(*READERS)])
    async def gauges(kind: str | None = None) -> dict[str, Any]:
        return {"items": await reading.gauges(database, kind)}

    @router.get("/windows", dependencies=[allow(*READERS)])
    async def windows(kind: str, scope: str, hours: Annotated[int, Query(ge=1, le=KEPT_HOURS)] = 24) -> dict[str, Any]:
        """Counts of a place or feed over time, for a chart: kind `feed-minute`, `feed-hour`, `arrivals`, `census` …"""
        return {"items": await reading.windows(database, kind, scope, hours)}

    @router.get("/weeks", dependencies=[allow(*READERS, Role.INTEGRATION)])
    async def weeks(feed: str | None = None) -> dict[str, Any]:
        """The running week of each feed, or of one, against its profile; hours from Monday midnight, local."""
        counted = await reading.counted_hours(database)
        known = await reading.feeds(database, feed)
        return {"rules": limits.edition, "items": [_week(row, profile, counted) for row, profile in known]}

    def _week(row: dict[str, Any], profile: Profile, counted: dict[str, dict[datetime, int]]) -> dict[str, Any]:
        now = feed_reading(row, profile, limits)
        prior, is_configured = prior_of(row["quiet_minutes"], limits)
        zone = row["time_zone"] or "UTC"
        hours = counted.get(row["feed"], {})
        week = week_of(datetime.now(UTC), zone, profile, hours, limits, prior=prior, is_configured=is_configured)
        told = {name: row[name] for name in ("feed", "facility", "quiet_minutes", "counted_until", "counted_by")}
        told |= {"time_zone": zone, "quiet_since": now.quiet_since, "missed": now.missed, "usual_now": now.usual_now}
        return told | week.to_json()

    @router.get("/rules", dependencies=[allow(*READERS)])
    async def rules() -> Thresholds:
        """The thresholds in force, each with its source."""
        return limits

    return router
