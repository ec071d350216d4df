"""The other services, asked with the console user's own token: the console can do nothing that its user may not."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any

import aiohttp
import orjson

from shared.http import Problem
from shared.telemetry import current_traceparent, log

TIMEOUT = aiohttp.ClientTimeout(total=10, connect=2)
UPLOAD_TIMEOUT = aiohttp.ClientTimeout(total=600, connect=2, sock_read=60)
JSON = Mapping[str, Any]


class Peers:
    """HTTP to the services' APIs. Addresses come from the settings; paths are made of our own routes and opaque ids."""

    def __init__(self, addresses: Mapping[str, str], session: aiohttp.ClientSession) -> None:
        self.addresses = addresses
        self._session = session

    async def get(self, service: str, path: str, token: str, params: Mapping[str, str] | None = None) -> Any:
        """The JSON that the service answers. Raises Problem: the service's own, or 503 when it does not answer."""
        return read_answer(service, *await self._ask("GET", service, path, token, params=params))

    async def get_text(self, service: str, path: str, token: str, params: Mapping[str, str] | None = None) -> str:
        """As get, for what is text: HL7 messages, in whatever character set they came."""
        status, content = await self._ask("GET", service, path, token, params=params)
        if not _is_success(status):
            read_answer(service, status, content)
        try:
            return content.decode()
        except UnicodeDecodeError:
            return content.decode("latin-1")

    async def post(self, service: str, path: str, token: str, body: JSON | None = None, key: str | None = None) -> Any:
        """As get; `key` is an Idempotency-Key, for what must not happen twice when it is sent twice."""
        return await self.tell("POST", service, path, token, body, key)

    async def tell(
        self, method: str, service: str, path: str, token: str, body: JSON | None = None, key: str | None = None
    ) -> Any:
        """As post, by any method that changes something."""
        return read_answer(service, *await self._ask(method, service, path, token, body=body or {}, key=key))

    async def upload(
        self, service: str, path: str, token: str, content: bytes, configuration: str
    ) -> AsyncIterator[Any]:
        """Sends a file; yields what the service says line by line while it reads it. Raises Problem as get."""
        form = aiohttp.FormData()
        form.add_field("file", content, filename="messages")
        form.add_field("configuration", configuration)
        headers = {"authorization": f"Bearer {token}", "accept": "application/x-ndjson"}
        try:
            async with self._session.post(
                self.addresses[service] + path,
                headers=headers,
                data=form,
                timeout=UPLOAD_TIMEOUT,
                allow_redirects=False,
            ) as answer:
                if not _is_success(answer.status):
                    read_answer(service, answer.status, await answer.read())
                rest = b""
                async for part in answer.content.iter_any():
                    *lines, rest = (rest + part).split(b"\n")
                    for line in lines:
                        yield orjson.loads(line)
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("service does not answer", source=service, exc_info=error)
            raise Problem(503, f"{service} does not answer", slug="service-away") from None

    async def send_file(
        self,
        service: str,
        path: str,
        token: str,
        content: AsyncIterable[bytes],
        name: str,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """Passes a file on as it is read, and answers as get."""
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("file", content, filename=name or "messages", content_type="application/octet-stream")
        try:
            async with self._session.post(
                self.addresses[service] + path,
                headers={"authorization": f"Bearer {token}"},
                params=params,
                data=form,
                timeout=UPLOAD_TIMEOUT,
                allow_redirects=False,
            ) as answer:
                return read_answer(service, answer.status, await answer.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("service does not answer", source=service, exc_info=error)
            raise Problem(503, f"{service} does not answer", slug="service-away") from None

    async def from_all(self, path: str, token: str) -> dict[str, Any]:
        """The same question to every service at once. A service that fails answers with its Problem."""

        async def one(service: str) -> Any:
            try:
                return await self.get(service, path, token)
            except Problem as problem:
                return problem

        answers = await asyncio.gather(*(one(service) for service in self.addresses))
        return dict(zip(self.addresses, answers, strict=True))

    async def _ask(
        self,
        method: str,
        service: str,
        path: str,
        token: str,
        *,
        params: Mapping[str, str] | None = None,
        body: JSON | None = None,
        key: str | None = None,
    ) -> tuple[int, bytes]:
        headers = {"authorization": f"Bearer {token}", "accept": "application/json", "content-type": "application/json"}
        if key:
            headers["idempotency-key"] = key
        if traceparent := current_traceparent():
            headers["traceparent"] = traceparent
        sent = orjson.dumps(body) if body is not None else None
        try:
            async with self._session.request(
                method,
                self.addresses[service] + path,
                headers=headers,
                params=params,
                data=sent,
                timeout=TIMEOUT,
                allow_redirects=False,
            ) as answer:
                return answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("service does not answer", source=service, exc_info=error)
            raise Problem(503, f"{service} does not answer", slug="service-away") from None


def _is_success(status: int) -> bool:
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def read_answer(service: str, status: int, content: bytes) -> Any:
    """The answer's JSON (None when empty), or the Problem that it is."""
    try:
        said = orjson.loads(content) if content else None
    except orjson.JSONDecodeError:
        said = None
        if _is_success(status):
            raise Problem(502, f"{service} answered with something else than JSON", slug="service-unreadable") from None
    if _is_success(status):
        return said
    document: JSON = said if isinstance(said, dict) else {}
    slug = str(document.get("type", "")).rsplit(":", 1)[-1] or None
    detail = document.get("detail") or "; ".join(f"{e['field']}: {e['wants']}" for e in document.get("errors", ()))
    extra = {"version": document["version"]} if isinstance(document.get("version"), int) else {}
    raise Problem(status, document.get("title"), str(detail) if detail else None, slug=slug, **extra)
