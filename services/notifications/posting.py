"""One HTTP attempt: post the signed body, read little of the answer, never follow where it points."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime

import aiohttp

from services.notifications.guarding import GuardedResolver, RefusedUrlError, check_url, refused
from services.notifications.retrying import Answer, Outcome, parse_retry_after

KEPT_OF_BODY = 2048
BODY_SECONDS = 2.0
# Shorter than the 5 s after which common servers drop an idle connection: a notice must not be lost to that race.
KEEP_ALIVE_SECONDS = 3.0
USER_AGENT = "Handoff/1"


class Poster:
    """Posts notices. One for the process; `close` it before the loop ends."""

    def __init__(self, *, private: bool, total_seconds: float, connections: int) -> None:
        self._private = private
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=GuardedResolver(private=private),
                limit=connections,
                ttl_dns_cache=10,
                keepalive_timeout=KEEP_ALIVE_SECONDS,
            ),
            timeout=aiohttp.ClientTimeout(total=total_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"User-Agent": USER_AGENT, "Content-Type": "application/json"},
        )

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer to one attempt. Never raises for what the other side does."""
        started = time.perf_counter()

        def met(outcome: Outcome, **more: object) -> Answer:
            took = int((time.perf_counter() - started) * 1000)
            return Answer(outcome=outcome, latency_ms=took, **more)  # type: ignore[arg-type]

        try:
            target = check_url(url, private=self._private)
            async with self._session.post(target, data=body, headers=headers, allow_redirects=False) as response:
                return met(
                    Outcome.ANSWERED,
                    status=response.status,
                    retry_after=parse_retry_after(response.headers.get("Retry-After"), datetime.now(UTC)),
                    body=await _beginning(response),
                )
        except RefusedUrlError:
            return met(Outcome.ADDRESS_REFUSED)
        except TimeoutError:
            return met(Outcome.TIMED_OUT)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return met(_outcome_of(error))

    async def close(self) -> None:
        await self._session.close()


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """At most KEPT_OF_BODY bytes; a body that drips or never ends costs the connection, not the attempt."""
    kept = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while len(kept) < KEPT_OF_BODY and (chunk := await response.content.read(KEPT_OF_BODY - len(kept))):
                kept += chunk
            if response.content.at_eof():
                return kept
    except (TimeoutError, aiohttp.ClientError):
        pass
    response.close()
    return kept


def _outcome_of(error: BaseException) -> Outcome:
    if refused(error):
        return Outcome.ADDRESS_REFUSED
    if isinstance(error, aiohttp.ClientSSLError):
        return Outcome.TLS_FAILED
    if isinstance(error, aiohttp.ClientConnectorError):
        return Outcome.NOT_CONNECTED
    return Outcome.CONNECTION_LOST
