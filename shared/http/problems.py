"""Every error answer is a problem document (RFC 9457): it names the field that is wrong and never echoes a value."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import asyncpg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shared.telemetry import log

FIELD_NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")
MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:handoff:problem:"
# Messages of these error types quote what was sent, or text of a validator that may.
QUOTING_TYPES = {
    "value_error": "does not satisfy the rule of this field",
    "assertion_error": "does not satisfy the rule of this field",
    "json_invalid": "the body is not valid JSON",
    "extra_forbidden": "this field is not known here",
}
UNSTORABLE = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)
"""A text with a NUL, which JSON and addresses may hold and PostgreSQL does not take."""
STORE_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    ConnectionError,
    TimeoutError,
)


class Problem(Exception):  # noqa: N818  (the name of the format)
    """An answer other than success. `slug` names the kind of problem for programs, `title` for people; neither
    `detail` nor `extra` may hold anything of a patient but opaque ids.
    """

    def __init__(
        self,
        status: int,
        title: str | None = None,
        detail: str | None = None,
        *,
        slug: str | None = None,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        phrase = HTTPStatus(status).phrase
        super().__init__(slug or phrase)
        self.status = status
        self.title = title or phrase
        self.detail = detail
        self.slug = slug or phrase.lower().replace(" ", "-")
        self.headers = dict(headers or {})
        self.extra = extra

    def document(self) -> dict[str, Any]:
        said = {"type": TYPE_PREFIX + self.slug, "title": self.title, "status": self.status, **self.extra}
        return said | ({"detail": self.detail} if self.detail else {})


def answer(problem: Problem, request_id: str | None = None) -> Response:
    document = problem.document() | ({"request_id": request_id} if request_id else {})
    return JSONResponse(document, problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def install_problems(app: FastAPI) -> None:
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    for unstorable in UNSTORABLE:
        app.add_exception_handler(unstorable, _on_unstorable)
    for away in STORE_AWAY:
        app.add_exception_handler(away, _on_store_away)


def request_id_of(request: Request) -> str:
    return str(getattr(request.state, "request_id", ""))


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101  (registered for this type)
    return answer(error, request_id_of(request))


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    return answer(Problem(error.status_code, headers=error.headers), request_id_of(request))


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    return answer(invalid(error.errors()), request_id_of(request))


async def _on_unstorable(request: Request, _: Exception) -> Response:
    problem = Problem(422, "The request does not fit", "a text holds a NUL character", slug="invalid-request")
    return answer(problem, request_id_of(request))


async def _on_store_away(request: Request, error: Exception) -> Response:
    log.warning("store unavailable", request_id=request_id_of(request), exc_info=error)
    problem = Problem(503, "Try again shortly", slug="temporarily-unavailable", headers={"Retry-After": "2"})
    return answer(problem, request_id_of(request))


def invalid(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """A 422 that lists each wrong field as `{field, kind, wants}`."""
    fields = [
        {"field": ".".join(_shown(part) for part in error["loc"]), "kind": error["type"], "wants": _wants(error)}
        for error in errors
    ]
    return Problem(422, "The request does not fit", slug="invalid-request", errors=fields)


def _shown(part: str | int) -> str:
    """A part of a field's place. What is no name of our making is the sender's text, and not repeated."""
    return str(part) if isinstance(part, int) or FIELD_NAME.fullmatch(part) else "(unknown)"


def _wants(error: Mapping[str, Any]) -> str:
    kind = str(error["type"])
    if kind in QUOTING_TYPES:
        return QUOTING_TYPES[kind]
    said = str(error["msg"])
    # "Input should be a valid UUID, invalid character: found `x` at 1": what follows the comma quotes the input.
    return said.split(",", 1)[0] if kind.endswith(("_parsing", "_type")) else said
