"""What callers say of time: nothing that no calendar reaches comes as far as the rules or the store."""

import pytest
from pydantic import TypeAdapter, ValidationError

from services.transitions.answers import Instant, place_in
from shared.http import Problem

INSTANT = TypeAdapter(Instant)
PLACE = "00000000-0000-7000-8000-000000000000"
BEYOND = ["0001-01-01T00:00:00+14:00", "1899-12-31T23:59:59Z", "2200-01-01T00:00:01Z", "9999-12-31T23:59:59-12:00"]


@pytest.mark.parametrize("said", BEYOND)
def test_what_no_calendar_reaches_is_no_instant(said: str) -> None:
    with pytest.raises(ValidationError):
        INSTANT.validate_python(said)
    with pytest.raises(Problem):
        place_in("before", f"{said}_{PLACE}")


@pytest.mark.parametrize("said", ["1900-01-01T00:00:00Z", "2026-03-06T15:00:00-06:00", "2200-01-01T00:00:00+00:00"])
def test_an_instant_has_its_offset(said: str) -> None:
    assert INSTANT.validate_python(said).isoformat() == said.replace("Z", "+00:00")
    assert place_in("before", f"{said}_{PLACE}")
    with pytest.raises(ValidationError):
        INSTANT.validate_python(said[:19])
