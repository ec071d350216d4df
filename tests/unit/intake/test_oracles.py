"""Named fields read by an independent parser (python-hl7) and by us: the same in every message, own and others'.

One difference is meant: python-hl7 does not take a literal `""` for a null, we do.
"""

from pathlib import Path

import hl7
import pytest

from services.intake import er7
from services.intake.batch import split
from tests.unit.intake.messages import DATA

SAMPLES = Path(__file__).parents[4] / "shared" / "samples"

# Segment, field, component: the fields that the readers of ADT, ORU, SIU, MDM and REF take their values from.
FIELDS = (
    *(("MSH", number, 1) for number in (3, 4, 5, 6, 7, 9, 10, 11, 12)),
    ("MSH", 9, 2),
    *(("EVN", number, 1) for number in (1, 2, 6)),
    *(("PID", number, 1) for number in (3, 5, 7, 8, 11, 13, 15, 18, 29)),
    *(("PID", 3, number) for number in (4, 5)),
    *(("PID", 5, number) for number in (2, 3)),
    *(("PID", 11, number) for number in (3, 5)),
    *(("PV1", number, 1) for number in (2, 3, 4, 7, 10, 14, 19, 36, 44, 45)),
    *(("PV1", 3, number) for number in (2, 3, 4)),
    *(("PV1", 7, number) for number in (2, 3)),
    *(("DG1", number, 1) for number in (3, 6)),
    *(("OBR", number, 1) for number in (2, 3, 4, 7)),
    *(("OBX", number, 1) for number in (2, 3, 5, 6, 11)),
    *(("SCH", number, 1) for number in (1, 2)),
    *(("TXA", number, 1) for number in (2, 12, 17)),
    ("RF1", 6, 1),
)


def test_forty_fields_are_compared() -> None:
    assert len(FIELDS) >= 40


def theirs(parsed: hl7.Message, segment: str, field: int, component: int) -> str | None:
    try:
        found: str = parsed.extract_field(segment, 1, field, 1, component, 1)
    except LookupError:
        return None
    return None if found in {"", er7.NULL} else found


def ours(message: er7.Message, segment: str, field: int, component: int) -> str | None:
    found = message.header if segment == "MSH" else message.first(segment)
    return found.value(field)[component] if found else None


def differences(raw: bytes) -> list[tuple[str, int, int]]:
    message = er7.read(raw)
    parsed = hl7.parse("\r".join(message.written).strip("\r "))
    present = [one for one in FIELDS if one[0] in message.lines]
    return [one for one in present if theirs(parsed, *one) != ours(message, *one)]


def is_readable_by_them(raw: bytes) -> bool:
    """python-hl7 asserts that every line has the shape of a segment; five of the collection's messages have one that
    has not, which we leave out with a doubt.
    """
    try:
        hl7.parse("\r".join(er7.read(raw).written).strip("\r "))
    except AssertionError:
        return False
    return True


FILES = sorted([*DATA.glob("a*.hl7"), *DATA.glob("o*.hl7")])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_own_messages_read_the_same(file: Path) -> None:
    assert differences(file.read_bytes()) == []


if SAMPLES.is_dir():

    def test_others_messages_read_the_same() -> None:
        messages = [one for file in sorted(SAMPLES.rglob("*.hl7")) for one in split(file.read_bytes()).messages]
        compared = [differences(one) for one in messages if is_readable_by_them(one)]
        assert len(compared) > 450
        assert [found for found in compared if found] == []
