"""Batches: `[FHS] { [BHS] { MSH … } [BTS] } [FTS]`, and files of many messages without any of these. Pure.

Used for a frame that holds more than one message, and for files.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from shared.events import uuid7

# At the start of a line, and followed by a field separator: the text of a field may well hold these letters.
_START = re.compile(rb"(?:(?<=[\r\n])|\A)[ \t\x0b]*(MSH|FHS|BHS|BTS|FTS)(?=[^A-Za-z0-9\s]|[\r\n]|\Z)")
_BLANKS = b"\r\n\t \x1c\x0b\x00"
_COUNTS = {b"BTS": "BTS-1", b"FTS": "FTS-1"}


@dataclass(frozen=True, slots=True)
class Batch:
    """`messages` are as they were written, `rest` is the first line that is none; `doubts` name the counts that did not
    fit (BTS-1, FTS-1).
    """

    messages: tuple[bytes, ...]
    rest: bytes
    doubts: tuple[str, ...] = ()


def is_batch(raw: bytes) -> bool:
    """Whether it is anything but one message. Cheap for the usual one."""
    return raw[:3] in {b"FHS", b"BHS"} or (raw.find(b"MSH", 3) > 0 and len(split(raw).messages) > 1)


def split(raw: bytes) -> Batch:
    """The messages, in order. What stands before the first one is no message; of bytes without any, nothing is."""
    starts = [(match.start(1), match[1]) for match in _START.finditer(raw)]
    messages: list[bytes] = []
    doubts: list[str] = []
    in_batch = batches = 0
    for (start, name), (end, _) in pairwise([*starts, (len(raw), b"")]):
        piece = raw[start:end].strip(_BLANKS)
        if name == b"MSH":
            messages.append(piece + b"\r")
            in_batch += 1
        elif name == b"BHS":
            in_batch, batches = 0, batches + 1
        elif name in _COUNTS and not _fits(piece, in_batch if name == b"BTS" else batches):
            doubts.append(_COUNTS[name])
    return Batch(tuple(messages), raw.split(b"\r", 1)[0], tuple(doubts))


def _fits(trailer: bytes, found: int) -> bool:
    """An empty count says nothing."""
    said = re.split(rb"[^0-9]", trailer[4:], maxsplit=1)[0]
    return not said or int(said[:9]) == found


class Answers:
    """The acknowledgements of one batch: they leave together, as one batch, once the last message is settled."""

    def __init__(self, messages: int) -> None:
        self._left = messages
        self._acks: list[bytes] = []

    def collect(self, acks: list[bytes]) -> list[bytes]:
        """What can be sent now."""
        self._acks += acks
        self._left -= 1
        if self._left or not self._acks:
            return []
        stamp = f"{datetime.now(UTC):%Y%m%d%H%M%S}+0000"
        head = f"BHS|^~\\&|HANDOFF||||{stamp}||||{uuid7().hex[:20]}\r".encode()
        return [b"".join((head, *self._acks, f"BTS|{len(self._acks)}\r".encode()))]
