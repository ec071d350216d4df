"""What every page has: who looks, where one may go from here, the word said after an action, templates."""

import base64
import hashlib
import secrets
import time
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import aiohttp
import orjson
from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.dashboard import clocks
from services.dashboard.forms import csrf_of
from services.dashboard.peers import Peers
from services.dashboard.settings import Settings
from services.dashboard.sight import Sight, Who, masked, sight_of, who_are
from services.dashboard.store import Connection, board
from services.dashboard.summaries import CLASSES, title_of
from shared.http import Caller, Problem, Role, audited_read, token_of
from shared.postgres import Database

HERE = Path(__file__).resolve().parent.parent
STATIC = HERE / "static"
SAID_COOKIE = "handoff_said"
SAID_SECONDS = 60
SHOWN_AGAIN_S = 900.0
LOOKERS = 2000

CARE = (Role.CARE_MANAGER,)
OPS = (Role.OPS, Role.AUDITOR)
PIPELINE = (*OPS, Role.INTEGRATION)
PROVIDER = (Role.PROVIDER,)
NAVIGATION: tuple[tuple[str, str, tuple[Role, ...]], ...] = (
    ("/", "Board", (*CARE, *OPS)),
    ("/work", "My work", CARE),
    ("/notices", "Notices", PROVIDER),
    ("/referrals", "Referrals", (*CARE, *PROVIDER, Role.AUDITOR)),
    ("/monitoring", "Monitoring", (*CARE, Role.AUDITOR)),
    ("/feeds", "Feeds", PIPELINE),
    ("/connect", "Connect a feed", (Role.INTEGRATION,)),
    ("/files", "Files", PIPELINE),
    ("/pipeline", "Pipeline", OPS),
    ("/parked", "Parked", OPS),
    ("/deliveries", "Deliveries", OPS),
    ("/messages", "Messages", OPS),
    ("/held", "Held", OPS),
    ("/identity", "Identity", OPS),
    ("/signals", "Signals", (*CARE, *OPS)),
    ("/quality", "Quality", (*CARE, *OPS)),
)


@dataclass
class Console:
    """What the pages share. `shown` remembers whom a page has just shown to whom, so that a live page which fetches
    itself again is audited once, and again for each patient who comes to stand on it.
    """

    database: Database
    peers: Peers
    http: aiohttp.ClientSession
    settings: Settings
    templates: Jinja2Templates
    shown: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)


def console_of(request: Request) -> Console:
    console: Console = request.app.state.console
    return console


def home_of(caller: Caller) -> str:
    """The first page that the caller may open."""
    return next((path for path, _, roles in NAVIGATION if caller.roles & {*roles, Role.ADMIN}), "/login")


def make_templates() -> Jinja2Templates:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "title_of": title_of,
        "local": clocks.local,
        "milliseconds": clocks.to_the_millisecond,
        "age": clocks.seconds_words,
        "masked": masked,
        "class_words": lambda code: CLASSES.get(code, code),
    }
    environment.globals |= {"clock_of": clocks.clock_of, "ago": clocks.ago, "asset": _asset_versions()}
    return Jinja2Templates(env=environment)


def _asset_versions() -> dict[str, str]:
    """URL of each static file, with its content's hash: a browser keeps it for long and never keeps an old one."""
    return {
        file.name: f"/static/{file.name}?v={hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"
        for file in sorted(STATIC.iterdir())
        if file.is_file()
    }


async def render(request: Request, template: str, caller: Caller, status: int = 200, **shown: Any) -> Response:
    """A page for the caller, with navigation; says once what the last action came to."""
    context = {
        "caller": caller,
        "sight": sight_of(caller),
        "may_care": bool(caller.roles & {Role.CARE_MANAGER, Role.ADMIN}),
        "may_look": bool(caller.roles & {*OPS, Role.ADMIN}),
        "may_operate": bool(caller.roles & {Role.OPS, Role.ADMIN}),
        "navigation": [(path, label) for path, label, roles in NAVIGATION if caller.roles & {*roles, Role.ADMIN}],
        "here": request.url.path,
        "csrf": csrf_of(token_of(request)),
        "once": secrets.token_hex(16),
        **shown,
    }
    return _render(request, template, status, context)


