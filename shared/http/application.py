"""The one way to make a service's HTTP application: routers in, and around them what every service owes."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI

from shared.http.health import Check, database_check, health_router
from shared.http.middleware import BodyLimit, CatchUnexpected, RequestContext, SecurityHeaders
from shared.http.policy import public
from shared.http.problems import install_problems
from shared.http.rates import CallerRates
from shared.http.settings import HttpSettings
from shared.http.tokens import TokenVerifier

if TYPE_CHECKING:
    from shared.postgres import Database

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    service: str,
    *,
    database: "Database | None",
    settings: HttpSettings,
    routers: Sequence[APIRouter],
    ready: Sequence[Check] = (),
    lifespan: Lifespan | None = None,
    session_cookie: str | None = None,
    body_limits: Mapping[str, int] | None = None,
) -> FastAPI:
    """The service's routes with health, metrics, problem details, authentication, body limit and security headers.

    `session_cookie` names a cookie that may hold the token instead of the Authorization header (the console's);
    a changing request must then come from the same origin. `body_limits` are bytes by path prefix, where uploads need
    more than the settings' limit.
    """
    app = FastAPI(
        title=f"Handoff {service}",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        telemetry={"auto_configure": False},  # nothing of a request leaves by an exporter that a variable turned on
    )
    app.state.service = service
    app.state.tokens = TokenVerifier(settings)
    app.state.rates = CallerRates(settings.caller_rate, settings.caller_burst)
    app.state.session_cookie = session_cookie
    install_problems(app)
    checks = [*([database_check(database)] if database is not None else []), *ready]
    for router in (health_router(service, checks), _description(app), *routers):
        app.include_router(router)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes, by_prefix=body_limits)
    app.add_middleware(CatchUnexpected)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestContext)
    return app


def _description(app: FastAPI) -> APIRouter:
    router = APIRouter(dependencies=[public])

    @router.get("/openapi.json", include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        return app.openapi()

    return router
