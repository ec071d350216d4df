"""The routes of looking at monitoring: who is watched, and one patient's readings beside the limits that apply."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request

from services.transitions.answers import place_in, unknown
from services.transitions.monitoring import lists, store
from services.transitions.monitoring.rules import MonitoringRules, Severity, Watch
from services.transitions.monitoring.store import Monitoring
from services.transitions.referrals.store import transition_of
from shared.http import Caller, Role, allow, audited_read
from shared.postgres import Database

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

Reader = Annotated[Caller, allow(Role.CARE_MANAGER, Role.AUDITOR)]
Limit = Annotated[int, Query(ge=1, le=200)]
ALERTS_SHOWN = 100
Days = Annotated[int, Query(ge=1, le=90)]


def showing_router(database: Database, rules: MonitoringRules) -> APIRouter:
    router = APIRouter(tags=["monitoring"])

    @router.get("/monitoring")
    async def watched(caller: Reader, request: Request, before: str | None = None, limit: Limit = 50) -> dict[str, Any]:
        """Who is watched, the last begun first, with the alerts that wait for an answer."""
        facilities, place = sorted(caller.facilities), place_in("before", before)
        async with database.pool.acquire() as connection:
            items = await lists.watched(connection, facilities, caller.organisation, place, limit)
            await audited_read(connection, caller, "watched listed", [i["patient_id"] for i in items], request)
        last = items[-1] if len(items) == limit else None
        shown = [{**item, "worst": Severity(item["worst"]).name.lower()} for item in items]
        return {"items": shown, "next": f"{last['since'].isoformat()}_{last['id']}" if last else None}

    @router.get("/transitions/{transition_id}/monitoring")
    async def monitoring(transition_id: UUID, caller: Reader, request: Request, days: Days = 30) -> dict[str, Any]:
        """How the patient of this transition is watched (`monitoring` is null for who is not), what was measured within
        the days, and what can be watched at all.
        """
        async with database.pool.acquire() as connection:
            row = await transition_of(connection, transition_id)
            told = orjson.loads(row["body"]) if row else {}
            if row is None or not caller.sees(told["facility"]["code"], told.get("pcp_organisation")):
                raise unknown()
            shown = await _shown(connection, rules, transition_id, timedelta(days=days))
            await audited_read(connection, caller, "monitoring opened", [row["patient_id"]], request)
        known = {name: {"title": one.title, "unit": one.unit} for name, one in rules.signals.items()}
        return {
            "patient_id": row["patient_id"], "known": known, "variants": sorted(rules.variants),
            "rules": f"{rules.name}@{rules.version}", "days": days, **shown,
        }  # fmt: skip

    return router


async def _shown(
    connection: "Connection", rules: MonitoringRules, transition_id: UUID, within: timedelta
) -> dict[str, Any]:
    standing = await lists.standing(connection, transition_id)
    loaded = await store.load(connection, [], [standing]) if standing else []
    if not loaded:
        return {"monitoring": None, "signals": {}, "readings": [], "alerts": []}
    one = loaded[0]
    wanted: tuple[Any, ...] = (one.patient_id, [], None, False, int(Severity.INFORMATION), None, None, ALERTS_SHOWN)
    alerts = await store.listed(connection, *wanted)
    return {
        "monitoring": {
            "id": one.id, "since": one.since, "version": one.version, "variant": one.variant,
            "is_paused": one.is_paused, "missing_at": one.missing_at, "time_zone": one.time_zone,
        },
        "signals": {name: _signal(rules, one, name) for name in one.signals},
        "readings": await lists.readings(connection, one.patient_id, one.signals, within),
        "alerts": [alert.told() for alert in alerts if alert.monitoring_id == one.id],
    }  # fmt: skip


def _signal(rules: MonitoringRules, monitoring: Monitoring, name: str) -> dict[str, Any]:
    """What applies to this patient: own limits, the variant's, or the default ones; and what is `usual`, by variant
    (without one: the empty name).
    """
    signal, watch = rules.signals[name], rules.watch(name, monitoring.variant, monitoring.limits)
    return {
        **_told(watch), "title": signal.title, "unit": signal.unit, "is_own": name in monitoring.limits,
        "usual": {variant: _told(rules.watch(name, variant, {}))["limits"] for variant in ("", *rules.variants)},
        "missing_hours": rules.silence(watch), "low": signal.plausible.low, "high": signal.plausible.high,
    }  # fmt: skip


def _told(watch: Watch) -> dict[str, Any]:
    told = watch.model_dump(mode="json", include={"limits", "trends"})
    for limit in told["limits"] + told["trends"]:
        limit["severity"] = Severity(limit["severity"]).name.lower()
    return told
