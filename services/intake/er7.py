"""HL7 v2 in its vertical-bar form (ER7), read tolerantly.

Bytes are decoded and split into segments once; fields, repetitions and components are split when they are asked for,
with the separators that the message itself declares, and un-escaped only after splitting. Unknown segments and extra
fields are no error.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

from services.intake import charsets
from services.intake.charsets import FALLBACK_CHARSET

UNUSED = "\x00"
"""Stands for a separator that the sender does not have: NUL is taken out of every message before it is split."""
NULL = '""'
"""The sender's "delete what you have", as opposed to an empty field: "no change"."""

# Where MSH-2 must have ended.
_FURTHEST_SEPARATOR = 20
MOST_BEFORE = 100
"""Lines that belong to each of several patients."""
_SEGMENT_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")


class NoHeaderError(ValueError):
    """The bytes do not start with a usable MSH segment."""


class Separators(NamedTuple):
    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"


@dataclass(slots=True)
class Segment:
    """One segment. Fields count from 1 as in the standard (MSH-1 is the field separator)."""

    fields: list[str]
    separators: Separators

    def raw(self, number: int) -> str:
        """The field as sent, with all its separators and escapes; "" when absent."""
        try:
            return self.fields[number]
        except IndexError:
            return ""

    def is_null(self, number: int) -> bool:
        return self.raw(number) == NULL

    def text(self, number: int) -> str | None:
        """The un-escaped first component of the first repetition; None where absent, empty or null."""
        raw = self.raw(number)
        if not raw or raw == NULL:
            return None
        s = self.separators
        if s.repetition in raw:
            raw = raw.split(s.repetition, 1)[0]
        if s.component in raw:
            raw = raw.split(s.component, 1)[0]
        return self.plain(raw)

    def value(self, number: int) -> "Composite":
        """The first repetition."""
        return self.composite(self.raw(number).split(self.separators.repetition, 1)[0])

    def repetitions(self, number: int) -> "list[Composite]":
        """All repetitions; an empty or null field has none."""
        raw = self.raw(number)
        if not raw or raw == NULL:
            return []
        return [self.composite(one) for one in raw.split(self.separators.repetition)]

    def composite(self, repetition: str) -> "Composite":
        return Composite(repetition.split(self.separators.component), self)

    def plain(self, component: str) -> str | None:
        """The un-escaped first subcomponent; None where empty or null."""
        s = self.separators
        if s.subcomponent in component:
            component = component.split(s.subcomponent, 1)[0]
        if not component or component == NULL:
            return None
        return unescape(component, s) if s.escape in component else component


class Composite:
    """One repetition of a field, split into components; they count from 1."""

    __slots__ = ("_components", "_segment")

    def __init__(self, components: list[str], segment: Segment) -> None:
        self._components = components
        self._segment = segment

    def __getitem__(self, number: int) -> str | None:
        """A component, un-escaped, without its further subcomponents; None where absent, empty or null."""
        if number > len(self._components):
            return None
        component = self._components[number - 1]
        return self._segment.plain(component) if component else None

    def second(self, number: int) -> str | None:
        """The second subcomponent of a component: the universal id of an HD."""
        if number > len(self._components):
            return None
        pieces = self._components[number - 1].split(self._segment.separators.subcomponent)
        return self._segment.plain(pieces[1]) if len(pieces) > 1 else None


