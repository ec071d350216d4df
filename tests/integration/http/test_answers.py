"""What every answer of every service has: headers, an id, limits, and errors that give nothing away."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from fastapi import APIRouter, Request, Response

from shared.http import Check, NotReadyError, Problem, StrictModel, public
from shared.telemetry import configure
from tests.integration.http.running import Tokens, service
from tests.support.databases import Databases

NAME = "Zebulon Quillfeather"


class Bed(StrictModel):
    number: int


def ward() -> APIRouter:
    router = APIRouter(dependencies=[public])

    @router.post("/beds")
    async def add(bed: Bed) -> int:
        return bed.number

    @router.post("/raw")
    async def raw(request: Request) -> int:
        return len(await request.body())

    @router.get("/beds/{number}")
    async def one(number: int) -> int:
        if number == 13:
            raise Problem(404, "No such bed", slug="unknown-bed", bed=number)
        return number

    @router.get("/broken")
    async def broken() -> None:
        raise KeyError(NAME)

    @router.get("/page")
    async def page() -> Response:
        return Response("x", headers={"content-security-policy": "default-src 'none'", "cache-control": "max-age=9"})

    return router


async def test_a_wrong_field_is_named_and_not_quoted(tokens: Tokens) -> None:
    async with service(tokens, [ward()]) as client:
        answer = await client.ask("POST", "/beds", json={"number": NAME, "ward": NAME})
        assert answer.status == 422
        assert [entry["field"] for entry in answer.body["errors"]] == ["body.number", "body.ward"]
        assert NAME not in answer.text
        broken = await client.ask("POST", "/beds", data=b'{"number": ', headers={"content-type": "application/json"})
        assert (broken.status, broken.body["errors"][0]["kind"]) == (422, "json_invalid")


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("DELETE", "/beds", 405, "method-not-allowed"),
        ("GET", "/beds/13", 404, "unknown-bed"),
        ("GET", "/beds/x", 422, "invalid-request"),
        ("GET", "/broken", 500, "internal-error"),
    ],
)
async def test_every_error_is_a_problem_document(
    method: str, path: str, status: int, kind: str, tokens: Tokens, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("ward")
    async with service(tokens, [ward()]) as client:
        answer = await client.ask(method, path)
        assert answer.status == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.body["type"] == f"urn:handoff:problem:{kind}"
        assert answer.body["request_id"] == answer.headers["x-request-id"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert NAME not in answer.text
    assert NAME not in capsys.readouterr().out


async def test_browsers_are_told_to_be_careful(tokens: Tokens) -> None:
    async with service(tokens, [ward()]) as client:
        headers = (await client.ask("GET", "/beds/1")).headers
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers
        own = (await client.ask("GET", "/page")).headers
        assert (own["content-security-policy"], own["cache-control"]) == ("default-src 'none'", "max-age=9")


async def test_a_large_body_is_refused_declared_or_not(tokens: Tokens) -> None:
    async def trickle() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield b"x" * 1024

    async with service(tokens, [ward()], max_body_bytes=4096) as client:
        assert (await client.ask("POST", "/raw", data=b"x" * 4096)).body == 4096
        declared = await client.ask("POST", "/raw", data=b"x" * 4097)
        assert (declared.status, declared.body["limit_bytes"]) == (413, 4096)
        assert (await client.ask("POST", "/raw", data=trickle())).status == 413


async def test_ids_from_outside_are_kept_where_they_are_ids(tokens: Tokens) -> None:
    given = "0192d5a0-7b1c-7000-8000-00000000abcd"
    async with service(tokens, [ward()]) as client:
        assert (await client.ask("GET", "/beds/1", headers={"x-request-id": given})).headers["x-request-id"] == given
        other = await client.ask("GET", "/beds/1", headers={"x-request-id": NAME})
        assert other.headers["x-request-id"] != NAME


async def test_ready_says_which_condition_does_not_hold(tokens: Tokens) -> None:
    async def fine() -> None:
        return None

    async def behind() -> None:
        raise NotReadyError("the relay waits for a republish")

    async def broken() -> None:
        raise KeyError(NAME)

    async with service(tokens, [], ready=[Check("fine", fine)]) as client:
        assert (await client.ask("GET", "/readyz")).status == 200
    checks = [Check("fine", fine), Check("relay", behind), Check("broken", broken)]
    async with service(tokens, [], ready=checks) as client:
        answer = await client.ask("GET", "/readyz")
        assert answer.status == 503
        reasons = {check["name"]: check["reason"] for check in answer.body["checks"]}
        assert reasons["fine"] is None
        assert reasons["relay"] == "the relay waits for a republish"
        assert reasons["broken"].startswith("KeyError at")
        assert (await client.ask("GET", "/healthz")).status == 200


async def test_a_lost_database_is_a_503_and_not_ready(tokens: Tokens, databases: Databases) -> None:
    database = await databases.open("careplan")
    router = APIRouter(dependencies=[public])

    @router.get("/now")
    async def now() -> str:
        return str(await database.pool.fetchval("SELECT now()"))

    async with service(tokens, [router], database=database) as client:
        assert (await client.ask("GET", "/now")).status == 200
        assert (await client.ask("GET", "/readyz")).status == 200
        database.pool.terminate()
        away = await client.ask("GET", "/now")
        assert (away.status, away.body["type"]) == (503, "urn:handoff:problem:temporarily-unavailable")
        assert away.headers["retry-after"] == "2"
        assert (await client.ask("GET", "/readyz")).status == 503
        assert (await client.ask("GET", "/healthz")).status == 200


async def test_metrics_name_routes_and_no_paths(tokens: Tokens) -> None:
    async with service(tokens, [ward()]) as client:
        await asyncio.gather(
            client.ask("GET", "/beds/47114711471147"), client.ask("GET", f"/{NAME}"), client.ask("GET", "/beds/1")
        )
        text = (await client.ask("GET", "/metrics")).text
        assert 'route="/beds/{number}"' in text
        assert "47114711471147" not in text  # a number that no clock shows
        assert "Zebulon" not in text
        described = (await client.ask("GET", "/openapi.json")).body["paths"]
        assert {"/beds", "/healthz", "/readyz", "/metrics"} <= set(described)
