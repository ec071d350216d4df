"""A measure's figures as a FHIR R4 MeasureReport, summary or subject-list. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid5

from services.transitions.quality.figure import Figure, Side
from services.transitions.quality.measures import Measure
from services.transitions.quality.outcome import Status

POPULATIONS = "http://terminology.hl7.org/CodeSystem/measure-population"
IMPROVEMENT = "http://terminology.hl7.org/CodeSystem/measure-improvement-notation"
MEASURES = "urn:handoff:measure"
GROUPS = "urn:handoff:measure-group"
EXPECTED_COUNT = "urn:handoff:expected-count"
SIDES = "urn:handoff:measure-stratifier"
REPORTS = UUID("0f6f0c86-58a1-4c41-9d0a-6f9b6d3a7c55")
"""Namespace of reports: the same question at the same time has the same id."""
IN_POPULATION: Mapping[str, frozenset[Status]] = {
    "initial-population": frozenset(Status),
    "denominator": frozenset({Status.MET, Status.MISSED, Status.EXCLUDED}),
    "denominator-exclusion": frozenset({Status.EXCLUDED}),
    "numerator": frozenset({Status.MET}),
}
"""In FHIR the denominator holds the exclusions, and the score is of what is left of it. Those pending are in the
initial population alone: their window has not passed.
"""


def measure_report(
    measure: Measure,
    total: Figure,
    period: tuple[date, date],
    at: datetime,
    *,
    strata: Sequence[Figure] = (),
    subjects: Iterable[Mapping[str, Any]] | None = None,
    expects: bool = False,
) -> dict[str, Any]:
    """`period` ends before its second day. Figures that are grouped become strata of one stratifier, beside the total.
    With `subjects` (those behind the figures, all of them) it is a subject-list. With `expects` a second group holds
    those whose expected rate is known; its score is observed to expected.
    """
    lists = _subject_lists(subjects) if subjects is not None else {}
    groups = [{"code": {"text": measure.title}, **_counted(total, lists), **_stratified(strata, _counted)}]
    if expects:
        code = {"coding": [{"system": GROUPS, "code": "observed-to-expected"}], "text": "Observed to expected"}
        groups.append({"code": code, **_compared(total), **_stratified(strata, _compared)})
    said: dict[str, Any] = {
        "resourceType": "MeasureReport",
        "id": str(uuid5(REPORTS, f"{measure.id} {period} {at.isoformat()} {sorted(lists)}")),
        "status": "complete",
        "type": "subject-list" if subjects is not None else "summary",
        "measure": f"{MEASURES}:{measure.id}|{measure.version}",
        "date": at.isoformat(),
        "reporter": {"display": "Handoff"},
        "period": {"start": period[0].isoformat(), "end": (period[1] - timedelta(days=1)).isoformat()},
        "improvementNotation": {"coding": [{"system": IMPROVEMENT, "code": _notation(measure)}]},
        "group": groups,
    }
    return said | ({"contained": [lists[code] for code in IN_POPULATION]} if lists else {})


def _stratified(figures: Sequence[Figure], told: Callable[[Figure], dict[str, Any]]) -> dict[str, Any]:
    if not figures:
        return {}
    sides = [{"text": side} for side in figures[0].group]
    return {"stratifier": [{"code": sides, "stratum": [{**_stratum(one), **told(one)} for one in figures]}]}


def _compared(figure: Figure) -> dict[str, Any]:
    """Those whose rate is known: the denominator; those of them who were observed: the numerator."""
    told = figure.expectation
    counts = {"initial-population": figure.denominator, "denominator": told.known, "numerator": told.observed}
    score = {"measureScore": {"value": round(told.ratio, 6), "unit": "1"}} if told.ratio is not None else {}
    said = [{"url": EXPECTED_COUNT, "valueDecimal": round(told.count, 4)}]
    return {"extension": said, "population": [_population(code, count, {}) for code, count in counts.items()], **score}


def _counted(figure: Figure, lists: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    excluded = sum(figure.left_out.values())
    counts = {
        "initial-population": figure.population,
        "denominator": figure.denominator + excluded,
        "denominator-exclusion": excluded,
        "numerator": figure.numerator,
    }
    populations = [_population(code, count, lists) for code, count in counts.items()]
    score = {"measureScore": {"value": round(figure.rate, 6), "unit": "1"}} if figure.rate is not None else {}
    return {"population": populations, **score}


def _population(code: str, count: int, lists: Mapping[str, Any]) -> dict[str, Any]:
    said = {"code": {"coding": [{"system": POPULATIONS, "code": code}]}, "count": count}
    return said | ({"subjectResults": {"reference": f"#{lists[code]['id']}"}} if lists else {})


def _stratum(figure: Figure) -> dict[str, Any]:
    sides = [
        {
            "code": {"coding": [{"system": SIDES, "code": Side(side).value}], "text": side},
            "value": {"text": value if value is not None else "none"},
        }
        for side, value in figure.group.items()
    ]
    return {"value": sides[0]["value"]} if len(sides) == 1 else {"component": sides}


def _subject_lists(subjects: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One List a population: a patient stands there once a stay, as each stay is counted."""
    found: dict[str, list[Any]] = {code: [] for code in IN_POPULATION}
    for one in subjects:
        for code, statuses in IN_POPULATION.items():
            if one["status"] in statuses:
                found[code].append({"item": {"reference": f"Patient/{one['patient_id']}"}})
    return {code: _list(code, entries) for code, entries in found.items()}


def _list(code: str, entries: list[Any]) -> dict[str, Any]:
    said = {"resourceType": "List", "id": code, "status": "current", "mode": "snapshot"}
    return said | ({"entry": entries} if entries else {})


def _notation(measure: Measure) -> str:
    return "increase" if measure.better == "higher" else "decrease"