@dataclass
class Message:
    """A message split into segments."""

    lines: dict[str, list[str]]
    separators: Separators
    doubts: list[str] = field(default_factory=list)
    """Where the bytes were not what they should be: names of fields or properties, never values."""
    written: list[str] = field(default_factory=list)
    """All lines in the order in which they came: groups of segments follow from it."""

    @cached_property
    def header(self) -> Segment:
        line = self.lines["MSH"][0]
        s = self.separators
        return Segment(["MSH", s.field, *line[4:].split(s.field)], s)

    def first(self, name: str) -> Segment | None:
        lines = self.lines.get(name)
        return self._segment(lines[0]) if lines else None

    def all(self, name: str) -> list[Segment]:
        return [self._segment(line) for line in self.lines.get(name, ())]

    def segments(self) -> list[Segment]:
        """All segments, in the order in which they were written."""
        return [self._segment(line) for line in self.written if _SEGMENT_NAME.fullmatch(line[:3])]

    def parts(self, name: str) -> "list[Message]":
        """The message cut before each segment of that name; what stands before the first one belongs to all of them."""
        starts = [place for place, line in enumerate(self.written) if line[:3] == name]
        # Of each part a copy: MSH, SFT, EVN and the like, not as many lines as a frame may hold.
        head = self.written[: min(starts[0], MOST_BEFORE)] if starts else self.written
        ends = [*starts[1:], len(self.written)]
        bodies = [self.written[start:end] for start, end in zip(starts, ends, strict=True)]
        return [self._only([*head, *body]) for body in bodies] or [self]

    def _only(self, written: list[str]) -> "Message":
        lines: dict[str, list[str]] = {}
        for line in written:
            if _SEGMENT_NAME.fullmatch(line[:3]):
                lines.setdefault(line[:3], []).append(line)
        return Message(lines, self.separators, list(self.doubts), written)

    def _segment(self, line: str) -> Segment:
        return Segment(line.split(self.separators.field), self.separators)


def read(raw: bytes, fallback_charset: str = FALLBACK_CHARSET, charset: str | None = None) -> Message:
    """Decodes and splits. Raises NoHeaderError when there is no MSH to take the separators from.

    `charset` is what the sender is known to send, whatever MSH-18 declares.
    """
    doubts: list[str] = []
    text = charsets.decode(raw, doubts, fallback_charset, charset)
    if "\n" in text:
        text = text.replace("\r\n", "\r").replace("\n", "\r")
    if "\x00" in text:
        doubts.append("NUL")
        text = text.replace("\x00", "")
    text = text.lstrip("\ufeff\r\t \x0b").rstrip("\x1c")
    lines: dict[str, list[str]] = {}
    separators = _separators(text[:_FURTHEST_SEPARATOR])
    written = text.split("\r")
    for line in written:
        name = line[:3]
        if _SEGMENT_NAME.fullmatch(name):
            lines.setdefault(name, []).append(line)
        elif line.strip():
            doubts.append("segment name")
    return Message(lines, separators, doubts, written)


def unescape(text: str, separators: Separators) -> str:
    r"""Resolves escape sequences; an unknown one (\Zxx\) stays as it was sent. A switch of the charset lasts until the
    next one.
    """
    e = separators.escape
    parts = text.split(e)
    out = [parts[0]]
    position, switch = 1, ""
    while position < len(parts):
        if position + 1 == len(parts):  # an escape character that nothing closes
            out.append(e + parts[position])
            break
        code, following = parts[position], parts[position + 1]
        if charsets.is_switch(code):
            switch = code
        else:
            out.append(_resolve(code, separators))
        out.append(charsets.switched(switch, following) if switch else following)
        position += 2
    return "".join(out)


def _resolve(code: str, s: Separators) -> str:
    simple = {"F": s.field, "S": s.component, "T": s.subcomponent, "R": s.repetition, "E": s.escape, "H": "", "N": ""}
    if code in simple:
        return simple[code]
    if code == ".br":
        return "\n"
    if code[:1] == "X" and _HEX.fullmatch(code[1:]):
        return bytes.fromhex(code[1:]).decode("utf-8", "replace").replace("\x00", "")
    return f"{s.escape}{code}{s.escape}"


@lru_cache(maxsize=256)
def _separators(text: str) -> Separators:
    """From the beginning of the message. A refusal is no answer, and is not kept."""
    if not text.startswith("MSH") or len(text) < len("MSH|^~\\&"):
        raise NoHeaderError("no MSH segment")
    mark = text[3]
    if mark.isalnum() or mark in "\r\n":
        raise NoHeaderError("MSH-1 is no separator")
    declared = text[4 : text.find(mark, 4)] if mark in text[4:] else text[4:8]
    if declared == "^~&":  # the escape character was lost on the way, as backslashes are
        declared = f"^~{UNUSED}&"
    if declared[2:4] == "\\\\" and len(declared) > 4:  # noqa: PLR2004  (a backslash doubled on the way)
        declared = declared[:3] + declared[4:]
    # A sender may declare fewer than four; what it leaves out it does not use.
    given = [*declared[:4], *[UNUSED] * (4 - len(declared))]
    return Separators(mark, *given)
