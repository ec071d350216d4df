"""The local stack's own issuer of tokens, in the place of a hospital's identity provider. It asks for no password, so
it listens on loopback and is for this machine's demo and tests alone.

Signing in to the console: the console sends the browser to `/login`; a click on a role leads back to
`<console>/login/callback?code=…`; the console's server trades that code, once and within a minute, for the token by
`POST /exchange`. So no token ever stands in a URL.
"""

import asyncio
import secrets
import sys
import time
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, FastAPI, Query, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import Field
from pydantic_settings import BaseSettings
from starlette.middleware.trustedhost import TrustedHostMiddleware

from deploy.local.login_page import STYLE, login_page
from deploy.local.signing import SigningKey, open_key
from shared.http import HttpSettings, Problem, Role, StrictModel, create_app, environment, public, read_settings, serve
from shared.loopback import is_loopback
from shared.telemetry import configure

CODE_SECONDS = 60
MOST_CODES = 1000


class IssuerSettings(BaseSettings):
    model_config = environment("ISSUER_")

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8090, ge=0, le=65535, description="Port to listen on.")
    url: str = Field(default="http://127.0.0.1:8090", description="Own address, the `iss` of its tokens.")
    audience: str = Field(default="handoff", description="`aud` of its tokens.")
    console: str = Field(default="http://127.0.0.1:8080", description="Where the browser is sent after signing in.")
    folder: Path = Field(default=Path(".run"), description="Folder that keeps the signing key.")
    token_hours: float = Field(default=12, gt=0, le=24 * 30, description="How long a token is valid.")
    organisation: str = Field(
        default="lakeside-primary-care", description="Organisation of the provider system that signs in by click."
    )
    care_roles: tuple[str, ...] = Field(
        default=(),
        description="Owner roles whose tasks are those of the care manager who signs in by click, as a JSON list: "
        '["pharmacist"]; care-manager if none.',
    )
    outside_loopback: bool = Field(
        default=False, description="Allow other addresses than loopback: anyone who can reach it can be anyone."
    )


class TokenRequest(StrictModel):
    role: Role
    organisation: str | None = Field(default=None, max_length=100)
    facilities: tuple[str, ...] = Field(default=(), max_length=100)
    care_roles: tuple[str, ...] = Field(default=(), max_length=100)


class CodeExchange(StrictModel):
    code: str = Field(max_length=100)


class TokenAnswer(StrictModel):
    token: str
    expires_in: int


class LoginCodes:
    """Codes that stand for a signed-in role: each works once, and not for long."""

    def __init__(self) -> None:
        self._codes: dict[str, tuple[Role, float]] = {}

    def issue(self, role: Role) -> str:
        now = time.monotonic()
        self._codes = {code: held for code, held in self._codes.items() if held[1] > now}
        if len(self._codes) >= MOST_CODES:
            raise Problem(429, "Too many sign-ins at once", slug="too-many-sign-ins", headers={"Retry-After": "60"})
        code = secrets.token_urlsafe(24)
        self._codes[code] = (role, now + CODE_SECONDS)
        return code

    def redeem(self, code: str) -> Role:
        role, until = self._codes.pop(code, (None, 0.0))
        if role is None or until < time.monotonic():
            raise Problem(400, "The code is used up or too old", slug="invalid-code")
        return role


def issuer_router(settings: IssuerSettings, key: SigningKey) -> APIRouter:
    router = APIRouter(dependencies=[public])
    codes = LoginCodes()
    seconds = int(settings.token_hours * 3600)

    def token_for(asked: TokenRequest) -> TokenAnswer:
        organisation = asked.organisation
        if asked.role is Role.PROVIDER:
            organisation = organisation or settings.organisation
        token = key.token(
            issuer=settings.url,
            audience=settings.audience,
            seconds=seconds,
            role=asked.role,
            organisation=organisation,
            facilities=asked.facilities,
            care_roles=asked.care_roles,
        )
        return TokenAnswer(token=token, expires_in=seconds)

    @router.get("/.well-known/jwks.json")
    async def keys() -> dict[str, list[dict[str, object]]]:
        return {"keys": [key.published]}

    @router.get("/login", response_class=HTMLResponse)
    async def login(role: Role | None = None, state: Annotated[str | None, Query(max_length=200)] = None) -> Response:
        if role is None:
            return HTMLResponse(login_page(state))
        back = {"code": codes.issue(role)} | ({"state": state} if state else {})
        return RedirectResponse(f"{settings.console.rstrip('/')}/login/callback?{urlencode(back)}", 303)

    @router.get("/login.css")
    async def style() -> Response:
        return Response(STYLE, media_type="text/css")

    @router.post("/exchange")
    async def exchange(body: CodeExchange) -> TokenAnswer:
        role = codes.redeem(body.code)
        return token_for(TokenRequest(role=role, care_roles=settings.care_roles if role is Role.CARE_MANAGER else ()))

    @router.post("/token")
    async def token(body: TokenRequest) -> TokenAnswer:
        return token_for(body)

    return router


def build(settings: IssuerSettings) -> tuple[FastAPI, HttpSettings]:
    """The application and where it listens. Raises ValueError when the key file is not usable."""
    http = HttpSettings(
        host=settings.host,
        port=settings.port,
        issuer=settings.url,
        issuer_plaintext=settings.outside_loopback,  # its own address: nothing is read there
        plaintext_outside_loopback=settings.outside_loopback,
    )
    app = create_app(
        "issuer", database=None, settings=http, routers=[issuer_router(settings, open_key(settings.folder))]
    )
    # A page on the web that rebinds its own name to loopback must not be able to ask for tokens.
    own = {urlsplit(settings.url).hostname or "", "127.0.0.1", "localhost", "[::1]"}
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=sorted(own), www_redirect=False)
    return app, http


def main() -> None:
    settings = read_settings(IssuerSettings)
    if not is_loopback(settings.host) and not settings.outside_loopback:
        sys.stderr.write(
            f"ISSUER_HOST: saw '{settings.host}', wants a loopback address (or ISSUER_OUTSIDE_LOOPBACK=true)\n"
        )
        raise SystemExit(2)
    configure("issuer")
    app, http = build(settings)
    asyncio.run(serve(app, http))


if __name__ == "__main__":
    main()
