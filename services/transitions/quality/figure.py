"""A figure: how many of a group were counted, met, left out, and how many were expected. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Side(StrEnum):
    """By what figures are grouped. A stay under several protocols is counted under each of them."""

    FACILITY = "facility"
    ORGANISATION = "organisation"
    PROTOCOL = "protocol"
    MONTH = "month"


@dataclass(slots=True)
class Expectation:
    """Of those in a denominator of whom a rate is known: how many they are, how many were observed, and how many were
    expected (`count`; `most` if all that their scores lack counted, which `incomplete` of them do).
    """

    known: int = 0
    observed: int = 0
    count: float = 0.0
    most: float = 0.0
    incomplete: int = 0

    @property
    def ratio(self) -> float | None:
        """Observed to expected."""
        return self.observed / self.count if self.count else None

    @property
    def least_ratio(self) -> float | None:
        return self.observed / self.most if self.most else None

    def add(self, other: "Expectation") -> None:
        self.known += other.known
        self.observed += other.observed
        self.count += other.count
        self.most += other.most
        self.incomplete += other.incomplete


@dataclass(slots=True)
class Figure:
    """One measure, of one group. The denominator holds only those whose window has passed; `pending` are the others,
    `pending_met` those of them that are met already. `population` is all of them, `left_out` by reason.
    """

    measure: str
    group: Mapping[str, str | None]
    left_out: dict[str, int] = field(default_factory=dict)
    denominator: int = 0
    numerator: int = 0
    pending: int = 0
    pending_met: int = 0
    median: float | None = None
    p90: float | None = None
    expectation: Expectation = field(default_factory=Expectation)

    @property
    def rate(self) -> float | None:
        return self.numerator / self.denominator if self.denominator else None

    @property
    def population(self) -> int:
        return self.denominator + self.pending + sum(self.left_out.values())


def added(measure_id: str, figures: Iterable[Figure]) -> Figure:
    """All groups together; spreads cannot be added up."""
    total = Figure(measure_id, {})
    for figure in figures:
        total.denominator += figure.denominator
        total.numerator += figure.numerator
        total.pending += figure.pending
        total.pending_met += figure.pending_met
        total.expectation.add(figure.expectation)
        for reason, count in figure.left_out.items():
            total.left_out[reason] = total.left_out.get(reason, 0) + count
    return total
