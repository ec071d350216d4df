"""When an act comes too late: another's change makes it stale, a level told by the clock does not."""

import pytest

from services.transitions.staleness import is_stale, told_by_clock
from shared.events.transitions import TaskChanged, TaskClaimed, TaskCreated, TaskEscalated, TaskOverdue

OVERDUE = (TaskOverdue.TYPE, "timer:t:0")
LEVEL_1 = (TaskEscalated.TYPE, "timer:t:1")
LEVEL_2 = (TaskEscalated.TYPE, "timer:t:2")
CLAIMED = (TaskClaimed.TYPE, "request:r1")
BY_PERSON = (TaskEscalated.TYPE, "request:r2")
CREATED = (TaskCreated.TYPE, "0192d5a0-0000-7000-8000-00000000beef")
MOVED = (TaskChanged.TYPE, "0192d5a0-0000-7000-8000-00000000beef")


@pytest.mark.parametrize(
    ("latest", "told"),
    [
        ((), 0),
        ((OVERDUE,), 1),
        ((LEVEL_2, LEVEL_1, OVERDUE, CREATED), 3),
        ((LEVEL_1, CLAIMED, OVERDUE), 1),
        ((CLAIMED, LEVEL_1, OVERDUE), 0),
        ((BY_PERSON, OVERDUE), 0),
        ((LEVEL_2, BY_PERSON, OVERDUE), 1),
        ((LEVEL_1, MOVED), 1),
        ((MOVED, LEVEL_1), 0),
    ],
)
def test_only_the_latest_levels_told_by_the_clock_count(latest: tuple[tuple[str, str], ...], told: int) -> None:
    assert told_by_clock(latest) == told


@pytest.mark.parametrize(
    ("seen", "version", "told", "stale"),
    [
        (1, 1, 0, False),
        (1, 2, 0, True),
        (1, 2, 1, False),
        (1, 3, 1, True),
        (2, 3, 1, False),
        (1, 4, 3, False),
        (1, 5, 3, True),
        # Nobody can have seen what does not stand yet.
        (3, 2, 0, True),
        (3, 2, 2, True),
    ],
)
def test_an_act_is_stale_when_something_else_came_between(seen: int, version: int, told: int, *, stale: bool) -> None:
    assert is_stale(seen, version, told) is stale
