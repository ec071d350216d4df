"""Every route of every service declares who may call it, and holds to it: routes by {no token, each role}."""

import re
from itertools import product

import pytest
from fastapi import FastAPI

from shared.http import Role, guarded_routes
from shared.http.policy import GuardedRoute
from tests.integration.http.running import Answer, Client, Tokens, issuing
from tests.integration.security.applications import SERVICES, Running

OPEN_TO_ALL = {
    *("/healthz", "/readyz", "/metrics", "/openapi.json"),
    *("/login", "/login/as/{role}", "/login/callback", "/logout"),
}
ANY_ID = "0192d5a0-0000-7000-8000-000000000000"
ENDLESS = {"/live"}


def sample(route: GuardedRoute) -> str:
    return re.sub(r"{[^}]*}", ANY_ID, route.path)


async def ask(client: Client, method: str, route: GuardedRoute, role: Role | None) -> Answer:
    return await client.ask(method, sample(route), role, headers={"accept": "application/json"})


@pytest.mark.parametrize("service", SERVICES)
async def test_every_route_says_who_may_call_it(service: str, running: Running) -> None:
    app, _ = running[service]
    routes = list(guarded_routes(app))
    assert len(routes) > len(OPEN_TO_ALL)
    assert [route.path for route in routes if not route.declared] == []
    assert {route.path for route in routes if route.roles is None} <= OPEN_TO_ALL


@pytest.mark.parametrize("service", SERVICES)
async def test_no_token_and_no_other_role_gets_in(service: str, running: Running) -> None:
    app, client = running[service]
    for method, route in guarded(app):
        assert route.roles is not None
        assert (await ask(client, method, route, None)).status == 401, (method, route.path)
        for role in set(Role) - route.roles:
            answer = await ask(client, method, route, role)
            assert answer.status == 403, (method, route.path, role)


@pytest.mark.parametrize("service", SERVICES)
async def test_the_roles_a_page_names_get_in(service: str, running: Running) -> None:
    app, client = running[service]
    for method, route in guarded(app):
        if method != "GET" or route.path in ENDLESS:
            continue
        for role in route.roles or ():
            answer = await ask(client, method, route, role)
            assert answer.status not in {401, 405, 500}, (route.path, role, answer.text)
            assert answer.status != 403 or "urn:handoff:problem:forbidden" not in answer.text, (route.path, role)


def guarded(app: FastAPI) -> list[tuple[str, GuardedRoute]]:
    routes = [route for route in guarded_routes(app) if route.roles is not None]
    return [(method, route) for route in routes for method in sorted(route.methods - {"HEAD"})]


@pytest.mark.parametrize("service", SERVICES)
async def test_wrong_tokens_open_nothing(
    service: str, running: Running, tokens: Tokens, tmp_path_factory: pytest.TempPathFactory
) -> None:
    foreign = tmp_path_factory.mktemp("foreign")
    async with issuing(foreign) as (_, others):
        wrong = {
            "expired": tokens.of(Role.ADMIN, seconds=-120),
            "for another audience": tokens.of(Role.ADMIN, audience="elsewhere"),
            "of another issuer": others.of(Role.ADMIN),
            "of another issuer, in our issuer's name": others.of(Role.ADMIN, issuer=tokens.issuer),
        }
    app, client = running[service]
    method, route = guarded(app)[0]
    for (name, token), scheme in product(wrong.items(), ("Bearer", "bearer")):
        headers = {"authorization": f"{scheme} {token}", "accept": "application/json"}
        assert (await client.ask(method, sample(route), headers=headers)).status == 401, name


@pytest.mark.parametrize("service", SERVICES)
async def test_answers_of_every_service_are_careful(service: str, running: Running) -> None:
    _, client = running[service]
    page = await client.ask("GET", "/nowhere")
    assert page.status == 404
    for name in ("x-content-type-options", "x-frame-options", "referrer-policy", "content-security-policy"):
        assert page.headers.get(name), name
    assert "unsafe-inline" not in page.headers["content-security-policy"]
    assert "access-control-allow-origin" not in page.headers


async def test_a_live_stream_is_closed_to_strangers(running: Running) -> None:
    app, client = running["dashboard"]
    live = [route for route in guarded_routes(app) if route.path in ENDLESS]
    assert [(route.path, route.roles is not None) for route in live] == [("/live", True)]
    assert (await client.ask("GET", "/live", headers={"accept": "text/event-stream"})).status == 401
