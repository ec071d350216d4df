"""What each measure says of a patient's stays. Pure: what is known in, outcomes out; no clock is read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from services.transitions.disposition import base_of
from services.transitions.evidence import Evidence
from services.transitions.quality.chores import count_levels, count_referrals, count_tasks
from services.transitions.quality.duplicates import count_duplicates
from services.transitions.quality.episodes import candidates
from services.transitions.quality.exclusions import last_day_of, left_out, principal
from services.transitions.quality.expected import Expected, IndexStay
from services.transitions.quality.measure_parts import ByDeed, ByReadmission, ByReturn, Population, Repeated, Unmet
from services.transitions.quality.measures import (
    DuplicateMeasure,
    LevelMeasure,
    Measure,
    Measures,
    ReferralMeasure,
    StayMeasure,
    TaskMeasure,
)
from services.transitions.quality.numerators import Done, attempts_within, by_deed, by_readmission, by_return
from services.transitions.quality.outcome import Candidate, History, Outcome
from services.transitions.quality.windows import Span, span_of
from services.transitions.selection import age_at
from shared.calendar import end_of_day

MERGED = "part-of-a-later-stay"
AGE_UNKNOWN = "age-unknown"
OUTSIDE_YEAR = "outside-measurement-year"


@dataclass(frozen=True, slots=True)
class Stays:
    """Counts measures of stays for one patient."""

    measures: Measures
    history: History

    def count(self, measure: StayMeasure) -> list[Outcome]:
        """One outcome a stay that belongs to the measure's population, in order of time."""
        ended, merged = candidates(self.history.stays, measure.episode)
        found = [self._told(measure, one, exclusion=MERGED) for one in merged if self._belongs(measure, one)]
        counted: list[date] = []
        for candidate in ended:
            if not self._belongs(measure, candidate):
                continue
            outcome = self.weigh(measure, candidate)
            if outcome.exclusion is None and (repeated := self._repeats(measure, candidate, counted)):
                outcome = self._told(measure, candidate, exclusion=repeated)
            counted += [candidate.left] if outcome.exclusion is None else []
            found.append(outcome)
        return found

    def _repeats(self, measure: StayMeasure, candidate: Candidate, counted: Sequence[date]) -> str | None:
        """Whether it is one too many within some days: of this measure, or of the one that the rule names."""
        for rule in (rule for rule in measure.exclusions if isinstance(rule, Repeated)):
            before = counted if rule.measure in {None, measure.id} else self._counted_by(rule.measure, candidate)
            if any(0 <= (candidate.left - day).days < rule.days for day in before):
                return f"within-{rule.days}-days-of-another"
        return None

    def _counted_by(self, measure_id: str | None, candidate: Candidate) -> list[date]:
        """The local days of the earlier stays that another measure counts."""
        outcomes = self.count(self.measures.of_stays(measure_id)) if measure_id else []
        return [one.counted_on for one in outcomes if one.exclusion is None and one.counted_at < candidate.left_at]

    def _belongs(self, measure: StayMeasure, candidate: Candidate) -> bool:
        """Whether it is the measure's at all: class, disposition, diagnoses, and an age that is not known to differ."""
        population = measure.population
        stay = candidate.transition
        nubc = stay.disposition.nubc if stay.disposition else None
        return (
            stay.encounter_class in population.classes
            and (not population.dispositions or base_of(nubc) in population.dispositions)
            and self._is_diagnosed(population, candidate)
            and self._is_chronic(population, candidate)
            and _is_of_age(population, candidate) is not False
        )

    def _is_diagnosed(self, population: Population, candidate: Candidate) -> bool:
        if not population.principal and not population.any:
            return True
        first = principal(candidate.stay)
        in_first = first is not None and first.startswith(self.measures.codes(population.principal))
        anywhere = self.measures.codes(population.any)
        return in_first or any(code.startswith(anywhere) for code in codes_of(candidate))

    def _is_chronic(self, population: Population, candidate: Candidate) -> bool:
        chronic = population.chronic
        if chronic is None:
            return True
        since = candidate.left_at - timedelta(days=chronic.look_back_days)
        known = {
            diagnosis.code.replace(".", "").upper()
            for stay in self.history.stays
            for diagnosis in stay.transition.diagnoses
            if since <= (stay.transition.admitted_at or candidate.left_at) <= candidate.left_at
        }
        held = [group for group in chronic.groups if any(code.startswith(self.measures.codes(group)) for code in known)]
        return len(held) >= chronic.at_least

    def weigh(self, measure: StayMeasure, candidate: Candidate) -> Outcome:
        """The outcome of one stay by itself: whether it is one visit too many is not looked at."""
        exclusion = self._excluded(measure, candidate)
        if exclusion is not None:
            return self._told(measure, candidate, exclusion=exclusion)
        span, done = self._done(measure, candidate)
        return replace(
            self._told(measure, candidate, span=span, done=done), **_expectation(self._expected(measure, candidate))
        )

    def _expected(self, measure: StayMeasure, candidate: Candidate) -> Expected | None:
        stay = candidate.transition
        told = IndexStay(
            organisation=stay.pcp_organisation,
            encounter_class=stay.encounter_class,
            principal=principal(candidate.stay),
            age=age_at(stay.patient.birth_date, _midnight(candidate.left)),
            scores=self.history.scores.get(stay.id, ()),
        )
        return self.measures.expected.expects(measure.id, told)

    def _excluded(self, measure: StayMeasure, candidate: Candidate) -> str | None:
        population = measure.population
        if (population.min_age or population.max_age) and _is_of_age(population, candidate) is None:
            return AGE_UNKNOWN
        if population.until and f"{candidate.left:%m-%d}" > population.until:
            return OUTSIDE_YEAR
        for rule in measure.exclusions:
            if isinstance(rule, Unmet):
                if not self.weigh(self.measures.of_stays(rule.measure), candidate).met:
                    return rule.reason
            elif reason := left_out(rule, candidate, self.history):
                return reason
        return None

    def _done(self, measure: StayMeasure, candidate: Candidate) -> tuple[Span, Done | None]:
        match measure.numerator:
            case ByDeed() as rule:
                span = self._until_other(rule, span_of(rule, candidate, rule.anchor), candidate)
                done = by_deed(rule, span, candidate, self.history, self.measures)
                return span, done or self._attempted(rule, span, candidate)
            case ByReturn() as rule:
                span = span_of(rule, candidate)
                return span, by_return(rule, span, candidate, self.history)
            case ByReadmission(to_day=to_day):
                return Span(candidate.after(1), candidate.after(to_day)), by_readmission(candidate, self.history)

    def _until_other(self, rule: ByDeed, span: Span, candidate: Candidate) -> Span:
        """Ends with the day on which the other measure was met."""
        if rule.no_later_than is None:
            return span
        other = self.weigh(self.measures.of_stays(rule.no_later_than), candidate)
        if other.met_at is None:
            return span
        return Span(span.begin, min(span.end, candidate.after(candidate.day(other.met_at))))

    def _attempted(self, rule: ByDeed, span: Span, candidate: Candidate) -> Done | None:
        if rule.attempts is None:
            return None
        tried = attempts_within(span, candidate, self.history)
        if len(tried) < rule.attempts.enough:
            return None
        others = [self.weigh(self.measures.of_stays(other), candidate) for other in rule.attempts.if_met]
        if not all(other.met for other in others):
            return None
        return _attempt(tried[rule.attempts.enough - 1], rule.attempts.enough)

    def _told(
        self,
        measure: StayMeasure,
        candidate: Candidate,
        *,
        exclusion: str | None = None,
        span: Span | None = None,
        done: Done | None = None,
    ) -> Outcome:
        stay = candidate.transition
        return Outcome(
            measure=measure.id,
            version=measure.version,
            about=stay.id,
            patient_id=self.history.patient_id,
            transition_id=stay.id,
            facility=stay.facility.code,
            organisation=stay.pcp_organisation,
            protocols=tuple(sorted(protocol.name for protocol in stay.protocols)),
            counted_at=candidate.left_at,
            counted_on=candidate.left,
            closes_at=_closes_at(measure, candidate, span),
            exclusion=exclusion,
            met=done is not None,
            met_at=done.at if done else None,
            event_id=done.event_id if done else None,
            value=float(done.days) if done else None,
            why=_why(exclusion, span, done),
        )


