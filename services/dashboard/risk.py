"""Risk scores as pages show them: one chip, every score with its points, and what it was computed from. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from shared.http import Problem

HIGH, MIDDLE = 1, 2
KINDS: Mapping[int, str] = {HIGH: "bad", MIDDLE: "warn"}
"""Of a chip, by priority; every other is plain."""
PARTS = {
    "length": "length of stay",
    "acute": "acute admission",
    "comorbidity": "comorbidities",
    "emergency": "emergency visits",
    "haemoglobin": "haemoglobin",
    "oncology": "oncology service",
    "sodium": "sodium",
    "procedure": "procedure",
    "index-type": "type of admission",
    "admissions": "earlier admissions",
}
ORDER = {name: place for place, name in enumerate(PARTS)}
INPUTS = {
    "days": "Days in hospital",
    "is_over": "Stay is over",
    "acute": "Acute admission",
    "diagnoses": "Diagnoses",
    "visits": "Emergency visits, 6 months before",
    "admissions": "Admissions, 12 months before",
    "haemoglobin": "Haemoglobin, g/dL",
    "sodium": "Sodium, mmol/L",
    "oncology": "Oncology service",
    "procedure": "Procedure in the stay",
}
"""As the scores name them, in the order of a page."""
SAID_BY_PEOPLE = ("acute", "oncology", "procedure")
MEASURED = ("haemoglobin", "sodium")


@dataclass(frozen=True, slots=True)
class Chip:
    """The score that steers, in short. Its words say all that its colour does."""

    words: str
    kind: str
    explained: str
    is_provisional: bool


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """One score of a list. `range` is how far it may still move; `parts` are its points, known and missing."""

    title: str
    version: str
    points: int
    range: str
    band: str
    expected: str
    is_provisional: bool
    parts: tuple[tuple[str, str], ...]


def chip_of(risk: Mapping[str, Any] | None, scores: Sequence[Mapping[str, Any]] | None) -> Chip | None:
    """None where no score steers. The version stands with the score as it was told; it may be told later."""
    if not risk:
        return None
    told = next((one for one in scores or () if one["name"] == risk["score"]), None)
    version = str(told["version"]) if told else ""
    name = score_title(risk["score"], version)
    provisional = bool(risk["provisional"])
    return Chip(
        words=f"{name} {risk['points']} {risk['band']}{' so far' if provisional else ''}",
        kind=KINDS.get(risk["priority"], "plain"),
        explained=f"Risk of coming back, {name}{version and ' ' + version}: {risk['points']} points, {risk['band']}"
        + ("; provisional, it may still change" if provisional else ""),
        is_provisional=provisional,
    )


def score_title(name: str, version: str) -> str:
    """`hospital-2016` of version 2016 → `HOSPITAL`: the version stands beside it."""
    return name.removesuffix(f"-{version}").replace("-", " ").upper()


def score_line(score: Mapping[str, Any]) -> ScoreLine:
    missing = set(score.get("missing") or ())
    parts = score.get("parts") or {}
    low, high = score["lowest"], score["highest"]
    return ScoreLine(
        title=score_title(score["name"], score["version"]),
        version=score["version"],
        points=score["points"],
        range=f"{low} to {high}" if low != high else "",
        band=score["band"],
        expected=f"{score['expected']} %" if score.get("expected") is not None else "",
        is_provisional=bool(score["provisional"]),
        parts=tuple(
            (PARTS.get(name, name.replace("-", " ")), "missing" if name in missing else str(points))
            for name, points in sorted(parts.items(), key=lambda part: ORDER.get(part[0], len(ORDER)))
        ),
    )


def input_lines(inputs: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value of every input, those that the page knows first; in words where nothing is known."""
    order = [*INPUTS, *sorted(set(inputs) - set(INPUTS))]
    return [(INPUTS.get(name, name.replace("_", " ")), _value(inputs[name])) for name in order if name in inputs]


def _value(value: Any) -> str:
    match value:
        case None:
            return "not known"
        case bool():
            return "yes" if value else "no"
        case str() | int() | float():
            return str(value)
        case _:
            return ", ".join(str(each) for each in value) or "none"


def known_body(given: Mapping[str, str]) -> dict[str, Any]:
    """What a form adds to the scores' inputs. Raises Problem 422 for nothing at all and for what is no number."""
    body: dict[str, Any] = {name: given[name] == "yes" for name in SAID_BY_PEOPLE if given.get(name) in {"yes", "no"}}
    for name in MEASURED:
        text = given.get(name, "").strip().replace(",", ".")
        if text:
            body[name] = _number(name, text)
    if not body:
        raise Problem(422, "say at least one of them", slug="words-missing")
    return body


def _number(name: str, text: str) -> str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise Problem(422, f"{name} is no number", slug="words-missing") from None
    if not number.is_finite():
        raise Problem(422, f"{name} is no number", slug="words-missing")
    return str(number)


def told_together(kept: Iterable[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Scores as they were told, those of one telling together, newest first."""
    groups: list[list[Mapping[str, Any]]] = []
    for row in kept:
        if groups and groups[-1][0]["number"] == row["number"]:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups
