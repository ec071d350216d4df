"""The MLLP listener: frames in, acknowledgements out, in the order of the messages of each connection."""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import cast

from typing_extensions import override

from services.intake.acknowledgement import acknowledge
from services.intake.arrival import Arrival, read_arrival, spoiled_arrival
from services.intake.feeds import FeedDirectory
from services.intake.framing import Decoded, Decoder, Frame, TooLarge, Truncated, framed
from services.intake.message import Reason
from services.intake.receiving import Reception
from services.intake.settings import MllpSettings
from shared.metrics import ACK_SECONDS, MLLP_CONNECTIONS
from shared.telemetry import log

WATCH_EVERY_S = 0.5


class Connection(asyncio.Protocol):
    """One sender. Answers leave in the order in which the messages came, whatever order they are settled in."""

    def __init__(self, listener: "Listener") -> None:
        self._listener = listener
        self._settings = listener.settings
        self._decoder = Decoder(self._settings.max_frame_bytes)
        self._unanswered: deque[tuple[Arrival, float]] = deque()
        self._transport: asyncio.Transport
        self._host = ""
        self._is_paused = False
        self._is_closing = False
        self._active_at = self._frame_began_at = time.monotonic()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not derive from it
        peer = transport.get_extra_info("peername")
        self._host = str(peer[0]) if peer else ""
        self._listener.joined(self)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.left(self)
        self._is_closing = True
        if self._decoder.is_inside:
            self._spoil(self._decoder.partial, Reason.TRUNCATED_FRAME)
        # Nobody is left to be told; the sender will send these again. What is being committed is not disturbed.
        for arrival, _ in self._unanswered:
            arrival.done.cancel()
        self._unanswered.clear()

    @override
    def data_received(self, data: bytes) -> None:
        was_inside = self._decoder.is_inside
        for decoded in self._decoder.feed(data):
            was_inside = False
            self._active_at = time.monotonic()
            self._take(decoded)
        if self._decoder.is_inside and not was_inside:
            self._frame_began_at = time.monotonic()
        if not self._is_paused and len(self._unanswered) >= self._settings.max_unanswered:
            self._is_paused = True
            self._transport.pause_reading()

    def _take(self, decoded: Decoded) -> None:
        match decoded:
            case Frame(payload):
                self._await(read_arrival(payload, self._listener.feeds, self._host))
            case Truncated(payload):
                self._spoil(payload, Reason.TRUNCATED_FRAME)
            case TooLarge(excerpt):
                self._await(spoiled_arrival(excerpt, Reason.FRAME_TOO_LARGE))
                self.stop()

    def _await(self, arrival: Arrival) -> None:
        self._unanswered.append((arrival, time.perf_counter()))
        self._listener.reception.offer(arrival).add_done_callback(self._answer)

    def _spoil(self, payload: bytes, reason: Reason) -> None:
        """Kept, but never acknowledged: the sender may not take it for received."""
        log.warning("frame not complete", reason=reason.value, size=len(payload))
        self._listener.reception.offer(spoiled_arrival(payload, reason))

    def _answer(self, _settled: object) -> None:
        """Sends all answers that are due: those before the first message that is not settled yet."""
        out: list[bytes] = []
        now = datetime.now(UTC)
        while self._unanswered and self._unanswered[0][0].done.done():
            arrival, began = self._unanswered.popleft()
            if arrival.done.cancelled():  # could not be stored: the sender must keep it, and all after it
                self._transport.abort()
                return
            ACK_SECONDS.observe(time.perf_counter() - began)
            out += [framed(ack) for ack in acknowledge(arrival.heading, arrival.done.result(), now)]
        if out and not self._transport.is_closing():
            self._transport.write(b"".join(out))
        self._go_on()

    def _go_on(self) -> None:
        if self._is_closing and not self._unanswered:
            self._transport.close()
        elif self._is_paused and not self._is_closing and len(self._unanswered) <= self._settings.max_unanswered // 2:
            self._is_paused = False
            self._transport.resume_reading()

    def stop(self) -> None:
        """Reads no more, answers what has come, then closes."""
        if not self._is_closing:
            self._is_closing = self._is_paused = True
            self._transport.pause_reading()
            self._go_on()

    def abort(self) -> None:
        self._transport.abort()

    def watch(self, now: float) -> None:
        """Closes the connection when a frame drips too slowly, or none came for too long."""
        if self._is_closing or self._unanswered:
            return
        if self._decoder.is_inside:
            if now - self._frame_began_at > self._settings.frame_timeout_s:
                self._spoil(self._decoder.partial, Reason.FRAME_TIMEOUT)
                self._decoder.give_up()
                self._transport.abort()
        elif now - self._active_at > self._settings.idle_timeout_s:
            self._transport.close()


class Listener:
    """Accepts senders, watches their timeouts, and drains on stop."""

    def __init__(self, settings: MllpSettings, feeds: FeedDirectory, reception: Reception) -> None:
        self.settings = settings
        self.feeds = feeds
        self.reception = reception
        self.port = settings.port
        self._connections: set[Connection] = set()
        self._all_left = asyncio.Event()

    def joined(self, connection: Connection) -> None:
        if len(self._connections) >= self.settings.max_connections:
            log.warning("too many connections", limit=self.settings.max_connections)
            connection.abort()
            return
        self._connections.add(connection)
        self._all_left.clear()
        MLLP_CONNECTIONS.labels("all").set(len(self._connections))

    def left(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._all_left.set()
        MLLP_CONNECTIONS.labels("all").set(len(self._connections))

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Serves until cancelled; then stops reading, answers what has come, and closes."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Connection(self), self.settings.host, self.settings.port, ssl=_tls(self.settings), backlog=512
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


def _tls(settings: MllpSettings) -> ssl.SSLContext | None:
    if settings.tls_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    if settings.tls_client_ca:
        context.load_verify_locations(settings.tls_client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
