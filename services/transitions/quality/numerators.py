"""What counts as done: the first deed in the window, or a return. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.transitions.evidence import Evidence
from services.transitions.evidence_details import DIAGNOSES, SAID_OF_VISITS
from services.transitions.quality.exclusions import principal
from services.transitions.quality.measure_parts import ByDeed, ByReturn, Qualification
from services.transitions.quality.measures import Measures
from services.transitions.quality.outcome import Candidate, History, began, is_of
from services.transitions.quality.windows import Span
from services.transitions.readmission import PLANNED_INDICATOR, Stayed, readmission
from shared.calendar import local_date
from shared.events.encounters import Arrived
from shared.events.followups import ContactAttempted


@dataclass(frozen=True, slots=True)
class Done:
    """When it was met, by which event (none for a stay), how many days after the anchor, and in words."""

    at: datetime
    event_id: UUID | None
    days: int
    words: str


def by_deed(rule: ByDeed, span: Span, candidate: Candidate, history: History, measures: Measures) -> Done | None:
    """The earliest deed in the window that the measure counts."""
    anchor = candidate.came_at if rule.anchor == "admission" else candidate.left_at
    start = candidate.came if rule.anchor == "admission" else candidate.left
    for deed in history.deeds:
        day = local_date(deed.at, candidate.zone)
        if not span.holds(day) or not _concerns(deed, candidate) or (rule.after_anchor and deed.at <= anchor):
            continue
        if not any(asked.event == deed.type and asked.says(deed.details) for asked in rule.evidence):
            continue
        if rule.qualified is None or is_qualified(rule.qualified, as_told_last(deed, history.deeds), measures):
            days = (day - start).days
            return Done(deed.at, deed.event_id, days, f"{_plain(deed.type)} on {day}, day {days}")
    return None


def is_qualified(asked: Qualification, told: Mapping[str, str], measures: Measures) -> bool:
    """Whether the visit was with such a provider, or for such a diagnosis; the one that is said first is principal."""
    said = [told[name] for name in ("specialty", "service") if name in told]
    if any(measures.providers.sets[name].hold_any(said) for name in asked.providers):
        return True
    codes = [code for code in told.get(DIAGNOSES, "").split(",") if code]
    principal, anywhere = measures.codes(asked.principal), measures.codes(asked.any)
    return any(code.startswith(principal) for code in codes[:1]) or any(code.startswith(anywhere) for code in codes)


def as_told_last(deed: Evidence, known: Iterable[Evidence]) -> Mapping[str, str]:
    """What is known of a visit by now: its diagnoses are mostly said after it was registered, and may be corrected."""
    if deed.type != Arrived.TYPE:
        return deed.details
    told = [other for other in known if other.about == deed.about and other.type in (*SAID_OF_VISITS, Arrived.TYPE)]
    return max((deed, *told), key=lambda one: one.said_order).details


def attempts_within(span: Span, candidate: Candidate, history: History) -> list[Evidence]:
    """Separate failed contacts after the discharge, in order; two of one instant are one."""
    tried = {
        deed.at: deed
        for deed in history.deeds
        if deed.type == ContactAttempted.TYPE
        and deed.at > candidate.left_at
        and span.holds(local_date(deed.at, candidate.zone))
        and _concerns(deed, candidate)
    }
    return [tried[at] for at in sorted(tried)]


def by_return(rule: ByReturn, span: Span, candidate: Candidate, history: History) -> Done | None:
    """The first unplanned stay that begins in the window."""
    back = [
        (day, stay)
        for stay in history.stays
        if (day := began(stay)) is not None
        and span.holds(day)
        and stay.transition.encounter_id not in candidate.encounters
        and (stay.transition.admitted_at or candidate.left_at) >= candidate.left_at
        and is_of(stay, rule.classes)
        and not _is_planned(stay, rule.planned)
    ]
    if not back:
        return None
    day, stay = min(back, key=lambda each: (each[0], each[1].transition.id))
    days = (day - candidate.left).days
    return Done(stay.transition.admitted_at or candidate.left_at, None, days, f"admitted on {day}, day {days}")


def by_readmission(candidate: Candidate, history: History) -> Done | None:
    """The stay that the transition is flagged with as the readmission after it."""
    for stay in history.stays:
        others = [other for other in history.stays if other is not stay]
        found = readmission(stay, others)
        at = stay.transition.admitted_at
        if found and at and found.earlier_encounter_id == candidate.transition.encounter_id:
            return Done(at, None, found.days, f"admitted on {began(stay)}, day {found.days}")
    return None


def _is_planned(stay: Stayed, planned: tuple[str, ...]) -> bool:
    first = principal(stay)
    by_diagnosis = first is not None and bool(planned) and first.startswith(planned)
    return by_diagnosis or (stay.readmission_indicator or "").startswith(PLANNED_INDICATOR)


def _concerns(deed: Evidence, candidate: Candidate) -> bool:
    if deed.transition_id is not None:
        return deed.transition_id in candidate.transitions
    return deed.bound_to is None or deed.bound_to in candidate.encounters


def _plain(kind: str) -> str:
    """`care.followup.contact-made.v1` as `contact made`."""
    return kind.split(".")[-2].replace("-", " ")
