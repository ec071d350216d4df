"""Codes that a feed sends and no map knows: found while reading, counted, never a reason to refuse a message."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from services.intake.codes import PATIENT_CLASSES, disposition_of
from services.intake.er7 import Message
from services.intake.feeds import Feed
from shared.metrics import UNKNOWN_CODES

LONGEST_CODE = 20  # the longest value of HL7's coded types IS and ID
NOT_A_CODE = "(no code)"
MOST_KEPT = 2_000
_CODE = re.compile(r"[\w.+&/-]+(?: [\w.+&/-]+)?")


class UnknownCode(NamedTuple):
    """`field` as `PV1-36`; `code` as sent, or NOT_A_CODE where it may be anything (a name in the wrong field)."""

    feed: str
    field: str
    code: str


class Tally:
    """Counts until somebody takes the counts away. Bounded: a field full of free text can't fill the memory."""

    def __init__(self) -> None:
        self._counts: Counter[UnknownCode] = Counter()

    def count(self, feed: str, field: str, code: str) -> None:
        UNKNOWN_CODES.labels(feed, field).inc()
        found = UnknownCode(feed, field, code)
        if found in self._counts or len(self._counts) < MOST_KEPT:
            self._counts[found] += 1

    def take(self) -> Counter[UnknownCode]:
        taken, self._counts = self._counts, Counter()
        return taken

    def put_back(self, counts: Counter[UnknownCode]) -> None:
        self._counts.update(counts)


def unknown_codes(message: Message, feed: Feed) -> Iterator[tuple[str, str]]:
    """Field and code of everything that the feed's maps and the code systems don't know. Pure."""
    visit = message.first("PV1")
    if visit:
        code = visit.text(2)
        if code and feed.classes.get(code, code).upper() not in PATIENT_CLASSES:
            yield "PV1-2", told(code)
        word = visit.text(36)
        if word and disposition_of(word, feed.dispositions).nubc is None:
            yield "PV1-36", told(word)
        if feed.facilities:
            place = visit.value(3)[4]
            if place and place not in feed.facilities and place != feed.facility.code:
                yield "PV1-3.4", told(place)
    if feed.authorities:
        yield from _unknown_authorities(message, feed)


def _unknown_authorities(message: Message, feed: Feed) -> Iterator[tuple[str, str]]:
    """Where a feed's authorities are listed, one that is not may be a second name of a listed one."""
    person = message.first("PID")
    names = {*feed.authorities, *feed.authorities.values(), feed.facility.code}
    for one in person.repetitions(3) if person else ():
        said = [part for part in (one[4], one.second(4)) if part]
        if said and not names.intersection(said):
            yield "PID-3.4", told(said[0])


def told(code: str) -> str:
    """The code as it may be kept: what is too long or too wordy for a code could be anything."""
    return code if len(code) <= LONGEST_CODE and _CODE.fullmatch(code) else NOT_A_CODE
