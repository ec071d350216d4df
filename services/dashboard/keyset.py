"""Places in a list, as a link carries them: an instant and an id, never an offset."""

from datetime import datetime
from uuid import UUID

from shared.http import Problem

Place = tuple[datetime, UUID]
Rank = tuple[int, datetime, int, UUID]
"""Place in a column of the board: level of the ladder, due time, priority by risk, id."""


MOST = 32_767


def written(place: Place) -> str:
    return f"{place[0].isoformat()}_{place[1]}"


def written_rank(rank: Rank) -> str:
    return "_".join([str(rank[0]), rank[1].isoformat(), str(rank[2]), str(rank[3])])


def read_rank(text: str | None) -> Rank | None:
    """Raises Problem 422 when the text is no place."""
    if not text:
        return None
    try:
        level, at, priority, last = text.split("_")
        return _small(level), datetime.fromisoformat(at), _small(priority), UUID(last)
    except ValueError:
        raise _no_place() from None


def _small(text: str) -> int:
    """Raises ValueError for what no column holds."""
    number = int(text)
    if not 0 <= number <= MOST:
        raise ValueError(text)
    return number


def _no_place() -> Problem:
    return Problem(422, "This is no place in the list", slug="invalid-place", field="after")


def read_place(text: str | None) -> Place | None:
    """Raises Problem 422 when the text is no place."""
    if not text:
        return None
    try:
        at, _, last = text.rpartition("_")
        return datetime.fromisoformat(at), UUID(last)
    except ValueError:
        raise _no_place() from None
