"""Quality: what was done of what had to be, by measure and month; and the patients behind each figure."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from services.dashboard.pages.page import CARE, OPS, console_of, render, shown_to
from services.dashboard.quality import chart_of, lines, months_between, share_of, shares_by
from services.dashboard.store import board
from shared.http import Caller, Problem, Role, allow, token_of

router = APIRouter(include_in_schema=False)
Looker = Annotated[Caller, allow(*CARE, *OPS)]
Reader = Annotated[Caller, allow(*CARE, Role.AUDITOR)]
Measure = Annotated[str, Path(pattern=r"^[A-Z0-9-]{1,40}$")]
HERE = "/quality"
CHOSEN = ("facility", "organisation", "protocol", "since", "until")
STATUSES = ("missed", "met", "pending", "excluded")
SIDES = ("facility", "organisation", "protocol")
WIDE = (720.0, 96.0)
LONGEST_SHEET = "1000"
CSV = "text/csv; charset=utf-8"


@router.get(HERE)
async def quality_page(request: Request, caller: Looker) -> Response:
    chosen = _chosen(request)
    said: dict[str, Any] = {"lines": {}, "months": (), "waiting": 0}
    away = None
    try:
        measures = (await _get(request, "/quality/measures"))["items"]
        told = await _get(request, "/quality/overview", chosen)
        months = months_between(told["since"], told["until"])
        found = lines(measures, told["items"], told["months"], months)
        said = {"lines": found, "months": months, "waiting": told["waiting"]}
    except Problem as problem:
        away = problem.detail or problem.title
    shown = await _frame(request, caller, chosen)
    return await render(request, "quality.html", caller, **said, **shown, away=away)


@router.get(f"{HERE}/figures.csv")
async def figures_csv(request: Request, _caller: Looker) -> Response:
    """The same figures by month, as a sheet."""
    text = await _text(request, "/quality/figures.csv", {**_chosen(request), "by": "month"})
    return _sheet(text, "quality-figures")


@router.get(f"{HERE}/{{measure_id}}/patients.csv")
async def patients_csv(request: Request, _caller: Reader, measure_id: Measure) -> Response:
    """Those behind the figure; transitions writes down that they were read."""
    params = {**_listing(request), "limit": LONGEST_SHEET}
    return _sheet(await _text(request, f"/quality/measures/{measure_id}/patients.csv", params), f"quality-{measure_id}")


@router.get(f"{HERE}/{{measure_id}}/report")
async def report(request: Request, _caller: Reader, measure_id: Measure) -> JSONResponse:
    """The measure's FHIR MeasureReport, with strata by month."""
    said = await _get(request, f"/quality/measures/{measure_id}/report", {**_chosen(request), "by": "month"})
    headers = {"content-disposition": f'attachment; filename="measure-report-{measure_id}.json"'}
    return JSONResponse(said, media_type="application/fhir+json", headers=headers)


@router.get(f"{HERE}/{{measure_id}}")
async def measure_page(request: Request, caller: Looker, measure_id: Measure) -> Response:
    """One measure: what it counts and can't know, its months, by whichever side, and who is behind it."""
    chosen = _chosen(request)
    measure = await _get(request, f"/quality/measures/{measure_id}")
    asked = {**chosen, "measure": measure_id}
    totals = await _get(request, "/quality/figures", asked)
    by = {side: (await _get(request, "/quality/figures", {**asked, "by": side}))["items"] for side in (*SIDES, "month")}
    months = months_between(totals["since"], totals["until"])
    lower = measure["better"] == "lower"
    people: dict[str, Any] = {"items": [], "next": None}
    may_read = bool(caller.roles & {*CARE, Role.AUDITOR, Role.ADMIN})
    listing = _listing(request)
    if may_read:
        people = await _get(request, f"/quality/measures/{measure_id}/patients", listing)
    async with console_of(request).database.pool.acquire() as connection:
        who = await shown_to(connection, request, caller, "quality", (one["patient_id"] for one in people["items"]))
    more = {**listing, "before": people["next"]} if people["next"] else None
    return await render(
        request,
        "measure.html",
        caller,
        measure=measure,
        share=share_of(next(iter(totals["items"]), None)),
        chart=chart_of(by["month"], months, lower=lower, size=WIDE),
        months=months,
        by_month=shares_by(by["month"], "month"),
        sides={side: shares_by(by[side], side) for side in SIDES},
        people=people["items"],
        who=who,
        statuses=STATUSES,
        listed=listing["status"],
        links={status: _address(measure_id, {**chosen, "status": status}) for status in STATUSES},
        sheet=_address(measure_id, {**listing}, "/patients.csv"),
        more=_address(measure_id, more) if more else None,
        may_read=may_read,
        **await _frame(request, caller, chosen),
    )


async def _frame(request: Request, caller: Caller, chosen: dict[str, str]) -> dict[str, Any]:
    async with console_of(request).database.pool.acquire() as connection:
        facilities = await board.facilities(connection, sorted(caller.facilities) or None, caller.organisation)
        now = await board.clock(connection)
    kept = f"?{urlencode(chosen)}" if chosen else ""
    return {
        "chosen": dict.fromkeys(CHOSEN, "") | chosen,
        "kept": kept,
        "facilities": facilities,
        "now": now,
        "watch": [],
    }


def _chosen(request: Request) -> dict[str, str]:
    return {name: value for name in CHOSEN if (value := request.query_params.get(name, "").strip())}


def _listing(request: Request) -> dict[str, str]:
    """What is listed: those missed, unless something else is asked for."""
    status = request.query_params.get("status", STATUSES[0])
    place = {"before": before} if (before := request.query_params.get("before")) else {}
    return {**_chosen(request), "status": status if status in STATUSES else STATUSES[0], **place}


def _address(measure_id: str, params: dict[str, str], end: str = "") -> str:
    return f"{HERE}/{measure_id}{end}?{urlencode(params)}"


def _sheet(text: str, name: str) -> Response:
    return Response(text, media_type=CSV, headers={"content-disposition": f'attachment; filename="{name}.csv"'})


async def _get(request: Request, path: str, params: dict[str, str] | None = None) -> Any:
    return await console_of(request).peers.get("transitions", path, token_of(request), params)


async def _text(request: Request, path: str, params: dict[str, str]) -> str:
    return await console_of(request).peers.get_text("transitions", path, token_of(request), params)
