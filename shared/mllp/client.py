"""The sending end of MLLP: one message at a time on one connection, which is opened again after every fault."""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from shared.mllp.acks import CONTENT_ERRORS, Ack, NoAckError, RefusedError, control_id_of, read_ack
from shared.mllp.framing import Decoder, Frame, framed

LARGEST_ACK = 1 << 16
RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
_READ_BYTES = 1 << 14
_EARLIER = 64


@dataclass(frozen=True, slots=True)
class MllpTarget:
    """Where to send. Times in seconds; `tls` None sends in the clear."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    connect_s: float = 10.0
    answer_s: float = 30.0

    @staticmethod
    def mutual_tls(ca: Path, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
        """Trusts servers of this CA, and shows the certificate to them. Raises OSError or ssl.SSLError."""
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(ca))
        if certificate is not None:
            context.load_cert_chain(certificate, key)
        return context


class MllpClient:
    """Stop and wait: the next message leaves when the one before it is acknowledged. Not for several tasks at once."""

    def __init__(self, target: MllpTarget) -> None:
        self._target = target
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._decoder = Decoder(LARGEST_ACK)
        self._frames: deque[Frame] = deque()
        self._sent: deque[str] = deque(maxlen=_EARLIER)

    async def send(self, payload: bytes) -> Ack:
        """One message and its acknowledgement, positive or not.

        Raises NoAckError when the outcome is unknown; the connection is then closed, and opened by the next message.
        """
        control_id = control_id_of(payload)
        try:
            _, writer = self._streams or await self._open()
            writer.write(framed(payload))
            async with asyncio.timeout(self._target.answer_s):
                await writer.drain()
                ack = await self._answer(control_id)
        except (OSError, EOFError, TimeoutError) as error:
            await self.close()
            raise NoAckError(type(error).__name__) from error
        except BaseException:
            await self.close()  # an answer that is still under way must not be taken for the next message's
            raise
        self._sent.append(control_id)
        return ack

    async def deliver(
        self, payload: bytes, pauses: Sequence[float] = RETRY_SECONDS, attempts: int | None = None
    ) -> Ack:
        """Sends until it is positively acknowledged; pauses grow along `pauses`. Without `attempts`, tries for ever.

        AE and CE mean that the content must be put right first: RefusedError at once. AR and CR may be trouble of the
        receiver: tried again, like an unknown outcome, so that a receiver must expect duplicates. When the attempts
        are used up: RefusedError, or NoAckError.
        """
        attempt = 0
        while True:
            attempt += 1
            failure: NoAckError | RefusedError
            try:
                ack = await self.send(payload)
            except NoAckError as unknown:
                failure = unknown
            else:
                if ack.positive:
                    return ack
                failure = RefusedError(ack)
                if ack.code in CONTENT_ERRORS:
                    raise failure
            if attempt == attempts:
                raise failure
            await asyncio.sleep(pauses[min(attempt, len(pauses)) - 1])

    async def close(self) -> None:
        if self._streams:
            self._streams[1].close()
            self._streams = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        target = self._target
        async with asyncio.timeout(target.connect_s):
            self._streams = await asyncio.open_connection(target.host, target.port, ssl=target.tls)
        self._decoder = Decoder(LARGEST_ACK)
        self._frames.clear()
        self._sent.clear()
        return self._streams

    async def _answer(self, control_id: str) -> Ack:
        """The acknowledgement of this message. In enhanced mode one message may get two: the second of an earlier one
        is passed over. Raises NoAckError for what acknowledges none of ours.
        """
        while True:
            ack = read_ack((await self._frame()).payload)
            if ack.control_id == control_id:
                return ack
            # A message without a usable header is refused without a reference to it.
            if not ack.control_id and not ack.positive:
                return ack
            if ack.control_id not in self._sent:
                raise NoAckError("the answer acknowledges another message")

    async def _frame(self) -> Frame:
        while not self._frames:
            if self._streams is None:
                raise ConnectionResetError
            chunk = await self._streams[0].read(_READ_BYTES)
            if not chunk:
                raise EOFError
            for decoded in self._decoder.feed(chunk):
                if not isinstance(decoded, Frame):
                    raise NoAckError("the answer is no frame of a usual size")
                self._frames.append(decoded)
        return self._frames.popleft()
