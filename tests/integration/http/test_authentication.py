"""Tokens on a real socket: who gets in, and what happens when the issuer is away."""

from pathlib import Path
from typing import Annotated

import pytest
from fastapi import APIRouter

from deploy.local.ports import free_port
from deploy.local.signing import open_key
from shared.http import Caller, Role, allow, public
from tests.integration.http.running import Client, Tokens, issuing, service


def ward() -> APIRouter:
    router = APIRouter()

    @router.get("/beds")
    async def beds(caller: Annotated[Caller, allow(Role.CARE_MANAGER, Role.OPS)]) -> dict[str, str]:
        return {"caller": caller.subject}

    @router.post("/beds")
    async def add(caller: Annotated[Caller, allow(Role.OPS)]) -> dict[str, str]:
        return {"caller": caller.subject}

    @router.get("/door", dependencies=[public])
    async def door() -> str:
        return "open"

    return router


async def test_a_route_lets_in_whom_it_names(tokens: Tokens) -> None:
    async with service(tokens, [ward()]) as client:
        answers = {role: (await client.ask("GET", "/beds", role)).status for role in Role}
        assert answers == dict.fromkeys(Role, 403) | dict.fromkeys((Role.CARE_MANAGER, Role.OPS, Role.ADMIN), 200)
        assert (await client.ask("GET", "/beds")).status == 401
        assert (await client.ask("GET", "/door")).status == 200


async def test_a_caller_who_asks_too_often_is_told_when_to_come_back_and_others_are_let_in(tokens: Tokens) -> None:
    async with service(tokens, [ward()], caller_rate=0.01, caller_burst=3) as client:
        answers = [await client.ask("GET", "/beds", Role.CARE_MANAGER) for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        assert answers[-1].headers["content-type"] == "application/problem+json"
        assert answers[-1].body["type"] == "urn:handoff:problem:too-many-requests"
        assert 0 < int(answers[-1].headers["retry-after"]) <= 100
        assert (await client.ask("GET", "/beds", Role.OPS)).status == 200
        assert (await client.ask("GET", "/door")).status == 200


async def test_refusals_are_problem_documents(tokens: Tokens) -> None:
    async with service(tokens, [ward()]) as client:
        missing = await client.ask("GET", "/beds")
        assert missing.headers["content-type"] == "application/problem+json"
        assert missing.headers["www-authenticate"] == "Bearer"
        assert missing.body["type"] == "urn:handoff:problem:unauthenticated"
        wrong = await client.ask("GET", "/beds", headers={"authorization": "Bearer not.a.token"})
        assert (wrong.status, wrong.body["reason"]) == (401, "malformed")
        forbidden = await client.ask("GET", "/beds", Role.AUDITOR)
        assert forbidden.body["needs"] == ["admin", "care-manager", "ops"]


async def test_a_session_cookie_is_no_key_for_other_sites(tokens: Tokens) -> None:
    cookie = {"cookie": f"session={tokens.of(Role.OPS)}"}
    async with service(tokens, [ward()], session_cookie="session") as client:
        assert (await client.ask("GET", "/beds", headers=cookie)).status == 200
        assert (await client.ask("POST", "/beds", headers=cookie)).status == 403
        for said, status in {"same-origin": 200, "cross-site": 403, "same-site": 403, "none": 403}.items():
            answer = await client.ask("POST", "/beds", headers=cookie | {"sec-fetch-site": said})
            assert answer.status == status, said
        assert (await client.ask("POST", "/beds", headers=cookie | {"origin": client.url})).status == 200
        assert (await client.ask("POST", "/beds", headers=cookie | {"origin": "http://evil.example"})).status == 403


async def test_a_service_without_a_console_takes_no_cookie(tokens: Tokens) -> None:
    async with service(tokens, [ward()]) as client:
        answer = await client.ask("GET", "/beds", headers={"cookie": f"session={tokens.of(Role.OPS)}"})
        assert answer.status == 401


async def test_tokens_are_accepted_while_the_issuer_is_down(tmp_path: Path) -> None:
    async with issuing(tmp_path) as (_, tokens):
        running = service(tokens, [ward()])
        client = await running.__aenter__()
        assert (await client.ask("GET", "/beds", Role.OPS)).status == 200
    assert (await client.ask("GET", "/beds", Role.OPS)).status == 200
    await running.__aexit__(None, None, None)


async def test_without_ever_having_seen_the_keys_a_service_says_503(tmp_path: Path) -> None:
    port = free_port()
    tokens = Tokens(open_key(tmp_path), f"http://127.0.0.1:{port}")
    async with service(tokens, [ward()]) as client:
        away = await client.ask("GET", "/beds", Role.OPS)
        assert (away.status, away.body["type"]) == (503, "urn:handoff:problem:issuer-unavailable")
        assert (await client.ask("GET", "/readyz")).status == 200


async def test_unknown_key_ids_do_not_make_the_service_ask_each_time(
    issuer: tuple[Client, Tokens], tmp_path: Path
) -> None:
    issuer_client, tokens = issuer
    foreign = Tokens(open_key(tmp_path), tokens.issuer)
    async with service(tokens, [ward()]) as client:
        assert (await client.ask("GET", "/beds", Role.OPS)).status == 200
        before = await asked(issuer_client)
        for _ in range(20):
            answer = await client.ask("GET", "/beds", headers={"authorization": f"Bearer {foreign.of(Role.OPS)}"})
            assert (answer.status, answer.body["reason"]) == (401, "unknown-key")
        assert await asked(issuer_client) - before <= 1


async def asked(issuer: Client) -> float:
    """How often anyone has read the issuer's keys."""
    wanted = 'handoff_http_requests_total{method="GET",route="/.well-known/jwks.json",status="200"} '
    lines = (await issuer.ask("GET", "/metrics")).text.splitlines()
    return sum(float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted))


@pytest.mark.parametrize("scheme", ["bearer", "Bearer", "BEARER"])
async def test_the_scheme_is_read_in_any_case(scheme: str, tokens: Tokens) -> None:
    async with service(tokens, [ward()]) as client:
        answer = await client.ask("GET", "/beds", headers={"authorization": f"{scheme} {tokens.of(Role.OPS)}"})
        assert answer.status == 200
