"""Figures and their patients as CSV (RFC 4180). Pure."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from services.transitions.quality.figure import Figure, Side
from services.transitions.quality.measures import Measures

# What a spreadsheet would take for a formula is told as text (OWASP, CSV injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r")
PATIENT_COLUMNS = (
    *("status", "patient_id", "transition_id", "about", "facility", "organisation", "protocols", "counted_on"),
    *("closes_at", "exclusion", "met", "met_at", "event_id", "value", "why", "version", "expected", "expected_by"),
)


def figures_sheet(measures: Measures, figures: Iterable[Figure], sides: Sequence[Side]) -> str:
    """One line a figure; exclusions are in one column by reason."""
    head = ["measure", "version", "title", *(side.value for side in sides), "population", "excluded", "denominator"]
    head += ["numerator", "rate", "better", "pending", "pending_met", "median", "p90", "unit", "excluded_by_reason"]
    head += ["expected_known", "expected_unknown", "observed", "expected", "observed_to_expected", "expected_at_most"]
    return _written(head, (_line(measures, figure, sides) for figure in figures))


def _line(measures: Measures, figure: Figure, sides: Sequence[Side]) -> list[Any]:
    one = measures.by_id[figure.measure]
    reasons = "; ".join(f"{reason} {count}" for reason, count in sorted(figure.left_out.items()))
    rate = f"{figure.rate:.4f}" if figure.rate is not None else None
    groups = [figure.group[side.value] for side in sides]
    counts = [figure.population, sum(figure.left_out.values()), figure.denominator, figure.numerator, rate]
    spread = [figure.pending, figure.pending_met, figure.median, figure.p90]
    told = [*counts, one.better, *spread, one.unit, reasons, *_expected(measures, figure)]
    return [figure.measure, one.version, one.title, *groups, *told]


def _expected(measures: Measures, figure: Figure) -> list[Any]:
    """Nothing where no table is of the measure."""
    if not measures.expected.of(figure.measure):
        return [None] * 6
    told = figure.expectation
    ratio = f"{told.ratio:.4f}" if told.ratio is not None else None
    unknown = figure.denominator - told.known
    return [told.known, unknown, told.observed, f"{told.count:.4f}", ratio, f"{told.most:.4f}"]


def patients_sheet(items: Iterable[dict[str, Any]]) -> str:
    """One line a patient's stay (or referral, task): ids and no names."""
    lines = ({**item, "protocols": " ".join(item["protocols"])} for item in items)
    return _written(list(PATIENT_COLUMNS), ([line[column] for column in PATIENT_COLUMNS] for line in lines))


def _written(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(head)
    writer.writerows([_cell(cell) for cell in line] for line in lines)
    return out.getvalue()


def _cell(said: Any) -> Any:
    if isinstance(said, str) and said.startswith(FORMULA):
        return f"'{said}"
    return "" if said is None else said
