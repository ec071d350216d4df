"""Registers the webhook at the start, and says after a restart that the server is back."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import aiohttp

from deploy.sample_provider.settings import ProviderSettings
from shared.telemetry import log

AGAIN_SECONDS = 0.5
TIMEOUT = aiohttp.ClientTimeout(total=5)
CONFLICT, MISSING = 409, 404


class NotYetError(Exception):
    """Not reachable yet, or not ready; to be tried again."""


class Subscription:
    """The endpoint's id and secret, kept in one file that only its owner may read."""

    def __init__(self, settings: ProviderSettings) -> None:
        self._settings = settings
        self._file = settings.folder / "endpoint.json"
        self._kept: dict[str, str] = json.loads(self._file.read_text()) if self._file.exists() else {}

    @property
    def secret(self) -> str | None:
        """None until registered."""
        return self._kept.get("secret")

    @property
    def endpoint_id(self) -> str | None:
        return self._kept.get("id")

    async def hold(self) -> None:
        """Registers, as soon as that can be done, and lasts until cancelled: what runs beside routes may not return."""
        await self.register()
        await asyncio.Event().wait()

    async def register(self) -> None:
        """Returns once it is registered."""
        told = None
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
            while True:
                try:
                    await self._subscribe(session)
                except (NotYetError, aiohttp.ClientError, TimeoutError) as error:
                    reason = type(error).__name__
                    if reason != told:
                        log.info("not subscribed yet", retry_in=AGAIN_SECONDS, reason=reason)
                        told = reason
                    await asyncio.sleep(AGAIN_SECONDS)
                else:
                    log.info("subscribed", endpoint_id=self.endpoint_id, organisation=self._settings.organisation)
                    return

    async def _subscribe(self, session: aiohttp.ClientSession) -> None:
        headers = {"authorization": f"Bearer {await self._token(session)}"}
        endpoints = f"{self._settings.notifications}/endpoints"
        if self.endpoint_id and await _ask(session, f"{endpoints}/{self.endpoint_id}/enable", headers) is not None:
            return
        wanted = {"url": self._settings.hook, "description": "sample provider"}
        async with session.post(endpoints, json=wanted, headers=headers) as answer:
            said = await answer.json(content_type=None)
        if answer.status == CONFLICT:
            said = await self._make_ours(session, f"{endpoints}/{said['endpoint_id']}", headers)
        elif not answer.ok:
            raise NotYetError
        self._keep({"id": said["id"], "secret": said["secret"]})

    async def _make_ours(
        self, session: aiohttp.ClientSession, endpoint: str, headers: dict[str, str]
    ) -> dict[str, Any]:
        """It is known there, but not here (the folder was cleared): a new secret makes it ours again."""
        if await _ask(session, f"{endpoint}/enable", headers) is None:
            raise NotYetError
        said = await _ask(session, f"{endpoint}/rotate", headers)
        if said is None:
            raise NotYetError
        return said

    async def _token(self, session: aiohttp.ClientSession) -> str:
        wanted = {"role": "provider-system", "organisation": self._settings.organisation}
        async with session.post(f"{self._settings.issuer}/token", json=wanted) as answer:
            if not answer.ok:
                raise NotYetError
            return str((await answer.json())["token"])

    def _keep(self, kept: dict[str, str]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        _write_private(self._file, json.dumps(kept))
        self._kept = kept


async def _ask(session: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> dict[str, Any] | None:
    """None where there is no such endpoint (any more)."""
    async with session.post(url, headers=headers) as answer:
        if answer.status == MISSING:
            return None
        if not answer.ok:
            raise NotYetError
        said: dict[str, Any] = await answer.json()
        return said


def _write_private(file: Path, text: str) -> None:
    fresh = file.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
    fresh.replace(file)
