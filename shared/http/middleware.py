"""What surrounds every request: its id and trace, a limit on its body, headers that keep browsers careful, its line in
the log. The log and the metrics name the route's template, never the path: paths hold ids, queries may hold more.
"""

import asyncio
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.events import uuid7
from shared.http.problems import Problem, answer
from shared.metrics import HTTP_REQUESTS, HTTP_SECONDS
from shared.telemetry import log, traced

REQUEST_ID = re.compile(r"[0-9a-fA-F-]{16,36}")
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNLOGGED_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
}
# How long a body may take: so long, and as much longer as the largest one would at a slow line's rate.
BODY_PATIENCE_S = 30.0
SLOWEST_LINE = 32 * 1024
TLS_ONLY = "max-age=31536000; includeSubDomains"


class RequestContext:
    """Gives each request an id and a span, and tells of its end. An inbound id is kept only where it is hexadecimal."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else str(uuid7())
        scope.setdefault("state", {})["request_id"] = request_id
        answered = _Answered(send, request_id)
        started = time.perf_counter()
        with traced(headers.get("traceparent")), structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, answered)
            finally:
                _tell(scope, answered.status, time.perf_counter() - started)


class _Answered:
    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 500

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)["x-request-id"] = self._request_id
        await self._send(message)


def _tell(scope: Scope, status: int, seconds: float) -> None:
    route = route_template(scope)
    if route in UNLOGGED_ROUTES:
        return
    # A method may be any word: each would be a series of its own, for ever.
    method = scope["method"] if scope["method"] in KNOWN_METHODS else "OTHER"
    HTTP_REQUESTS.labels(method, route, str(status)).inc()
    HTTP_SECONDS.labels(method, route).observe(seconds)
    log.info("request", method=method, route=route, status=status, seconds=round(seconds, 4))


def route_template(scope: Scope) -> str:
    """`/messages/{id}` for a matched route, else `unmatched`: an unknown path is the client's text."""
    route: Any = scope.get("route")
    return str(getattr(route, "path", "unmatched"))


class SecurityHeaders:
    """Adds the headers above unless the route has set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _wanted(scope):
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def _wanted(scope: Scope) -> Iterable[tuple[str, str]]:
    yield from SECURITY_HEADERS.items()
    if scope.get("scheme") == "https":
        yield "strict-transport-security", TLS_ONLY


class CatchUnexpected:
    """Answers what no handler foresaw with a bare 500; what it was stands in the log, by type and place."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def send_noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except Exception as error:
            log.error("request failed", exc_info=error)
            if begun or scope["type"] != "http":
                raise
            await answer(Problem(500, slug="internal-error"), scope["state"]["request_id"])(scope, receive, send)


class BodyLimit:
    """Refuses a body above the limit with 413, by its declared length or as soon as more has arrived; one that drips
    in, with 408.

    `by_prefix` are limits of their own for paths that begin so: uploads, Bundles.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_bytes: int,
        by_prefix: Mapping[str, int] | None = None,
        patience_s: float = BODY_PATIENCE_S,
    ) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._by_prefix = dict(by_prefix or {})
        self._patience_s = patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = next((n for start, n in self._by_prefix.items() if scope["path"].startswith(start)), self._max_bytes)
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdecimal() or int(declared) > limit:
            await answer(self._too_large(limit), scope["state"]["request_id"])(scope, receive, send)
            return
        received = 0
        is_whole = False
        ends_at: float | None = None

        async def receive_within_limit() -> Message:
            nonlocal received, is_whole, ends_at
            if is_whole:  # what is waited for now is the client's leaving
                return await receive()
            ends_at = ends_at or asyncio.get_running_loop().time() + self._patience_s + limit / SLOWEST_LINE
            try:
                async with asyncio.timeout_at(ends_at):
                    message = await receive()
            except TimeoutError:
                raise Problem(408, "The body took too long", slug="body-too-slow") from None
            is_whole = not message.get("more_body", False)
            received += len(message.get("body", b""))
            if received > limit:
                raise self._too_large(limit)
            return message

        await self._app(scope, receive_within_limit, send)

    @staticmethod
    def _too_large(limit: int) -> Problem:
        return Problem(413, "The body is too large", slug="body-too-large", limit_bytes=limit)
