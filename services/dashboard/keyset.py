"""Places in a list, as a link carries them: an instant and an id, never an offset."""

from datetime import datetime
from uuid import UUID

from shared.http import Problem

Place = tuple[datetime, UUID]


def written(place: Place) -> str:
    return f"{place[0].isoformat()}_{place[1]}"


def read_place(text: str | None) -> Place | None:
    """Raises Problem 422 when the text is no place."""
    if not text:
        return None
    try:
        at, _, last = text.rpartition("_")
        return datetime.fromisoformat(at), UUID(last)
    except ValueError:
        raise Problem(422, "This is no place in the list", slug="invalid-place", field="after") from None
