"""Real servers for these tests: an application on a socket of its own, and an issuer beside it."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from fastapi import APIRouter, FastAPI

from deploy.local.issuer import IssuerSettings
from deploy.local.issuer import build as build_issuer
from deploy.local.ports import free_port
from deploy.local.signing import SigningKey, open_key
from shared.http import Check, HttpSettings, Role, create_app, serve
from shared.postgres import Database

START_SECONDS = 10.0


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str
    body: Any


class Client:
    """Talks to one server; `role` puts a token of that role into the request."""

    def __init__(self, url: str, session: aiohttp.ClientSession, tokens: "Tokens | None") -> None:
        self.url = url
        self._session = session
        self._tokens = tokens

    async def ask(self, method: str, path: str, role: Role | None = None, **more: Any) -> Answer:
        headers = dict(more.pop("headers", {}))
        if role is not None:
            assert self._tokens is not None
            headers["authorization"] = f"Bearer {self._tokens.of(role)}"
        async with self._session.request(
            method, self.url + path, headers=headers, allow_redirects=False, **more
        ) as said:
            text = await said.text()
            is_document = "json" in said.content_type and "ndjson" not in said.content_type
            body = await said.json(content_type=None) if is_document else None
            return Answer(said.status, said.headers, text, body)


class Tokens:
    """Signs with the issuer's key, also what the issuer itself would not."""

    def __init__(self, key: SigningKey, issuer: str) -> None:
        self.key = key
        self.issuer = issuer

    def of(self, role: Role, **more: Any) -> str:
        organisation = "lakeside-primary-care" if role is Role.PROVIDER else None
        said = {"issuer": self.issuer, "audience": "handoff", "seconds": 600, "role": role}
        return self.key.token(**{**said, "organisation": organisation, **more})


@asynccontextmanager
async def served(
    app: FastAPI, settings: HttpSettings, tokens: Tokens | None = None, path: str = "/healthz"
) -> AsyncIterator[Client]:
    """The application on its port, until the block ends."""
    url = f"http://{settings.host}:{settings.port}"
    serving = asyncio.create_task(serve(app, settings))
    async with aiohttp.ClientSession() as session:
        client = Client(url, session, tokens)
        await _answers(client, path, serving)
        try:
            yield client
        finally:
            app.state.stopping.set()
            await serving


async def _answers(client: Client, path: str, serving: "asyncio.Task[None]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            await client.ask("GET", path)
        except aiohttp.ClientError:
            assert time.monotonic() < deadline, "the server does not answer"
            assert not serving.done(), "the server has ended"
            await asyncio.sleep(0.02)
        else:
            return


@asynccontextmanager
async def issuing(folder: Path, port: int | None = None) -> AsyncIterator[tuple[Client, Tokens]]:
    """The local issuer on a free port, with its key in the folder."""
    chosen = port or free_port()
    url = f"http://127.0.0.1:{chosen}"
    app, http = build_issuer(IssuerSettings(port=chosen, url=url, folder=folder, console="http://127.0.0.1:9"))
    async with served(app, http) as client:
        yield client, Tokens(open_key(folder), url)


@asynccontextmanager
async def service(
    tokens: Tokens,
    routers: Sequence[APIRouter],
    *,
    database: Database | None = None,
    ready: Sequence[Check] = (),
    **settings: Any,
) -> AsyncIterator[Client]:
    """A service made of these routers, which trusts the issuer of the tokens."""
    session_cookie = settings.pop("session_cookie", None)
    http = HttpSettings(port=free_port(), issuer=tokens.issuer, drain_seconds=1, **settings)
    app = create_app(
        "ward", database=database, settings=http, routers=routers, ready=ready, session_cookie=session_cookie
    )
    async with served(app, http, tokens) as client:
        yield client
