"""Files of many messages: HL7 batches (FHS, BHS), bare messages one after another, MLLP frames, JSON lines."""

import re
from dataclasses import dataclass
from itertools import pairwise

_START = re.compile(rb"(?:^|(?<=[\r\n\x0b]))(?=MSH[^A-Za-z0-9\s])")
_ENVELOPE = re.compile(rb"[\r\n](?:FHS|BHS|BTS|FTS)[^A-Za-z0-9\s][^\r\n]*|[\r\n](?:BTS|FTS)(?=[\r\n]|$)")
_TRAILER = re.compile(rb"(?:^|[\r\n])BTS[^A-Za-z0-9\s](\d{1,9})")
_MOST_ANNOUNCED = 2**31 - 1
_MARKS = b"\r\n\x0b\x1c\x1a \t"


@dataclass(frozen=True, slots=True)
class Batch:
    """The messages of a file, in its order. `announced` is what the batch trailers (BTS-1) say they should be."""

    messages: tuple[bytes, ...]
    announced: int | None = None

    @property
    def is_complete(self) -> bool:
        return self.announced is None or self.announced == len(self.messages)


def split(content: bytes) -> Batch:
    """Never fails: a file without a message has none."""
    if content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"{", b"["}:
        return Batch(_json_lines(content.removeprefix(b"\xef\xbb\xbf").strip()))
    content = content.removeprefix(b"\xef\xbb\xbf")
    bounds = [*(match.start() for match in _START.finditer(content)), len(content)]
    messages = [_message(content[start:end]) for start, end in pairwise(bounds)]
    counts = [int(found) for found in _TRAILER.findall(content)]
    return Batch(tuple(messages), min(sum(counts), _MOST_ANNOUNCED) if counts else None)


def _message(piece: bytes) -> bytes:
    """A message without what surrounds it: the next batch's header, the trailers, the marks of a frame."""
    return _ENVELOPE.sub(b"", piece).strip(_MARKS) + b"\r"


def _json_lines(content: bytes) -> tuple[bytes, ...]:
    """One document, or one a line (NDJSON)."""
    lines = [line.strip() for line in content.splitlines() if line.strip()]
    if len(lines) > 1 and all(line.startswith(b"{") and line.endswith(b"}") for line in lines):
        return tuple(lines)
    return (content,)