def render_plain(request: Request, template: str, status: int = 200, **shown: Any) -> Response:
    """A page for someone who is not signed in."""
    return _render(request, template, status, {"caller": None, "here": "", "navigation": [], "csrf": "", **shown})


def _render(request: Request, template: str, status: int, context: dict[str, Any]) -> Response:
    context |= {"notice": _said(request)}
    answer: HTMLResponse = console_of(request).templates.TemplateResponse(request, template, context, status)
    if context["notice"]:
        answer.delete_cookie(SAID_COOKIE)
    return answer


def say(request: Request, answer: Response, kind: str, text: str) -> Response:
    """Puts a line on the next page: `kind` is `good`, `warn` or `bad`. The text names nobody."""
    value = base64.urlsafe_b64encode(orjson.dumps([kind, text])).decode()
    secure = request.url.scheme == "https"
    answer.set_cookie(SAID_COOKIE, value, max_age=SAID_SECONDS, httponly=True, samesite="strict", secure=secure)
    return answer


def back_to(request: Request, path: str, kind: str, text: str) -> Response:
    """After an action: to a page, which says what came of it."""
    return say(request, RedirectResponse(path, 303), kind, text)


def _said(request: Request) -> tuple[str, str] | None:
    try:
        kind, text = orjson.loads(base64.urlsafe_b64decode(request.cookies.get(SAID_COOKIE, "")))
    except (ValueError, TypeError):
        return None
    return (str(kind), str(text)) if isinstance(kind, str) and kind in {"good", "warn", "bad"} else None


async def shown_to(
    connection: Connection, request: Request, caller: Caller, page: str, patients: Iterable[str]
) -> dict[str, Who]:
    """The patients as the caller may see them, and the audit's row that they were seen."""
    wanted = set(patients)
    sight: Sight = sight_of(caller)
    who = await who_are(connection, sight, wanted)
    new = _not_just_shown(console_of(request), (caller.subject, page), wanted)
    if new:
        await audited_read(connection, caller, page, sorted(new), request)
    return who


def _not_just_shown(console: Console, key: tuple[str, str], patients: set[str]) -> set[str]:
    now = time.monotonic()
    before = {who: at for who, at in console.shown.pop(key, {}).items() if at > now - SHOWN_AGAIN_S}
    new = patients - before.keys()
    console.shown[key] = before | dict.fromkeys(new, now)
    while len(console.shown) > LOOKERS:
        console.shown.pop(next(iter(console.shown)))
    return new


def must_be_listed(name: str, lists: Container[str]) -> None:
    """Raises Problem 404 for a list that there is none of."""
    if name not in lists:
        raise Problem(404, "There is no such list", slug="unknown-view")


def chosen_of(**choices: str) -> dict[str, str]:
    """What was chosen at all, to ask for it and to carry it on in links."""
    return {name: value for name, value in choices.items() if value}


def onward(path: str, kept: Mapping[str, str], place: str, following: str | None) -> str | None:
    """The address of what follows in a list; None at its end. `place` is the parameter that says where to go on."""
    return f"{path}?{urlencode({**kept, place: following})}" if following else None


async def seen_transition(connection: Connection, caller: Caller, transition_id: UUID) -> board.Record:
    """The transition, if it exists and the caller's bounds cover it. Raises Problem 404: otherwise both are one."""
    row = await board.transition(connection, transition_id)
    if row is None or not sight_of(caller).covers(row["facility"], row["pcp_organisation"]):
        raise Problem(404, "There is no such transition", slug="unknown-transition")
    return row
