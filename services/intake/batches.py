"""Files of many messages: HL7 batches (FHS, BHS), bare messages one after another, MLLP frames, JSON lines."""

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

_START = re.compile(rb"(?:^|(?<=[\r\n\x0b]))(?=MSH[^A-Za-z0-9\s])")
_ENVELOPE = re.compile(rb"[\r\n](?:FHS|BHS|BTS|FTS)[^A-Za-z0-9\s][^\r\n]*|[\r\n](?:BTS|FTS)(?=[\r\n]|$)")
_HEADER = re.compile(rb"\s*(?:FHS|BHS)[^A-Za-z0-9\s]")
_TRAILER = re.compile(rb"(?:^|[\r\n])BTS[^A-Za-z0-9\s](\d{1,9})")
_MOST_ANNOUNCED = 2**31 - 1
_BOM = b"\xef\xbb\xbf"
# What Windows calls Unicode: no charset of HL7 v2, but one in which days of messages are exported.
_WIDE_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
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
    splitter = Splitter()
    messages = (*splitter.feed(content), *splitter.end())
    return Batch(messages, splitter.announced)


class MessageTooLongError(Exception):
    """One message of the file is longer than any is taken."""


class Splitter:
    """Takes a file in pieces of any size, and hands each message out as soon as its end is known: no more of the file
    is held than the message that is under way. A single JSON document is one message. UTF-16 that begins with its mark
    is handed out as UTF-8.

    `longest`: bytes of a message beyond which `feed` raises MessageTooLongError; None takes any.
    """

    def __init__(self, longest: int | None = None) -> None:
        self._longest = longest
        self.announced: int | None = None
        self.is_batch = False
        """Whether it begins as a batch: one of no messages is no mistake."""
        self._head: bytes | None = b""
        self._wide: codecs.IncrementalDecoder | None = None
        self._rest = b""
        self._feed: Callable[[], list[bytes]] = self._begin

    def feed(self, piece: bytes) -> list[bytes]:
        """The messages that are complete now."""
        self._rest += self._as_utf8(piece)
        found = self._feed()
        if self._longest and len(self._rest) > self._longest:
            raise MessageTooLongError
        return found

    def end(self) -> list[bytes]:
        """The file is over: what is left."""
        content, self._rest = self._rest + self._as_utf8(b"", is_last=True), b""
        content = content.removeprefix(_BOM)
        if self._feed == self._lines:
            return [content.strip()] if content.strip() else []
        if _is_json(content):
            return list(_json_lines(content.strip()))
        self.is_batch |= _HEADER.match(content) is not None
        return self._cut(content, [match.start() for match in _START.finditer(content)])

    def _as_utf8(self, piece: bytes, *, is_last: bool = False) -> bytes:
        if self._head is not None:
            self._head += piece
            if len(self._head) < len(codecs.BOM_UTF16) and not is_last:
                return b""
            piece, self._head = self._head, None
            if piece.startswith(_WIDE_BOMS):
                self._wide = codecs.getincrementaldecoder("utf-16")("replace")
        return self._wide.decode(piece, is_last).encode(errors="replace") if self._wide else piece

    def _begin(self) -> list[bytes]:
        """Which kind of file it is, once its first bytes say so."""
        content = self._rest.removeprefix(_BOM)
        if _BOM.startswith(self._rest) or not content.strip():
            return []
        if not _is_json(content):
            self.is_batch = _HEADER.match(content) is not None
            self._rest, self._feed = content, self._messages
            return self._messages()
        first, end, _ = content.strip().partition(b"\n")
        if end:
            is_line = first.rstrip().startswith(b"{") and first.rstrip().endswith(b"}")
            self._rest, self._feed = content, self._lines if is_line else self._document
            return self._feed()
        return []

    def _messages(self) -> list[bytes]:
        """Up to the beginning of the last one, which may go on."""
        starts = [match.start() for match in _START.finditer(self._rest)]
        if len(starts) < 2:  # noqa: PLR2004  (the last one may go on)
            return []
        content, self._rest = self._rest[: starts[-1]], self._rest[starts[-1] :]
        return self._cut(content, starts[:-1])

    def _cut(self, content: bytes, starts: list[int]) -> list[bytes]:
        counts = [int(found) for found in _TRAILER.findall(content)]
        if counts:
            self.announced = min((self.announced or 0) + sum(counts), _MOST_ANNOUNCED)
        return [_message(content[start:end]) for start, end in pairwise([*starts, len(content)])]

    def _lines(self) -> list[bytes]:
        *lines, self._rest = self._rest.split(b"\n")
        return [line.strip() for line in lines if line.strip()]

    def _document(self) -> list[bytes]:
        return []


def _is_json(content: bytes) -> bool:
    return content.lstrip()[:1] in {b"{", b"["}


def _message(piece: bytes) -> bytes:
    """A message without what surrounds it: the next batch's header, the trailers, the marks of a frame."""
    return _ENVELOPE.sub(b"", piece).strip(_MARKS) + b"\r"


def _json_lines(content: bytes) -> tuple[bytes, ...]:
    """One document, or one a line (NDJSON)."""
    lines = [line.strip() for line in content.splitlines() if line.strip()]
    if len(lines) > 1 and all(line.startswith(b"{") and line.endswith(b"}") for line in lines):
        return tuple(lines)
    return (content,)
