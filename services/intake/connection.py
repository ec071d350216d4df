"""One sender's connection: frames in, acknowledgements out, in the order of its messages."""

import asyncio
import socket
import ssl
import time
from collections import deque
from datetime import UTC, datetime
from enum import IntFlag
from typing import TYPE_CHECKING, cast

from typing_extensions import override

from services.intake.acknowledgement import acknowledge
from services.intake.arrival import Arrival, judge_arrival, spoiled_arrival
from services.intake.batch import Answers, Batch, is_batch, split
from services.intake.binding import admit
from services.intake.certificates import Shown
from services.intake.message import Reason, Verdict
from services.intake.settings import MllpSettings
from services.intake.throttling import Bucket
from shared.metrics import ACK_SECONDS
from shared.mllp import EXCERPT_BYTES, Decoded, Decoder, Frame, TooLarge, Truncated, framed
from shared.telemetry import log

if TYPE_CHECKING:
    from services.intake.mllp import Listener

KEEPALIVE_PROBES = 4
# A frame of a few bytes a message would hold all feeds up: longer batches come as files.
MOST_IN_BATCH = 5_000
# Each is kept as evidence, and nobody waits for an answer to it: without an end, one sender could fill the log.
MOST_SPOILED = 16


class Pause(IntFlag):
    """Why nothing is read from a connection now."""

    NONE = 0
    UNANSWERED = 1
    UNREAD = 2
    RATE = 4
    CLOSING = 8


