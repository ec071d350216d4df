"""DG1: what a stay or an appointment is for."""

from collections.abc import Iterable
from typing import Any

from services.intake.er7 import Segment, Separators
from services.intake.remembering import remembered


def diagnoses(lines: Iterable[str], separators: Separators) -> list[dict[str, Any]]:
    """Of all DG1 segments, in their order."""
    return [found for line in lines if (found := _diagnosis(line, separators))]


@remembered(4096)
def _diagnosis(line: str, separators: Separators) -> dict[str, Any] | None:
    """One DG1; None where it is deleted or has no code."""
    segment = Segment(line.split(separators.field), separators)
    coded = segment.value(3)
    if not coded[1] or segment.text(21) == "D":
        return None
    rank = segment.text(15) or ""
    said = {
        "code": coded[1],
        "text": coded[2] or segment.text(4),
        "system": coded[3],
        "type": segment.text(6),
        "rank": int(rank) if rank.isdecimal() and len(rank) < 4 else None,  # noqa: PLR2004  (a rank, not a number)
    }
    return {name: value for name, value in said.items() if value is not None}
