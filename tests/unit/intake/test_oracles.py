"""Named fields read by two independent parsers (python-hl7 and hl7apy) and by us: the same in every message, own and
others'. What differs is explained here, one function a reason, and in docs/hl7-samples.md.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hl7
import pytest
from hl7apy.exceptions import InvalidEncodingChars
from hl7apy.parser import get_message_info, parse_segment

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
    ("MRG", 1, 1),
)

# Those of hl7apy's tables; the youngest stands in for what it does not know.
VERSIONS = ("2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8", "2.8.1", "2.8.2")
WITHDRAWN = {("EVN", 1, 1): "2.7", ("PID", 13, 1): "2.6"}
"""Fields that its tables have no more from a version on; senders go on using them, and so do we."""

Place = tuple[str, int, int]
Lookup = Callable[[Place], str | None]


def test_forty_fields_are_compared() -> None:
    assert len(FIELDS) >= 40


def ours(message: er7.Message, place: Place) -> str | None:
    segment, field, component = place
    found = message.header if segment == "MSH" else message.first(segment)
    return found.value(field)[component] if found else None


def by_python_hl7(message: er7.Message) -> Lookup:
    """It does not take a literal `""` for a null; we do. Raises AssertionError where a line is no segment: we leave it
    out with a doubt.
    """
    parsed = hl7.parse("\r".join(message.written).strip("\r "))

    def value(place: Place) -> str | None:
        segment, field, component = place
        try:
            found: str = parsed.extract_field(segment, 1, field, 1, component, 1)
        except LookupError:
            return None
        return None if found in {"", er7.NULL} else found

    return value


def by_hl7apy(message: er7.Message) -> Lookup:
    """It leaves escapes and nulls as they were sent, takes a blank for nothing, and reads by the tables of the version.

    Raises InvalidEncodingChars where MSH-2 is not four different characters: we take the ones that are there.
    """
    encoding, _, version = get_message_info(message.lines["MSH"][0])
    known = version if version in VERSIONS else VERSIONS[-1]
    segments: dict[str, Any] = {}

    def value(place: Place) -> str | None:
        name, field, component = place
        if VERSIONS.index(known) >= VERSIONS.index(WITHDRAWN.get(place, known)) and place in WITHDRAWN:
            return ours(message, place)
        if name not in segments:
            segments[name] = parse_segment(message.lines[name][0], known, encoding)
        repetition = next((one for one in segments[name].children if one.name == f"{name}_{field}"), None)
        found = _numbered(_numbered(repetition, component), 1)
        said = found.value if found else ""
        text = said.to_er7() if hasattr(said, "to_er7") else str(said)
        return None if text in {"", er7.NULL} else er7.unescape(text, message.separators)

    return value


def _numbered(parent: Any, number: int) -> Any:
    """The child of that number; a primitive type has one child, which has no number, and what a type has no place for
    has no name.
    """
    children = parent.children if parent else ()
    return next((one for one in children if one.name and _number(one.name) == number), None)


def _number(name: str) -> int:
    last = name.rpartition("_")[2]
    return int(last) if last.isdecimal() else 1


def differences(message: er7.Message, theirs: Lookup) -> list[Place]:
    present = [place for place in FIELDS if place[0] in message.lines]
    return [place for place in present if _said(theirs(place)) != _said(ours(message, place))]


def _said(text: str | None) -> str | None:
    """Nothing but blanks says nothing."""
    return text if text and not text.isspace() else None


ORACLES = [(by_python_hl7, AssertionError), (by_hl7apy, InvalidEncodingChars)]
FILES = sorted([*DATA.glob("a*.hl7"), *DATA.glob("o*.hl7")])


@pytest.mark.parametrize(("oracle", "_refuses"), ORACLES)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_own_messages_read_the_same(
    file: Path, oracle: Callable[[er7.Message], Lookup], _refuses: type[Exception]
) -> None:
    message = er7.read(file.read_bytes())
    assert differences(message, oracle(message)) == []


if SAMPLES.is_dir():

    @pytest.mark.parametrize(("oracle", "refuses"), ORACLES)
    def test_others_messages_read_the_same(oracle: Callable[[er7.Message], Lookup], refuses: type[Exception]) -> None:
        compared = []
        for raw in (one for file in sorted(SAMPLES.rglob("*.hl7")) for one in split(file.read_bytes()).messages):
            message = er7.read(raw)
            try:
                theirs = oracle(message)
            except refuses:
                continue
            compared.append(differences(message, theirs))
        assert len(compared) > 450
        assert [found for found in compared if found] == []
