"""Feeds and signals: is anything coming in, is it taken, is anything unusual."""

from collections import defaultdict
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response

from services.dashboard.charts import census_back, line_of
from services.dashboard.clocks import ago, span
from services.dashboard.feeds import MINUTES_SHOWN, health_of
from services.dashboard.gauges import WardLine, ward_lines
from services.dashboard.pages.page import CARE, OPS, PIPELINE, console_of, render
from services.dashboard.store import board, operations
from services.dashboard.weeks import DAYS, WeekChart, week_charts
from shared.http import Caller, Problem, allow, token_of

router = APIRouter(include_in_schema=False)
CENSUS_HOURS = 48


@router.get("/feeds")
async def feeds_page(request: Request, caller: Annotated[Caller, allow(*PIPELINE)]) -> Response:
    console = console_of(request)
    async with console.database.pool.acquire() as connection:
        now = await board.clock(connection)
        known = await operations.feeds(connection)
        minutes: dict[str, list[Any]] = defaultdict(list)
        for row in await operations.minutes(connection, MINUTES_SHOWN + 1):
            minutes[row["feed"]].append(row)
        signals = await operations.open_signals(connection)
    weeks, away = await _weeks(request)
    quiet_after = timedelta(seconds=console.settings.feed_quiet_after_s)
    feeds = [
        health_of(feed, minutes[feed["feed"]], signals, now, quiet_after, weeks.get(feed["feed"])) for feed in known
    ]
    return await render(
        request, "feeds.html", caller, feeds=feeds, days=DAYS, away=away, now=now, watch=["feeds", "signals"]
    )


@router.get("/signals")
async def signals_page(request: Request, caller: Annotated[Caller, allow(*CARE, *OPS)]) -> Response:
    async with console_of(request).database.pool.acquire() as connection:
        now = await board.clock(connection)
        found = await operations.signals(connection)
        present = await operations.present(connection)
        moves = await operations.moves(connection, CENSUS_HOURS)
        overdue = await operations.overdue(connection)
    wards, away = await _wards(request)
    signals = [
        {**row, "lasted": span((row["cleared_at"] or now) - row["since"]), "ago": ago(row["cleared_at"], now)}
        for row in found
        if row["facility"] is None or _visible(caller, row)
    ]
    return await render(
        request,
        "signals.html",
        caller,
        signals=signals,
        census=[_census(row, moves, now) for row in present if _visible(caller, row)],
        overdue=[row for row in overdue if _visible(caller, row)],
        wards=[ward for ward in wards if caller.sees(ward.facility)],
        away=away,
        hours=CENSUS_HOURS,
        now=now,
        watch=["signals", "stays"],
    )


async def _weeks(request: Request) -> tuple[dict[str, WeekChart], str | None]:
    """The week of each feed against its profile; or none, and why they can't be told."""
    try:
        said = await console_of(request).peers.get("transitions", "/signals/weeks", token_of(request))
    except Problem as problem:
        return {}, problem.title
    return week_charts(said["items"]), None


async def _wards(request: Request) -> tuple[list[WardLine], str | None]:
    """The wards as the live signals count them; or none, and why they can't be told."""
    try:
        said = await console_of(request).peers.get("transitions", "/signals/gauges", token_of(request))
    except Problem as problem:
        return [], problem.title
    return ward_lines(said["items"]), None


def _visible(caller: Caller, row: Any) -> bool:
    return caller.sees(row["facility"])


def _census(row: Any, moves: list[Any], now: Any) -> dict[str, Any]:
    own = [move for move in moves if move["facility"] == row["facility"]]
    return {
        "facility": row["name"] or row["facility"],
        "chart": line_of(census_back(now, row["present"], own, CENSUS_HOURS)),
        "came": sum(move["came"] for move in own if move["hour"] > now - timedelta(hours=24)),
        "went": sum(move["went"] for move in own if move["hour"] > now - timedelta(hours=24)),
    }
