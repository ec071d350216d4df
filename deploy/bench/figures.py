"""A figure of the bench: what was measured, beside what it is measured against and what is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """`reached` is compared with `asked` by `better`: 'more' or 'less'."""

    what: str
    value: float
    unit: str
    asked: float
    better: str = "more"
    beside: str = ""

    @property
    def is_reached(self) -> bool:
        return self.value >= self.asked if self.better == "more" else self.value <= self.asked


@dataclass(slots=True)
class Series:
    """Values over time, for a plot: seconds since the start of the run, and one line a name."""

    title: str
    unit: str
    at: list[float] = field(default_factory=list)
    lines: dict[str, list[float]] = field(default_factory=dict)

    def add(self, at: float, values: "dict[str, float]") -> None:
        self.at.append(at)
        for name, value in values.items():
            self.lines.setdefault(name, []).append(value)


@dataclass(slots=True)
class Report:
    figures: list[Figure] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def tell(self, *figures: Figure) -> None:
        """Keeps these and shows them at once: a run is long."""
        self.figures += figures
        for figure in figures:
            verdict = "ok  " if figure.is_reached else "MISS"
            print(f"{verdict} {figure.what}: {figure.value:.3g} {figure.unit} ({figure.beside})", flush=True)


def percentile(values: Sequence[float], q: float) -> float:
    """The value below which a share `q` (0…1) of them lies; 0 when there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * q))] if ordered else 0.0


def slope_per_minute(at: Sequence[float], values: Sequence[float]) -> float:
    """How much a line rises a minute, by least squares."""
    n = len(at)
    if n < 2:  # noqa: PLR2004  (a line needs two points)
        return 0.0
    mean_x, mean_y = sum(at) / n, sum(values) / n
    over = sum((x - mean_x) * (y - mean_y) for x, y in zip(at, values, strict=True))
    under = sum((x - mean_x) ** 2 for x in at)
    return 60 * over / under if under else 0.0
