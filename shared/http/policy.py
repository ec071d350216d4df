"""Who may call a route. Every route declares a policy, `allow(...)` or `public`; a service with one that does
not refuses to start.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, Request, params
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import Mount

from shared.http.problems import Problem
from shared.http.roles import Caller, Role
from shared.telemetry import log

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Policy:
    """Lets callers pass who hold one of `roles`; the admin always passes. With `unbound`, only those whose token names
    neither facilities nor an organisation: what such a route shows or does can't be divided among them.
    """

    def __init__(self, roles: frozenset[Role], *, unbound: bool = False) -> None:
        self.roles = roles | {Role.ADMIN}
        self._unbound = unbound

    async def __call__(self, request: Request) -> Caller:
        caller = await caller_of(request)
        if not caller.roles & self.roles:
            log.warning("caller refused", request_id=request.state.request_id, outcome="forbidden")
            raise Problem(403, "Not for this role", slug="forbidden", needs=sorted(self.roles))
        if self._unbound and caller.is_bound:
            log.warning("caller refused", request_id=request.state.request_id, outcome="bound")
            raise Problem(403, "Not for callers who are bound to facilities or an organisation", slug="bound-caller")
        return caller


class Public:
    """Marks a route that answers without a token."""

    async def __call__(self) -> None:
        return None


def allow(*roles: Role, unbound: bool = False) -> params.Depends:
    """Declares who may call a route and gives it the caller; `unbound` refuses callers whose token is bound.

    Written `caller: Annotated[Caller, allow(Role.OPS)]`, or in a router's `dependencies` where nobody asks who it is.
    """
    declared: params.Depends = Depends(Policy(frozenset(roles), unbound=unbound))
    return declared


public: params.Depends = Depends(Public())


@dataclass(frozen=True, slots=True)
class GuardedRoute:
    """A route with what it declares. `roles` are those who pass every policy; None where no token is asked for."""

    path: str
    methods: frozenset[str]
    roles: frozenset[Role] | None
    declared: bool


def guarded_routes(app: FastAPI) -> Iterator[GuardedRoute]:
    """Every route of the application, with its policy; mounted folders of static files have none and are left out."""
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, Mount):
            continue
        guards = list(_guards(route.dependant)) if isinstance(route.original_route, APIRoute) else []
        policies = [guard.roles for guard in guards if isinstance(guard, Policy)]
        roles = frozenset.intersection(*policies) if policies else None
        yield GuardedRoute(route.path or "", frozenset(route.methods or ()), roles, bool(guards))


def _guards(dependant: Dependant) -> Iterator[Policy | Public]:
    if isinstance(dependant.call, Policy | Public):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _guards(inner)


async def caller_of(request: Request) -> Caller:
    """Whoever the request's token speaks for. Raises Problem 401 when there is none or it is not valid, 429 when they
    ask too often.
    """
    known = getattr(request.state, "caller", None)
    if isinstance(known, Caller):
        return known
    caller: Caller = await request.app.state.tokens.verify(token_of(request))
    request.app.state.rates.take(caller.subject)
    request.state.caller = caller
    return caller


def token_of(request: Request) -> str:
    """The bearer token, else the console's session cookie where the application has one.

    A cookie travels without the user's will, so a changing request that relies on it must come from our own pages.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    cookie: Any = request.app.state.session_cookie
    if cookie and (held := request.cookies.get(cookie)):
        if request.method not in SAFE_METHODS and not _from_own_page(request):
            raise Problem(403, "Not from this site", slug="cross-site-request")
        return held
    raise Problem(401, "A bearer token is needed", slug="unauthenticated", headers={"WWW-Authenticate": "Bearer"})


def _from_own_page(request: Request) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == request.headers.get("host")
