"""MLLP framing without I/O: bytes in, in any chunks; frames out. `0x0B` payload `0x1C 0x0D`."""

from collections.abc import Iterator
from dataclasses import dataclass

START = b"\x0b"
END = b"\x1c\x0d"
EXCERPT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Frame:
    payload: bytes


@dataclass(frozen=True, slots=True)
class Truncated:
    """A frame that another one began in: its end never came."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The frame is longer than allowed; the decoder keeps its first bytes only and takes nothing more."""

    excerpt: bytes


Decoded = Frame | Truncated | TooLarge


class Decoder:
    """Never keeps more than one frame of the allowed size, nor anything outside a frame."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._buffer = bytearray()
        self._searched = 0
        self.is_inside = False
        self.is_closed = False

    @property
    def partial(self) -> bytes:
        """What has come of an unfinished frame, cut to an excerpt."""
        return bytes(self._buffer[:EXCERPT_BYTES]) if self.is_inside else b""

    def feed(self, data: bytes) -> Iterator[Decoded]:
        """Takes the next bytes of the connection; must be exhausted."""
        if self.is_closed:
            return
        self._buffer += data
        while self._seek_start():
            end = self._buffer.find(END, self._searched)
            if end < 0:
                yield from self._unfinished()
                return
            # A length beyond the limit is refused even if the end has already come.
            payload = bytes(self._buffer[:end])
            del self._buffer[: end + len(END)]
            self._searched, self.is_inside = 0, False
            yield from self._whole(payload)
            if self.is_closed:
                return

    def give_up(self) -> None:
        """Forgets the unfinished frame and takes nothing more."""
        self._buffer.clear()
        self.is_closed, self.is_inside = True, False

    def _seek_start(self) -> bool:
        """Drops what stands before a start block."""
        if self.is_inside:
            return True
        start = self._buffer.find(START)
        if start < 0:
            self._buffer.clear()
            return False
        del self._buffer[: start + 1]
        self._searched, self.is_inside = 0, True
        return True

    def _whole(self, payload: bytes) -> Iterator[Decoded]:
        *cut, last = payload.split(START)
        yield from (Truncated(piece[:EXCERPT_BYTES]) for piece in cut)
        if len(last) > self._most:
            yield self._refuse(last)
        else:
            yield Frame(last)

    def _unfinished(self) -> Iterator[Decoded]:
        restart = self._buffer.rfind(START)
        if restart >= 0:
            *cut, _ = bytes(self._buffer).split(START)
            yield from (Truncated(piece[:EXCERPT_BYTES]) for piece in cut)
            del self._buffer[: restart + 1]
        self._searched = max(0, len(self._buffer) - 1)  # the end block's first byte may already be here
        if len(self._buffer) > self._most:
            yield self._refuse(bytes(self._buffer[:EXCERPT_BYTES]))

    def _refuse(self, payload: bytes) -> TooLarge:
        self.give_up()
        return TooLarge(payload[:EXCERPT_BYTES])


def framed(payload: bytes) -> bytes:
    return START + payload + END
