"""What to do with an event, given the last sequence that took effect. Pure."""

from dataclasses import dataclass
from enum import Enum

from shared.events import AnyEvent, Topic


class Verdict(Enum):
    FRESH = "fresh"
    DUPLICATE = "duplicate"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Mark:
    """The last event of one (source, topic, subject) that took effect."""

    epoch: int
    sequence: int


# Requests to republish are idempotent and may be lost: asking for a lost request again would go round in rings.
UNNUMBERED = frozenset({Topic.REPUBLISH.value})


def judge(event: AnyEvent, mark: Mark | None, *, joins_late: bool) -> Verdict:
    """At or below the mark is a duplicate, the next applies, more is a gap. A higher epoch starts again at 1.

    A reader that joins late (a read side being rebuilt) takes whatever it sees first of a subject as its beginning.
    """
    if mark is None:
        if event.sequence == 1 or event.snapshot or joins_late or event.topic in UNNUMBERED:
            return Verdict.FRESH
        return Verdict.GAP
    if event.epoch < mark.epoch:
        return Verdict.DUPLICATE
    last = mark.sequence if event.epoch == mark.epoch else 0
    if event.sequence <= last:
        return Verdict.DUPLICATE
    if event.sequence == last + 1 or event.topic in UNNUMBERED:
        return Verdict.FRESH
    return Verdict.GAP


def reached(mark: Mark | None, epoch: int, sequence: int) -> bool:
    """Whether the mark is at or beyond that point."""
    return mark is not None and (mark.epoch, mark.sequence) >= (epoch, sequence)
