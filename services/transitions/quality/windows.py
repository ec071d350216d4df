"""Windows as local days of the facility. Pure."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from services.transitions.quality.measure_parts import Window
from services.transitions.quality.outcome import Candidate
from shared.calendar import add_business_days


@dataclass(frozen=True, slots=True)
class Span:
    """The first and the last local day that count."""

    begin: date
    end: date

    def holds(self, day: date) -> bool:
        return self.begin <= day <= self.end


def span_of(rule: Window, candidate: Candidate, anchor: Literal["admission", "discharge"] = "discharge") -> Span:
    """Business days are those of the federal calendar, whatever the office's hours (CMS TCM)."""
    start = candidate.came if anchor == "admission" else candidate.left
    if rule.business_days is not None:
        return Span(start + timedelta(days=rule.from_day), add_business_days(start, rule.business_days).day)
    return Span(start + timedelta(days=rule.from_day), start + timedelta(days=rule.to_day or 0))
