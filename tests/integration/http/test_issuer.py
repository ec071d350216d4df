"""The local issuer: a click becomes a code, a code becomes a token once, and tokens open the services."""

from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import APIRouter

from deploy.local.ports import free_port
from deploy.local.signing import KEY_FILE, open_key
from shared.http import Caller, Role, allow
from tests.integration.http.running import Client, Tokens, issuing, service


def mirror() -> APIRouter:
    router = APIRouter()

    @router.get("/me")
    async def me(caller: Annotated[Caller, allow(*Role)]) -> Caller:
        return caller

    return router


async def click(issuer: Client, role: Role) -> str:
    answer = await issuer.ask("GET", f"/login?role={role}&state=abc")
    assert answer.status == 303
    back = urlsplit(answer.headers["location"])
    assert (back.scheme, back.netloc, back.path) == ("http", "127.0.0.1:9", "/login/callback")
    query = parse_qs(back.query)
    assert query["state"] == ["abc"]
    return query["code"][0]


@pytest.mark.parametrize("role", Role)
async def test_a_click_ends_in_a_token_of_that_role(role: Role, issuer: tuple[Client, Tokens]) -> None:
    client, tokens = issuer
    code = await click(client, role)
    answer = await client.ask("POST", "/exchange", json={"code": code})
    assert answer.status == 200
    bearer = {"authorization": f"Bearer {answer.body['token']}"}
    async with service(tokens, [mirror()]) as ward:
        caller = (await ward.ask("GET", "/me", headers=bearer)).body
    assert caller["roles"] == [role]
    assert caller["organisation"] == ("lakeside-primary-care" if role is Role.PROVIDER else None)


async def test_a_code_works_once(issuer: tuple[Client, Tokens]) -> None:
    client, _ = issuer
    code = await click(client, Role.OPS)
    assert (await client.ask("POST", "/exchange", json={"code": code})).status == 200
    again = await client.ask("POST", "/exchange", json={"code": code})
    assert (again.status, again.body["type"]) == (400, "urn:handoff:problem:invalid-code")
    assert (await client.ask("POST", "/exchange", json={"code": "guessed"})).status == 400


async def test_the_command_gets_a_token_for_an_organisation_and_facilities(issuer: tuple[Client, Tokens]) -> None:
    client, tokens = issuer
    asked = {
        "role": "provider-system",
        "organisation": "harbor-hospice",
        "facilities": ["MERCY"],
        "care_roles": ["pcp"],
    }
    answer = await client.ask("POST", "/token", json=asked)
    async with service(tokens, [mirror()]) as ward:
        caller = (await ward.ask("GET", "/me", headers={"authorization": f"Bearer {answer.body['token']}"})).body
    assert (caller["organisation"], caller["facilities"], caller["care_roles"]) == (
        "harbor-hospice",
        ["MERCY"],
        ["pcp"],
    )


async def test_the_page_has_a_link_per_role_and_no_script(issuer: tuple[Client, Tokens]) -> None:
    client, _ = issuer
    page = await client.ask("GET", "/login?state=a%22%3E%3Cscript%3E")
    for role in Role:
        assert f"/login?role={role}&amp;state=" in page.text
    assert "<script" not in page.text
    assert (await client.ask("GET", "/login?role=king")).status == 422


async def test_another_host_name_is_not_answered(issuer: tuple[Client, Tokens]) -> None:
    client, _ = issuer
    answer = await client.ask("POST", "/token", json={"role": "admin"}, headers={"host": "evil.example"})
    assert answer.status == 400
    assert "token" not in answer.text


async def test_the_key_outlives_a_restart_and_is_for_its_owner(tmp_path: Path) -> None:
    folder, port = tmp_path / "run", free_port()
    async with issuing(folder, port) as (first, _):
        published = (await first.ask("GET", "/.well-known/jwks.json")).body
    assert (folder / KEY_FILE).stat().st_mode & 0o777 == 0o600
    async with issuing(folder, port) as (second, _):
        assert (await second.ask("GET", "/.well-known/jwks.json")).body == published
    assert set(published["keys"][0]) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


def test_another_kind_of_key_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("-----BEGIN NONSENSE-----")
    with pytest.raises(ValueError, match="PEM"):
        open_key(tmp_path)