class Connection(asyncio.Protocol):
    """Answers leave in the order in which the messages came, whatever order they are settled in."""

    def __init__(self, listener: "Listener") -> None:
        self._listener = listener
        self._settings = listener.settings
        self._decoder = Decoder(self._settings.max_frame_bytes)
        self._unanswered: deque[tuple[Arrival, asyncio.Future[Verdict], float]] = deque()
        self._transport: asyncio.Transport
        self.host = ""
        self._shown: Shown | None = None
        self._pause = Pause.NONE
        self._spoiled = 0
        self._active_at = self._frame_began_at = self._unread_since = self._read_again_at = time.monotonic()
        rate = self._settings.max_per_second
        self._bucket = Bucket(rate, self._active_at) if rate else None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not derive from it
        peer = transport.get_extra_info("peername")
        self.host = str(peer[0]) if peer else ""
        secured = transport.get_extra_info("ssl_object")
        der = secured.getpeercert(binary_form=True) if secured else None
        self._shown = Shown.from_der(der) if der else None
        _keep_alive(transport, self._settings)
        self._listener.joined(self)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.left(self)
        self._pause |= Pause.CLOSING
        if self._decoder.is_inside:
            self._spoil(self._decoder.partial, Reason.TRUNCATED_FRAME)
        # Nobody is left to be told; the sender will send these again. What is being committed is not disturbed.
        for _, answer, _ in self._unanswered:
            answer.cancel()
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
        if len(self._unanswered) >= self._settings.max_unanswered:
            self._hold(Pause.UNANSWERED)

    def _take(self, decoded: Decoded) -> None:
        match decoded:
            case Frame(payload):
                if is_batch(payload):
                    self._take_batch(split(payload))
                else:
                    self._await(self._read(payload))
            case Truncated(payload):
                self._spoil(payload, Reason.TRUNCATED_FRAME)
            case TooLarge(excerpt):
                self._await(spoiled_arrival(excerpt, Reason.FRAME_TOO_LARGE))
                self.stop()

    def _read(self, payload: bytes) -> Arrival:
        feeds = self._listener.feeds
        return admit(judge_arrival(payload, feeds, self.host), self._shown, feeds)

    def _take_batch(self, batch: Batch) -> None:
        """Each message is one of its own; their acknowledgements leave together."""
        if len(batch.messages) > MOST_IN_BATCH:
            self._await(spoiled_arrival(batch.messages[0][:EXCERPT_BYTES], Reason.FRAME_TOO_LARGE))
            self.stop()
            return
        answers = Answers(len(batch.messages))
        for payload in batch.messages:
            arrival = self._read(payload)
            arrival.batch = answers
            arrival.doubts += batch.doubts
            self._await(arrival)
        if not batch.messages:
            self._await(spoiled_arrival(batch.rest, Reason.NO_HEADER))

    def _await(self, arrival: Arrival) -> None:
        answer = self._listener.keeping.offer(arrival, self)
        self._unanswered.append((arrival, answer, time.perf_counter()))
        answer.add_done_callback(self._answer)
        wait = self._listener.wait_for(arrival.feed, self._active_at)
        if self._bucket:
            wait = max(wait, self._bucket.take(self._active_at))
        if wait > 0:
            self._read_again_at = self._active_at + wait
            if not self._pause & Pause.RATE:
                self._hold(Pause.RATE)
                self._wait_off()

    def _wait_off(self) -> None:
        """One read may bring many messages, each of which makes the wait longer."""
        left = self._read_again_at - time.monotonic()
        if left > 0:
            asyncio.get_running_loop().call_later(left, self._wait_off)
        else:
            self._release(Pause.RATE)

    def _spoil(self, payload: bytes, reason: Reason) -> None:
        """Kept, but never acknowledged: the sender may not take it for received. Who sends little else is cut off."""
        self._spoiled += 1
        if self._spoiled > MOST_SPOILED:
            if not self._decoder.is_closed:
                log.warning("too many broken frames", limit=MOST_SPOILED)
            self._decoder.give_up()
            self._transport.abort()
            return
        log.warning("frame not complete", reason=reason.value, size=len(payload))
        self._listener.keeping.offer(spoiled_arrival(payload, reason))

    def _answer(self, _settled: object) -> None:
        """Sends all answers that are due: those before the first message that is not settled yet."""
        out: list[bytes] = []
        now = datetime.now(UTC)
        while self._unanswered and self._unanswered[0][1].done():
            arrival, answer, began = self._unanswered.popleft()
            if answer.cancelled():  # could not be stored: the sender must keep it, and all after it
                self._transport.abort()
                return
            ACK_SECONDS.observe(time.perf_counter() - began)
            acks = acknowledge(arrival.heading, answer.result(), now)
            out += [framed(ack) for ack in (arrival.batch.collect(acks) if arrival.batch else acks)]
        if out and not self._transport.is_closing():
            self._transport.write(b"".join(out))
        if self._pause:
            self._go_on()

    def _go_on(self) -> None:
        if self._pause & Pause.CLOSING:
            if not self._unanswered:
                self._transport.close()
        elif len(self._unanswered) <= self._settings.max_unanswered // 2:
            self._release(Pause.UNANSWERED)

    @override
    def pause_writing(self) -> None:
        """The sender does not read its answers: nothing more is taken from it until it does."""
        self._unread_since = time.monotonic()
        self._hold(Pause.UNREAD)

    @override
    def resume_writing(self) -> None:
        self._release(Pause.UNREAD)

    def _hold(self, why: Pause) -> None:
        if not self._pause:
            self._transport.pause_reading()
        self._pause |= why

    def _release(self, why: Pause) -> None:
        was, self._pause = self._pause, self._pause & ~why
        if was and not self._pause and not self._transport.is_closing():
            # A sender who was made to wait has not been idle, nor slow with its frame.
            self._active_at = self._frame_began_at = time.monotonic()
            self._transport.resume_reading()

    def stop(self) -> None:
        """Reads no more, answers what has come, then closes."""
        if not self._pause & Pause.CLOSING:
            self._hold(Pause.CLOSING)
            self._go_on()

    def abort(self) -> None:
        self._transport.abort()

    def watch(self, now: float) -> None:
        """Closes the connection when a frame drips too slowly, none came for too long, or answers are not read."""
        if self._pause & Pause.UNREAD and now - self._unread_since > self._settings.unread_timeout_s:
            log.warning("answers not read", limit=self._settings.unread_timeout_s)
            self._transport.abort()
        elif self._pause or self._unanswered:
            return
        elif self._decoder.is_inside:
            if now - self._frame_began_at > self._settings.frame_timeout_s:
                self._spoil(self._decoder.partial, Reason.FRAME_TIMEOUT)
                self._decoder.give_up()
                self._transport.abort()
        elif now - self._active_at > self._settings.idle_timeout_s:
            self._transport.close()


def _keep_alive(transport: asyncio.BaseTransport, settings: MllpSettings) -> None:
    """The other end may vanish without a word (a pulled cable, a firewall that forgets): the kernel asks for it."""
    peer = transport.get_extra_info("socket")
    if peer is None or peer.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    probe = max(1, settings.keepalive_s // KEEPALIVE_PROBES)
    for option, value in (
        ("TCP_KEEPIDLE", settings.keepalive_s),
        ("TCP_KEEPINTVL", probe),
        ("TCP_KEEPCNT", KEEPALIVE_PROBES),
        ("TCP_USER_TIMEOUT", 2000 * settings.keepalive_s),
    ):
        if hasattr(socket, option):  # not every system has all of them
            peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def tls_context(settings: MllpSettings) -> ssl.SSLContext | None:
    """The listener's end of TLS; with a CA, senders must show a certificate of it. None without a certificate."""
    if settings.tls_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    if settings.tls_client_ca:
        context.load_verify_locations(settings.tls_client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
