"""Geometry of the charts: numbers in, SVG coordinates out. Pure; templates draw, style sheets colour."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.dashboard.row import Row

GAP = 1.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One minute: a stack of (kind, y, height) from the ground up; without ground when nobody counted it."""

    x: float
    width: float
    label: str
    is_counted: bool
    parts: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True)
class Bars:
    width: float
    height: float
    top: int
    """The value at the upper edge."""
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points, and the area below it; `low` and `high` are the values at the edges."""

    width: float
    height: float
    line: str
    area: str
    low: int
    high: int
    last: int


def stacked_bars(
    columns: Sequence[tuple[str, Mapping[str, int] | None]],
    kinds: Sequence[str],
    width: float = 480,
    height: float = 64,
) -> Bars:
    """One bar per (label, counts by kind; None when not counted); kinds are stacked in their order."""
    top = max((sum(counts.values()) for _, counts in columns if counts), default=0)
    step = width / max(1, len(columns))
    bars = []
    for index, (label, counts) in enumerate(columns):
        parts, ground = [], height
        for kind in kinds:
            tall = height * counts.get(kind, 0) / top if top and counts else 0
            if tall:
                ground -= tall
                parts.append((kind, round(ground, 2), round(tall, 2)))
        bars.append(
            Bar(round(index * step, 2), round(max(step - GAP, 0.5), 2), label, counts is not None, tuple(parts))
        )
    return Bars(width, height, top, tuple(bars))


def line_of(values: Sequence[int], width: float = 480, height: float = 96) -> Line:
    """A line from the left edge to the right one; its scale leaves a tenth above and below."""
    low, high = min(values, default=0), max(values, default=0)
    room = high - low
    step = width / max(1, len(values) - 1)
    points = [
        f"{index * step:.2f},{height * (0.9 - 0.8 * ((value - low) / room if room else 0.5)):.2f}"
        for index, value in enumerate(values)
    ]
    line = "M" + " L".join(points) if points else ""
    area = f"{line} L{width:.2f},{height:.2f} L0,{height:.2f} Z" if points else ""
    return Line(width, height, line, area, low, high, values[-1] if values else 0)


def census_back(now: datetime, present: int, moves: Iterable[Row], hours: int) -> list[int]:
    """How many were in at the end of each of the last hours, the present last: counted back from who came and went."""
    by_hour = {move["hour"]: move["came"] - move["went"] for move in moves}
    hour = now.replace(minute=0, second=0, microsecond=0)
    census = [present]
    for _ in range(hours):
        census.append(max(0, census[-1] - by_hour.get(hour, 0)))
        hour -= timedelta(hours=1)
    return census[::-1]
