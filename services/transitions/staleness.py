"""Whether what a person saw is still what they decide on, though its version has risen since. Pure.

A ladder that tells its levels raises the version of what it tells of, and changes nothing that anybody decided on: a
form opened before is as good as one opened after. Everything else (another person's act, evidence, a moved due time)
makes it stale.
"""

from collections.abc import Iterable
from itertools import takewhile

from shared.events.transitions import TaskEscalated, TaskOverdue

LEVELS = frozenset({TaskOverdue.TYPE, TaskEscalated.TYPE})
BY_CLOCK = "timer:"
"""How the cause of what the clock told begins; a person's own escalation is caused by their request."""


def told_by_clock(latest: Iterable[tuple[str, str]]) -> int:
    """How many of the latest changes, newest first as (event type, cause), are levels that the clock told."""
    return sum(1 for _ in takewhile(_is_level, latest))


def _is_level(change: tuple[str, str]) -> bool:
    event_type, cause = change
    return event_type in LEVELS and cause.startswith(BY_CLOCK)


def is_stale(seen: int, version: int, told: int = 0) -> bool:
    """Whether an act on version `seen` must be refused at `version`, whose last `told` steps were told by the clock."""
    return not version - told <= seen <= version
