"""ORU^R01: what results say. Each OBX (or run of text lines under one code) is one observation."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import groupby
from typing import Any

from services.intake.context import FURTHEST_AHEAD, Context
from services.intake.er7 import Segment
from services.intake.person import Person
from services.intake.statement import About, Statement
from services.intake.times import Moment
from shared.events.people import Identifier

LOINC = "LN"
# Pictures, PDFs and pointers are no result's text.
_ENCAPSULATED = frozenset({"ED", "RP"})
_TEXTS = frozenset({"TX", "FT", "ST", ""})
LONGEST_TEXT = 8_000
LONGEST_NUMBER, MOST_DIGITS = 60, 30
# Of two words of the same moment the later stage counts (HL7 table 0085).
_STAGES = {"I": 0, "O": 0, "S": 1, "P": 1, "R": 1, "A": 1, "B": 1, "V": 1, "F": 2, "U": 2, "C": 3}
_WITHDRAWN = 4


@dataclass
class _Group:
    """One OBR with its observations, and the ORC before it."""

    order: Segment
    request: Segment
    results: list[Segment] = field(default_factory=list)
    measured: Counter[str] = field(default_factory=Counter)
    """How often each code of its results stands in it."""

    def add(self, result: Segment) -> None:
        self.results.append(result)
        self.measured[result.raw(3)] += 1


def read(context: Context, who: Person) -> tuple[Statement, ...]:
    return tuple(
        _statement(context, who, group, list(lines))
        for group in _groups(context)
        for _, lines in groupby(group.results, key=_key)
        if group.results
    )


def _groups(context: Context) -> Iterator[_Group]:
    order = context.empty
    group = _Group(order, context.empty)
    for segment in context.source.segments():
        match segment.raw(0):
            case "ORC":
                order = segment
            case "OBR":
                if group.results:
                    yield group
                group, order = _Group(order, segment), context.empty
            case "OBX" if _coded(segment, 3)[0]:
                group.add(segment)
            case _:
                pass
    if group.results:
        yield group


def _key(result: Segment) -> tuple[str, ...]:
    """Lines of one text share code and sub-id. Of values, each is one of its own."""
    if (result.text(2) or "") in _TEXTS:
        return ("text", result.raw(3), result.raw(4))
    return ("value", result.raw(3), result.raw(4), result.raw(1), result.raw(14))


def _statement(context: Context, who: Person, group: _Group, lines: list[Segment]) -> Statement:
    result, request = lines[0], group.request
    reported = context.moment("OBR-22", request.text(22), FURTHEST_AHEAD)
    observed = context.moment("OBX-14", result.text(14)) or context.moment("OBR-7", request.text(7))
    sent = context.sent()
    status = (result.text(11) or request.text(25) or "F").upper()
    when = observed or reported or sent
    return Statement(
        about=About.OBSERVATION,
        identifier=_identifier(context, who, group, result, observed),
        order=context.order(_STAGES.get(status, _WITHDRAWN), reported, sent),
        occurred=when.at if when else context.received,
        said=_said(context, group, lines, status, observed),
    )


def _identifier(context: Context, who: Person, group: _Group, result: Segment, observed: Moment | None) -> Identifier:
    """Order, test, code and sub-id. A device names no order: then the patient and the time of the measurement do."""
    code, _, _ = _coded(result, 3)
    test, _, _ = _coded(group.request, 4)
    sub_id = result.text(4) or ""
    order, patient = _order(context, group), who.identifiers[0]
    parts: tuple[str | None, ...]
    if order:
        parts = (order.value, test, code, sub_id)
        # The same code measured several times under one order without sub-ids.
        if not sub_id and group.measured[result.raw(3)] > 1:
            parts = (*parts, result.text(14))
    elif observed:
        parts = (patient.type, patient.value, code, sub_id, observed.iso)
    else:
        context.doubts.append("OBX-14")
        return context.own_identifier("OBX", code or "", sub_id, result.text(1) or "")
    authority = order.authority if order else patient.authority
    return Identifier(authority=authority, type="OBX", value="|".join(part or "" for part in parts))


def _order(context: Context, group: _Group) -> Identifier | None:
    """The filler's order number, else the placer's; of OBR, else of ORC."""
    places = ((group.request, 3), (group.order, 3), (group.request, 2), (group.order, 2))
    found = (context.entity(segment, number, "ORDER") for segment, number in places)
    return next((order for order in found if order), None)


def _placer(context: Context, group: _Group) -> Identifier | None:
    """Whom the result answers: the number under which it was ordered."""
    places = ((group.request, 2), (group.order, 2), (group.request, 3), (group.order, 3))
    found = (context.entity(segment, number, "ORDER") for segment, number in places)
    return next((order for order in found if order), None)


def _said(
    context: Context, group: _Group, lines: list[Segment], status: str, observed: Moment | None
) -> dict[str, Any]:
    result = lines[0]
    code, name, system = _coded(result, 3)
    value, text = _value(context, lines)
    placer = _placer(context, group)
    return {
        "status": status,
        "code": code,
        "name": name,
        "system": system,
        "value": str(value) if value is not None else None,
        "text": text,
        "unit": result.text(6),
        "reference_range": result.text(7),
        "abnormal": result.text(8),
        "observed_at": observed.iso if observed else None,
        "device": result.text(18),
        "actor": None,
        "order": placer.model_dump() if placer else None,
    }


def _coded(segment: Segment, number: int) -> tuple[str | None, str | None, str | None]:
    """Code, text and system of a CE; LOINC where the alternate is that."""
    coded = segment.value(number)
    if coded[6] == LOINC and coded[4] and coded[3] != LOINC:
        return coded[4], coded[5] or coded[2], LOINC
    return coded[1] or coded[2], coded[2], coded[3]


def _value(context: Context, lines: list[Segment]) -> tuple[Decimal | None, str | None]:
    """A number where it is one, else what it says, line by line."""
    result = lines[0]
    kind = result.text(2) or ""
    if kind in _ENCAPSULATED:
        return None, None
    if len(lines) == 1 and kind in {"NM", "SN"}:
        number = _number(result.text(5) if kind == "NM" else _structured(result))
        if number is not None:
            return number, None
    text = "\n".join(_texts(lines))
    if len(text) > LONGEST_TEXT:
        context.doubts.append("OBX-5 shortened")
        text = text[:LONGEST_TEXT]
    return None, text or None


def _structured(result: Segment) -> str | None:
    """SN: only `^182` and `=^182` are plain numbers; `>^100` and `1^-^2` are said as text."""
    value = result.value(5)
    return value[2] if value[1] in {None, "="} and value[3] is None else None


def _number(text: str | None) -> Decimal | None:
    try:
        number = Decimal(text.strip()) if text and len(text) <= LONGEST_NUMBER else None
    except InvalidOperation:
        return None
    return number if number is not None and is_a_measurement(number) else None


def is_a_measurement(number: Decimal) -> bool:
    """Whether anything measured can be so large or so small: more than that no arithmetic and no store takes."""
    return number.is_finite() and (not number or abs(number.adjusted()) <= MOST_DIGITS)


def _texts(lines: Iterable[Segment]) -> Iterator[str]:
    for line in lines:
        kind = line.text(2) or ""
        for one in line.repetitions(5):
            if kind in {"CE", "CWE", "CF", "CNE"}:
                yield one[2] or one[1] or ""
            elif kind == "SN":
                yield " ".join(part for part in (one[1], one[2], one[3], one[4]) if part)
            else:
                yield one[1] or ""
