"""The MLLP listener: accepts senders, bounds what they may take, and drains on stop."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from services.intake.connection import Connection, tls_context
from services.intake.feeds import Feed, FeedDirectory
from services.intake.keeping import Keeping
from services.intake.settings import MllpSettings
from services.intake.throttling import Bucket
from shared.metrics import MLLP_CONNECTIONS
from shared.telemetry import log

WATCH_EVERY_S = 0.5
BACKLOG = 512


class Listener:
    """Accepts senders, watches their timeouts, and drains on stop."""

    def __init__(self, settings: MllpSettings, feeds: FeedDirectory, keeping: Keeping) -> None:
        self.settings = settings
        self.feeds = feeds
        self.keeping = keeping
        self.port = settings.port
        self._connections: set[Connection] = set()
        self._hosts: Counter[str] = Counter()
        self._buckets: dict[str, Bucket] = {}
        self._all_left = asyncio.Event()
        if settings.tls_client_ca is None and any(feed.certificates for feed in feeds.feeds):
            log.warning("feeds with certificates cannot send", reason="INTAKE_MLLP__TLS_CLIENT_CA is not set")

    def joined(self, connection: Connection) -> None:
        limits = self.settings
        if len(self._connections) >= limits.max_connections:
            log.warning("too many connections", limit=limits.max_connections)
            connection.abort()
            return
        if self._hosts[connection.host] >= limits.max_connections_per_host:
            log.warning("too many connections of one host", limit=limits.max_connections_per_host)
            connection.abort()
            return
        self._connections.add(connection)
        self._hosts[connection.host] += 1
        self._all_left.clear()
        MLLP_CONNECTIONS.labels("all").set(len(self._connections))

    def left(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.discard(connection)
            self._hosts[connection.host] -= 1
            if not self._hosts[connection.host]:
                del self._hosts[connection.host]
        if not self._connections:
            self._all_left.set()
        MLLP_CONNECTIONS.labels("all").set(len(self._connections))

    def wait_for(self, feed: Feed | None, now: float) -> float:
        """How long (s) a connection that brought a message of this feed must wait to keep the feed's rate."""
        if feed is None or feed.max_per_second is None:
            return 0.0
        bucket = self._buckets.get(feed.name)
        if bucket is None or bucket.rate != feed.max_per_second:
            bucket = self._buckets[feed.name] = Bucket(feed.max_per_second, now)
        return bucket.take(now)

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Serves until cancelled; then stops reading, answers what has come, and closes."""
        loop = asyncio.get_running_loop()
        tls = tls_context(self.settings)
        server = await loop.create_server(
            lambda: Connection(self),
            self.settings.host,
            self.settings.port,
            ssl=tls,
            ssl_handshake_timeout=self.settings.handshake_timeout_s if tls else None,
            backlog=BACKLOG,
        )
        self.port = server.sockets[0].getsockname()[1]
        log.info("listening", port=self.port)
        started()
        try:
            while True:
                await asyncio.sleep(WATCH_EVERY_S)
                now = time.monotonic()
                for connection in list(self._connections):
                    connection.watch(now)
        finally:
            server.close()
            await self._drain()

    async def _drain(self) -> None:
        for connection in list(self._connections):
            connection.stop()
        if self._connections:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_left.wait(), self.settings.drain_timeout_s)
        for connection in list(self._connections):
            connection.abort()
