"""Who is left out of a measure, and why: one function a kind of rule. Pure."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from services.transitions.disposition import DIED, base_of, is_planned
from services.transitions.quality.measure_parts import (
    AdmittedAgain,
    Died,
    Hospice,
    LeftTo,
    PlannedReturn,
    PrincipalDiagnosis,
    SameDayStay,
)
from services.transitions.quality.outcome import Candidate, History, began, is_of
from services.transitions.quality.windows import span_of
from services.transitions.readmission import Stayed
from services.transitions.task_rule import Part
from shared.calendar import local_date

HOSPICE = frozenset({"50", "51"})


def left_out(rule: Part, candidate: Candidate, history: History) -> str | None:
    """The reason from a closed list, or None; what is judged elsewhere (repeats, other measures) leaves nobody out."""
    judge = JUDGES.get(type(rule))
    return judge(rule, candidate, history) if judge else None


def last_day_of(rule: Part, candidate: Candidate) -> date:
    """The last local day on which something may happen that leaves the stay out. A death or a hospice later in the
    year does so too; then the stay is counted anew.
    """
    if isinstance(rule, AdmittedAgain):
        return span_of(rule, candidate).end
    if isinstance(rule, Died) and isinstance(rule.span, int):
        return candidate.after(rule.span)
    return candidate.left


def _died(rule: Died, candidate: Candidate, history: History) -> str | None:
    if any(_disposition(part) in DIED for part in (*candidate.parts, candidate.stay)):
        return "died"
    if rule.span == "stay":
        return None
    at = [stay.transition.patient.deceased_at for stay in history.stays if stay.transition.patient.deceased]
    died = [local_date(each, candidate.zone) for each in at if each is not None]
    died += [local_date(left, candidate.zone) for stay in history.stays if (left := _died_at(stay))]
    is_undated = bool(at) and not died
    within = any(
        day.year == candidate.left.year if rule.span == "year" else 0 <= (day - candidate.left).days <= rule.span
        for day in died
    )
    return "died" if within or is_undated else None


def _died_at(stay: Stayed) -> Any:
    return stay.transition.discharged_at if stay.is_over and _disposition(stay) in DIED else None


def _hospice(rule: Hospice, candidate: Candidate, history: History) -> str | None:
    stays = history.stays if rule.span == "year" else (candidate.stay,)
    for stay in stays:
        left = stay.transition.discharged_at
        same_year = left is not None and local_date(left, candidate.zone).year == candidate.left.year
        if stay.is_over and same_year and _disposition(stay) in HOSPICE:
            return "hospice"
    return None


def _admitted_again(rule: AdmittedAgain, candidate: Candidate, history: History) -> str | None:
    span = span_of(rule, candidate)
    for stay in history.stays:
        day = began(stay)
        if stay.transition.encounter_id in candidate.encounters or day is None or not is_of(stay, rule.classes):
            continue
        if span.holds(day) and _after(stay, candidate):
            return "admitted-again"
    return None


def _after(stay: Stayed, candidate: Candidate) -> bool:
    """On the same day, what began before the discharge and was over by then came before, unless it goes on after it."""
    told = stay.transition
    goes_on = not stay.is_over or (told.discharged_at is not None and told.discharged_at > candidate.left_at)
    return goes_on or (told.admitted_at is not None and told.admitted_at >= candidate.left_at)


def _left_to(rule: LeftTo, candidate: Candidate, _: History) -> str | None:
    return rule.reason if _disposition(candidate.stay) in rule.dispositions else None


def _planned_return(_: PlannedReturn, candidate: Candidate, __: History) -> str | None:
    told = candidate.transition.disposition
    planned = told is not None and (told.planned_readmission or is_planned(told.nubc))
    return "planned-return" if planned else None


def _same_day_stay(_: SameDayStay, candidate: Candidate, __: History) -> str | None:
    return "same-day-stay" if candidate.came == candidate.left else None


def _diagnosis(rule: PrincipalDiagnosis, candidate: Candidate, _: History) -> str | None:
    first = principal(candidate.stay)
    return rule.reason if first is not None and first.startswith(rule.principal) else None


def principal(stay: Stayed) -> str | None:
    """The diagnosis of rank 1, without dots; where none has a rank, the first that the source says."""
    told = stay.transition.diagnoses
    first = min(told, key=lambda one: one.rank if one.rank is not None else len(told) + 1, default=None)
    return first.code.replace(".", "").upper() if first else None


def _disposition(stay: Stayed) -> str:
    told = stay.transition.disposition
    return base_of(told.nubc if told else None)


JUDGES: Mapping[type[Part], Callable[[Any, Candidate, History], str | None]] = {
    Died: _died,
    Hospice: _hospice,
    AdmittedAgain: _admitted_again,
    LeftTo: _left_to,
    PlannedReturn: _planned_return,
    SameDayStay: _same_day_stay,
    PrincipalDiagnosis: _diagnosis,
}
