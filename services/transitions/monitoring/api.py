"""The routes of remote monitoring: who is watched and how, alerts and their answers, readings nobody could judge."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID, uuid5

import orjson
from fastapi import APIRouter, Query, Request
from pydantic import Field

from services.transitions.acting import Act, StaleVersionError, UnknownError
from services.transitions.answers import act_of, answered, place_in
from services.transitions.monitoring import lists, store
from services.transitions.monitoring.alert import Alert
from services.transitions.monitoring.answering import acknowledge
from services.transitions.monitoring.rules import MonitoringRules, Severity, Watch
from services.transitions.monitoring.store import Monitoring
from services.transitions.monitoring.watching import plan_silence
from services.transitions.protocols import Library
from services.transitions.referrals.store import transition_of
from services.transitions.task import NotAllowedError
from shared.http import Caller, Problem, Role, StrictModel, allow, audited, audited_read
from shared.postgres import Database, Transaction

Reader = Annotated[Caller, allow(Role.CARE_MANAGER, Role.AUDITOR)]
CareManager = Annotated[Caller, allow(Role.CARE_MANAGER)]
Limit = Annotated[int, Query(ge=1, le=200)]
ENDED = frozenset({"revoked"})


class Watching(StrictModel):
    """`limits` are the patient's own and replace a signal's defaults; `variant` is a set for a condition (copd).
    `version` is the one that the person saw: 0 where nobody watched the patient.
    """

    signals: tuple[str, ...] = Field(min_length=1, max_length=20)
    variant: str | None = None
    limits: Mapping[str, Watch] = {}
    version: int = Field(default=0, ge=0)


class Answered(StrictModel):
    outcome: str = Field(min_length=1, max_length=500)


def monitoring_router(database: Database, library: Library, rules: MonitoringRules) -> APIRouter:
    router = APIRouter(tags=["monitoring"])
    _add_watching(router, database, rules)
    _add_alerts(router, database, library)
    return router


def _add_watching(router: APIRouter, database: Database, rules: MonitoringRules) -> None:
    @router.put("/transitions/{transition_id}/monitoring")
    async def watch(transition_id: UUID, body: Watching, caller: CareManager, request: Request) -> dict[str, Any]:
        """Watches the patient from now on, or changes how; said twice it is as said once. A change on top of another's
        change is refused (409 `stale-version`, with the version that stands).
        """
        _must_be_known(body, rules)
        async with database.transaction() as tx:
            act = await act_of(tx, caller, request, None)
            started = await answered(_start(tx, rules, transition_id, body, act))
            await audited(tx.connection, caller, "monitoring set", [started.patient_id], request)
        return {"id": started.id, "version": started.version, "since": started.since, "signals": started.signals}

    @router.delete("/transitions/{transition_id}/monitoring", status_code=204)
    async def stop(transition_id: UUID, caller: CareManager, request: Request) -> None:
        async with database.transaction() as tx:
            act = await act_of(tx, caller, request, None)
            patient = await answered(_patient_of(tx, transition_id, act))
            await store.end(tx.connection, transition_id, act.at)
            await audited(tx.connection, caller, "monitoring ended", [patient], request)


def _must_be_known(body: Watching, rules: MonitoringRules) -> None:
    wants: dict[str, str] = {}
    if not set(body.signals) <= set(rules.signals):
        wants["signals"] = f"known are {', '.join(sorted(rules.signals))}"
    if not set(body.limits) <= set(body.signals):
        wants["limits"] = "limits are for the signals that are watched"
    if body.variant is not None and body.variant not in rules.variants:
        wants["variant"] = f"known are {', '.join(sorted(rules.variants))}"
    if wants:
        field, detail = next(iter(wants.items()))
        raise Problem(422, "The request does not fit", detail, slug="invalid-request", field=f"body.{field}")


def _must_be_seen(seen: int, version: int) -> None:
    """Raises StaleVersionError where the monitoring is not as the person saw it; 0 stands for none."""
    if seen != version:
        raise StaleVersionError(
            version, "it was changed meanwhile" if version else "the patient is not watched any more"
        )


async def _patient_of(tx: Transaction, transition_id: UUID, act: Act) -> str:
    row = await transition_of(tx.connection, transition_id)
    told = orjson.loads(row["body"]) if row else {}
    if row is None or not act.sees(told["facility"]["code"], told.get("pcp_organisation")):
        raise UnknownError
    return (await tx.lock([row["patient_id"]]))[row["patient_id"]]


async def _start(tx: Transaction, rules: MonitoringRules, transition_id: UUID, body: Watching, act: Act) -> Monitoring:
    patient = await _patient_of(tx, transition_id, act)
    row = await transition_of(tx.connection, transition_id)
    told = orjson.loads(row["body"]) if row else {}
    if told["status"] in ENDED:
        raise NotAllowedError("a revoked transition is not watched")
    before = await store.standing(tx.connection, transition_id)
    monitoring = Monitoring(
        id=before["id"] if before else uuid5(transition_id, "monitoring"),
        patient_id=patient,
        transition_id=transition_id,
        encounter_id=UUID(told["encounter_id"]),
        facility=told["facility"]["code"],
        time_zone=told["facility"]["time_zone"],
        signals=tuple(sorted(set(body.signals))),
        variant=body.variant,
        limits=dict(body.limits),
        since=before["since"] if before else act.at,
        version=(before["version"] if before else 0) + 1,
    )
    running = await store.load(tx.connection, [], [monitoring.id])
    if running and running[0].is_watched_as(monitoring):
        return running[0]
    _must_be_seen(body.version, running[0].version if running else 0)
    await store.save(tx.connection, monitoring)
    await plan_silence(tx, rules, monitoring, await store.alerts_of(tx.connection, monitoring.id, monitoring.since))
    return monitoring


def _add_alerts(router: APIRouter, database: Database, library: Library) -> None:
    @router.get("/monitoring/alerts")
    async def alerts(
        caller: Reader,
        request: Request,
        patient: str | None = None,
        open_only: bool = True,  # noqa: FBT001, FBT002
        least: Severity = Severity.INFORMATION,
        before: str | None = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """Newest first; `least` severity 0 information, 1 advisory, 2 urgent."""
        at, last = place_in("before", before) or (None, None)
        wanted = (patient, sorted(caller.facilities), caller.organisation, open_only, int(least), at, last, limit)
        async with database.pool.acquire() as connection:
            found = await store.listed(connection, *wanted)
            stays = await lists.transitions_of(connection, [alert.monitoring_id for alert in found])
            await audited_read(connection, caller, "alerts listed", [a.patient_id for a in found], request)
        end = found[-1] if len(found) == limit else None
        following = f"{end.raised_at.isoformat()}_{end.id}" if end else None
        items = [alert.told() | {"transition_id": stays.get(alert.monitoring_id)} for alert in found]
        return {"items": items, "next": following}

    @router.get("/monitoring/doubtful")
    async def doubtful(caller: Reader, request: Request, limit: Limit = 50) -> dict[str, Any]:
        """Readings of watched patients that nobody can judge: implausible, of an unknown unit, no number."""
        async with database.pool.acquire() as connection:
            found = await store.doubtful(connection, sorted(caller.facilities), caller.organisation, limit)
            await audited_read(connection, caller, "readings listed", [r["patient_id"] for r in found], request)
        return {"items": found}

    @router.post("/monitoring/alerts/{alert_id}/acknowledge")
    async def answer(alert_id: UUID, body: Answered, caller: CareManager, request: Request) -> dict[str, Any]:
        """The alert is answered and its task done; later readings alert again."""
        async with database.transaction() as tx:
            act = await act_of(tx, caller, request, None)
            done = await answered(_acknowledge(tx, library, alert_id, act, body.outcome))
            await audited(tx.connection, caller, "alert acknowledged", [done.patient_id], request)
        return done.told()


async def _acknowledge(tx: Transaction, library: Library, alert_id: UUID, act: Act, outcome: str) -> Alert:
    found = await store.alert(tx.connection, alert_id)
    if found is None or not act.sees(found.facility, await store.organisation_of(tx.connection, found.monitoring_id)):
        raise UnknownError
    await tx.lock([found.patient_id])
    found = await store.alert(tx.connection, alert_id)
    watched = await store.load(tx.connection, [], [found.monitoring_id]) if found else []
    if found is None or not watched:
        raise NotAllowedError("the patient is not watched any more")
    return await acknowledge(tx, library, watched[0], found, act.actor, outcome, act.cause)
