"""Patients watched at home, from the transitions service: alerts, everyone watched, doubtful readings, one patient."""

import asyncio
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.dashboard.forms import own_form
from services.dashboard.pages.acts import Word, Words, refused, tell
from services.dashboard.pages.page import (
    CARE,
    back_to,
    console_of,
    must_be_listed,
    onward,
    render,
    seen_transition,
    shown_to,
)
from services.dashboard.readings import OWN, chart_of, own_limits, own_values, trend_words, unit_words, usual_values
from services.dashboard.store import board
from services.dashboard.unsent import Change, limit_changes
from services.dashboard.worklines import instant
from shared.http import Caller, Problem, Role, allow, token_of

PER_PAGE = 50
EVERY_S = 10
router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, allow(*CARE, Role.AUDITOR)]
Carer = Annotated[Caller, allow(*CARE)]
Choice = Annotated[str, Query(max_length=100)]
LISTS = {"alerts": "/monitoring/alerts", "watched": "/monitoring", "doubtful": "/monitoring/doubtful"}
TIMES = ("raised_at", "since", "latest", "missing_at", "at")
SERVICE = "transitions"


@router.get("/monitoring")
async def monitoring_page(request: Request, caller: Reader, show: Choice = "alerts", before: Choice = "") -> Response:
    """Alerts that wait for an answer; or everyone watched; or readings that nobody could judge."""
    must_be_listed(show, LISTS)
    asked = {"limit": str(PER_PAGE)} | ({"before": before} if before and show != "doubtful" else {})
    found: dict[str, Any] = await console_of(request).peers.get(SERVICE, LISTS[show], token_of(request), asked)
    rows = [item | {name: instant(item[name]) for name in TIMES if name in item} for item in found["items"]]
    async with console_of(request).database.pool.acquire() as connection:
        now = await board.clock(connection)
        who = await shown_to(connection, request, caller, "monitoring", (row["patient_id"] for row in rows))
    return await render(
        request,
        "monitoring.html",
        caller,
        show=show,
        rows=[(row, who[row["patient_id"]]) for row in rows],
        more=onward("/monitoring", {"show": show}, "before", found.get("next")),
        now=now,
        watch=["monitoring"],
        pace=EVERY_S,
    )


@router.get("/transitions/{transition_id}/monitoring")
async def watching_page(request: Request, caller: Reader, transition_id: UUID) -> Response:
    """One patient: each signal's readings beside the limits that apply, alerts, and how the patient is watched."""
    found = await _found(request, transition_id)
    async with console_of(request).database.pool.acquire() as connection:
        row = await seen_transition(connection, caller, transition_id)
        now = await board.clock(connection)
        who = await shown_to(connection, request, caller, "monitoring", [row["patient_id"]])
    zone, signals = row["time_zone"], found["signals"]
    variant = (found["monitoring"] or {}).get("variant") or ""
    alerts = [alert | {"raised_at": instant(alert["raised_at"])} for alert in found["alerts"]]
    return await render(
        request,
        "watching.html",
        caller,
        row=row,
        who=who[row["patient_id"]],
        watching=found["monitoring"],
        since=instant((found["monitoring"] or {}).get("since")),
        known={name: one | {"unit": unit_words(one["unit"])} for name, one in found["known"].items()},
        variants=found["variants"],
        rules=found["rules"],
        days=found["days"],
        signals=signals,
        trends={
            name: [trend_words(one, unit_words(of["unit"])) for one in of["trends"]] for name, of in signals.items()
        },
        usual={name: usual_values(signal, variant) for name, signal in signals.items()},
        own={name: own_values(signal) for name, signal in signals.items()},
        fields=OWN,
        charts=[chart_of(name, signal, found["readings"], zone) for name, signal in signals.items()],
        alerts=alerts,
        now=now,
        watch=["monitoring"],
        pace=EVERY_S,
    )


async def _found(request: Request, transition_id: UUID) -> dict[str, Any]:
    path = f"/transitions/{transition_id}/monitoring"
    found: dict[str, Any] = await console_of(request).peers.get(SERVICE, path, token_of(request))
    return found


@router.post("/monitoring/alerts/{alert_id}/acknowledge", dependencies=[own_form])
async def acknowledge(
    request: Request, _caller: Carer, alert_id: UUID, words: Words = "", transition: Word = ""
) -> Response:
    """The alert is answered, with what came of it, and its task done."""
    here = f"/transitions/{UUID(transition)}/monitoring" if _is_id(transition) else "/monitoring"
    if not words.strip():
        return back_to(request, here, "bad", "Not done yet: say what came of it.")
    path = f"/monitoring/alerts/{alert_id}/acknowledge"
    done = "Answered: its task is done, and later readings alert again."
    return await tell(request, SERVICE, path, {"outcome": words.strip()}, here=here, done=done)


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


@router.post("/transitions/{transition_id}/monitoring", dependencies=[own_form])
async def watch(request: Request, caller: Carer, transition_id: UUID) -> Response:
    """Watches the patient from now on, or changes how."""
    here = f"/transitions/{transition_id}/monitoring"
    form = await request.form()
    given = {name: value for name, value in form.items() if isinstance(value, str)}
    signals = [value for value in form.getlist("signal") if isinstance(value, str)]
    try:
        async with asyncio.timeout(15):
            body = _watch_body(await _found(request, transition_id), signals, given, caller.subject)
    except Problem as problem:
        return await refused(request, problem, here)

    async def changes(_since: datetime) -> list[Change]:
        return limit_changes((await _found(request, transition_id))["signals"], given)

    done = "From now on watched so."
    return await tell(request, SERVICE, here, body, here=here, done=done, method="PUT", changes=changes)


def _watch_body(found: dict[str, Any], signals: list[str], given: dict[str, str], by: str) -> dict[str, Any]:
    """What the service is told. Signals that were not watched yet begin with the usual limits."""
    if not signals:
        raise Problem(422, "choose at least one signal", slug="words-missing")
    limits = {}
    for name in signals:
        own = own_limits(found["signals"][name], given, name, by) if name in found["signals"] else None
        if own is not None:
            limits[name] = own
    version = (found["monitoring"] or {}).get("version", 0)
    seen = int(given["version"]) if given.get("version", "").isdecimal() else version
    return {"signals": signals, "variant": given.get("variant") or None, "limits": limits, "version": seen}


@router.post("/transitions/{transition_id}/monitoring/stop", dependencies=[own_form])
async def stop(request: Request, _caller: Carer, transition_id: UUID) -> Response:
    here = f"/transitions/{transition_id}/monitoring"
    return await tell(request, SERVICE, here, {}, here=here, done="Not watched any more.", method="DELETE")
