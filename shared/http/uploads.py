"""Uploads: a form's file is handed on as it comes. It never lies on the disk in clear, as a form's file else would."""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from shared.http.problems import Problem

FILE_FIELD = "file"
FIELD_BYTES = 1 << 20
MOST_FIELDS = 16


class _Begun(NamedTuple):
    """A file begins; "" where it has no name."""

    name: str


class _Piece(NamedTuple):
    content: bytes


@dataclass(slots=True)
class _Parts:
    """What python-multipart calls while it reads: told fields are kept, of the file there are pieces."""

    fields: dict[str, str] = field(default_factory=dict)
    found: deque[_Begun | _Piece] = field(default_factory=deque)
    is_whole: bool = False
    _header: bytearray = field(default_factory=bytearray)
    _disposition: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _name: str = ""
    _is_file: bool = False
    _files: int = 0

    def on_part_begin(self) -> None:
        self._disposition.clear()
        self._value.clear()

    def on_header_field(self, read: bytes, start: int, end: int) -> None:
        self._header += read[start:end]

    def on_header_value(self, read: bytes, start: int, end: int) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition += read[start:end]

    def on_header_end(self) -> None:
        self._header.clear()

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(bytes(self._disposition))
        self._name = options.get(b"name", b"").decode(errors="replace")
        self._is_file = b"filename" in options or self._name == FILE_FIELD
        if not self._is_file:
            return
        self._files += 1
        if self._files > 1 or self._name != FILE_FIELD:
            raise _unreadable("The form has more than one file")
        self.found.append(_Begun(options.get(b"filename", b"").decode(errors="replace")))

    def on_part_data(self, read: bytes, start: int, end: int) -> None:
        if self._is_file:
            self.found.append(_Piece(read[start:end]))
            return
        self._value += read[start:end]
        if len(self._value) > FIELD_BYTES:
            raise Problem(413, "A field of the form is too long", slug="field-too-long", limit_bytes=FIELD_BYTES)

    def on_part_end(self) -> None:
        if self._is_file:
            return
        if len(self.fields) >= MOST_FIELDS:
            raise _unreadable("The form has too many fields")
        self.fields[self._name] = self._value.decode(errors="replace")

    def on_end(self) -> None:
        self.is_whole = True


@dataclass(slots=True)
class Upload:
    """A file that is arriving. `content` can be gone through once and holds one piece at a time; `fields` are those
    that stood before the file, and, once the content has been gone through, those behind it too.
    """

    name: str
    content: AsyncIterator[bytes]
    fields: dict[str, str]


def is_form(request: Request) -> bool:
    """Whether the body is a form that may hold a file."""
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


@asynccontextmanager
async def upload_of(request: Request) -> AsyncIterator[Upload]:
    """The form's field `file`. Raises Problem 422 where there is none, or where the form is cut off or unreadable: then
    while the content is gone through, so that nobody takes a part of a file for the whole.
    """
    parts = _Parts()
    found = _read(request, parts)
    async for begun in found:
        if isinstance(begun, _Begun):
            yield Upload(begun.name, _pieces(found), parts.fields)
            return
    raise Problem(422, "The form has no file", slug="no-file")


async def _pieces(found: AsyncIterator[_Begun | _Piece]) -> AsyncIterator[bytes]:
    async for one in found:
        if isinstance(one, _Piece):
            yield one.content


async def _read(request: Request, parts: _Parts) -> AsyncIterator[_Begun | _Piece]:
    _, options = parse_options_header(request.headers.get("content-type", ""))
    try:
        parser = MultipartParser(
            options.get(b"boundary", b""),
            {
                "on_part_begin": parts.on_part_begin,
                "on_header_field": parts.on_header_field,
                "on_header_value": parts.on_header_value,
                "on_header_end": parts.on_header_end,
                "on_headers_finished": parts.on_headers_finished,
                "on_part_data": parts.on_part_data,
                "on_part_end": parts.on_part_end,
                "on_end": parts.on_end,
            },
        )
        async for read in request.stream():
            parser.write(read)
            while parts.found:
                yield parts.found.popleft()
        parser.finalize()
    except FormParserError:
        raise _unreadable("The form can't be read") from None
    if not parts.is_whole:
        raise _unreadable("The form is cut off")


def _unreadable(title: str) -> Problem:
    return Problem(422, title, slug="unreadable-form")
