"""Signing in and out: the issuer says who it is, a cookie that no script can read holds the token.

The browser goes to the issuer and comes back with a code; this server trades the code for the token. `state` ties the
way back to the browser that set out.
"""

import hmac
import secrets
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

import aiohttp
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from services.dashboard.forms import own_form
from services.dashboard.pages.page import console_of, home_of, render_plain, say
from services.dashboard.peers import TIMEOUT
from shared.http import Problem, Role, public
from shared.telemetry import log

SESSION_COOKIE = "handoff_session"
STATE_COOKIE = "handoff_state"
STATE_SECONDS = 300
SIGN_IN = "/login"


def session_router() -> APIRouter:
    router = APIRouter(tags=["session"], dependencies=[public], include_in_schema=False)
    router.add_api_route("/login", sign_in_page, methods=["GET"])
    router.add_api_route("/login/as/{role}", set_out, methods=["GET"])
    router.add_api_route("/login/callback", come_back, methods=["GET"])
    # Signing somebody out is an act too: no other site may do it in their name.
    router.add_api_route("/logout", sign_out, methods=["POST"], dependencies=[own_form])
    return router


async def sign_in_page(request: Request) -> Response:
    return render_plain(request, "login.html")


async def set_out(request: Request, role: Role) -> Response:
    """To the issuer, which knows the role already: one click."""
    state = secrets.token_urlsafe(24)
    issuer = console_of(request).settings.issuer_login.rstrip("/")
    answer = RedirectResponse(f"{issuer}/login?{urlencode({'role': role, 'state': state})}", 303)
    _set(request, answer, STATE_COOKIE, state, STATE_SECONDS, "lax")
    return answer


async def come_back(
    request: Request,
    code: Annotated[str, Query(max_length=200)] = "",
    state: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    held = request.cookies.get(STATE_COOKIE, "")
    if not code or not held or not hmac.compare_digest(state, held):
        return say(
            request, RedirectResponse(SIGN_IN, 303), "warn", "Signing in starts here, so that no one else can start it."
        )
    try:
        token, seconds = await _exchange(request, code)
        caller = await request.app.state.tokens.verify(token)
    except Problem as problem:
        return say(request, RedirectResponse(SIGN_IN, 303), "bad", f"Signing in failed: {problem.title}.")
    answer = render_plain(request, "arrived.html", home=home_of(caller))
    answer.delete_cookie(STATE_COOKIE)
    _set(request, answer, SESSION_COOKIE, token, seconds, "strict")
    return answer


async def sign_out() -> Response:
    answer = RedirectResponse(SIGN_IN, 303)
    answer.delete_cookie(SESSION_COOKIE)
    return answer


async def _exchange(request: Request, code: str) -> tuple[str, int]:
    """The token that the code stands for, and its lifetime in seconds. Raises Problem."""
    console = console_of(request)
    url = console.settings.issuer_login.rstrip("/") + "/exchange"
    try:
        async with console.http.post(url, json={"code": code}, timeout=TIMEOUT, allow_redirects=False) as answer:
            said: Any = await answer.json(content_type=None)
            if answer.status != HTTPStatus.OK:
                raise Problem(401, "the code is used up or too old")
            return str(said["token"]), int(said["expires_in"])
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
        log.warning("issuer does not answer", exc_info=error)
        raise Problem(503, "the issuer does not answer") from None


def _set(request: Request, answer: Response, name: str, value: str, seconds: int, same_site: Any) -> None:
    secure = request.url.scheme == "https"
    answer.set_cookie(name, value, max_age=seconds, httponly=True, samesite=same_site, secure=secure, path="/")