def codes_of(candidate: Candidate) -> tuple[str, ...]:
    return tuple(diagnosis.code.replace(".", "").upper() for diagnosis in candidate.transition.diagnoses)


def _attempt(last: Evidence, enough: int) -> Done:
    return Done(last.at, last.event_id, 0, f"{enough} documented attempts")


def _is_of_age(population: Population, candidate: Candidate) -> bool | None:
    """None where the age is not known."""
    if population.min_age is None and population.max_age is None:
        return True
    on = date(candidate.left.year, 12, 31) if population.age_on == "end-of-year" else candidate.left
    told = candidate.transition.patient.birth_date
    age = age_at(told, _midnight(on))
    if age is None:
        return None
    return (population.min_age or 0) <= age and (population.max_age is None or age <= population.max_age)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001  (a local date: ages have no zone)


def _expectation(found: Expected | None) -> dict[str, Any]:
    return {"expected": found.rate, "expected_most": found.most, "expected_by": found.by} if found else {}


def _closes_at(measure: StayMeasure, candidate: Candidate, span: Span | None) -> datetime:
    """The end of the last local day on which a deed, a return or another stay may still change the outcome."""
    days: Iterable[date] = [last_day_of(rule, candidate) for rule in measure.exclusions]
    merging = candidate.after(measure.episode.farthest) if measure.episode else candidate.left
    last = max([merging, *days, *([span.end] if span else [])])
    return end_of_day(last, candidate.zone)


def _why(exclusion: str | None, span: Span | None, done: Done | None) -> str:
    if exclusion is not None:
        return f"left out: {exclusion.replace('-', ' ')}"
    if span is None:
        return ""
    window = f"{span.begin} to {span.end}"
    return f"{window}: {done.words}" if done else f"{window}: nothing that counts is known"


def outcomes(measures: Measures, history: History) -> list[Outcome]:
    """Everything that every measure says of the patient."""
    stays = Stays(measures, history)
    return [outcome for measure in measures.by_id.values() for outcome in _count(measure, stays)]


def _count(measure: Measure, stays: Stays) -> list[Outcome]:
    match measure:
        case StayMeasure():
            return stays.count(measure)
        case ReferralMeasure():
            return count_referrals(measure, stays.history)
        case DuplicateMeasure():
            return count_duplicates(measure, stays.history)
        case TaskMeasure():
            return count_tasks(measure, stays.history)
        case LevelMeasure():
            return count_levels(measure, stays.history)
