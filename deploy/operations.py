"""The services' operations routes, as the supervisor and the `handoff` command call them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import aiohttp

TIMEOUT = aiohttp.ClientTimeout(total=30, connect=3)
UPLOAD_TIMEOUT = aiohttp.ClientTimeout(total=600, connect=3)
TRIES = 5
LONGEST_WAIT_S = 10.0


class CallFailedError(Exception):
    """A service refused or did not answer. One line, with the status and the problem's own words."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class TooOften:
    """The service asks to be asked again after so many seconds."""

    wait_s: float


class Operations:
    """Calls the services by name with one bearer token, fetched from the local issuer unless given."""

    def __init__(self, urls: Mapping[str, str], *, issuer: str | None = None, token: str | None = None) -> None:
        self.urls = dict(urls)
        self._issuer = issuer
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=TIMEOUT)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    async def get(self, service: str, path: str, **query: Any) -> Any:
        given = {name: str(value) for name, value in query.items() if value is not None}
        return await self._call("GET", service, path, params=given)

    async def post(self, service: str, path: str, body: Any = None) -> Any:
        return await self._call("POST", service, path, json=body if body is not None else {})

    async def upload(self, service: str, path: str, content: bytes, configuration: str | None = None) -> Any:
        """Sends a file, with the configuration it is to be read by; waits for as long as reading it may take."""
        form = aiohttp.FormData()
        form.add_field("file", content, filename="messages.hl7", content_type="application/octet-stream")
        if configuration is not None:
            form.add_field("configuration", configuration)
        return await self._call("POST", service, path, data=form, timeout=UPLOAD_TIMEOUT)

    async def token(self, role: str = "admin", **claims: Any) -> str:
        """A token of the local issuer for one role. Raises CallFailedError where no local issuer runs."""
        if self._issuer is None:
            raise CallFailedError("no token: set HANDOFF_TOKEN (there is no local issuer to ask)")
        answer = await self._request("POST", f"{self._issuer}/token", "issuer", json={"role": role, **claims})
        return str(answer["token"])

    async def _call(self, method: str, service: str, path: str, **options: Any) -> Any:
        if service not in self.urls:
            raise CallFailedError(f"no address of {service} is known")
        if self._token is None:
            self._token = await self.token()
        headers = {"Authorization": f"Bearer {self._token}"}
        return await self._request(method, f"{self.urls[service]}{path}", service, headers=headers, **options)

    async def _request(self, method: str, url: str, service: str, **options: Any) -> Any:
        for _ in range(1 if "data" in options else TRIES):  # a form is read once
            answer = await self._answer(method, url, service, **options)
            if not isinstance(answer, TooOften):
                return answer
            await asyncio.sleep(answer.wait_s)
        raise CallFailedError(f"{service}: too many requests", HTTPStatus.TOO_MANY_REQUESTS)

    async def _answer(self, method: str, url: str, service: str, **options: Any) -> Any:
        if self._session is None:
            raise RuntimeError("use `async with Operations(...)`")
        try:
            async with self._session.request(method, url, **options) as response:
                text = await response.text()
                wait = response.headers.get("Retry-After", "")
                if response.status == HTTPStatus.TOO_MANY_REQUESTS and wait.isdecimal():
                    return TooOften(min(float(wait), LONGEST_WAIT_S))
                if response.status >= 400:  # noqa: PLR2004  (HTTP's own boundary)
                    raise CallFailedError(f"{service}: {await _problem(response, text)}", response.status)
                return await response.json() if text else None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise CallFailedError(f"{service} does not answer ({type(error).__name__})") from None


async def _problem(response: aiohttp.ClientResponse, text: str) -> str:
    """Title and detail of a problem document, or the bare status."""
    if "json" in response.content_type and text:
        said = await response.json(content_type=None)
        if isinstance(said, dict):
            parts = [str(said[name]) for name in ("title", "detail") if said.get(name)]
            parts += [f"{one['field']} {one['wants']}" for one in said.get("errors", ())]
            return f"{response.status} {': '.join(parts)}"
    return f"{response.status} {response.reason}"
