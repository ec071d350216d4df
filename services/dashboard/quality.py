"""Quality measures as the console shows them: figures in words, months as bars. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.dashboard.charts import Bars, stacked_bars

GOOD, BAD = "taken", "trouble"
TREND = (160.0, 28.0)
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Share:
    """A figure: `rate` between 0 and 1, None where nobody is in the denominator."""

    name: str
    rate: float | None
    words: str
    numerator: int
    denominator: int
    pending: int
    pending_met: int
    left_out: tuple[tuple[str, int], ...]
    spread: str | None
    expected: str | None = None
    ratio: str | None = None

    @property
    def excluded(self) -> int:
        return sum(count for _, count in self.left_out)


@dataclass(frozen=True, slots=True)
class MeasureLine:
    """One measure with its total and its months."""

    id: str
    title: str
    lower: bool
    share: Share
    chart: Bars


def months_between(since: str, until: str) -> tuple[str, ...]:
    """The months from the first day given to before the second, as `2026-03`."""
    day, end = date.fromisoformat(since), date.fromisoformat(until)
    found = []
    while day < end:
        found.append(f"{day:%Y-%m}")
        day = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return tuple(found)


def share_of(figure: Json | None, name: str = "") -> Share:
    """The figure in words; what nobody belongs to is zero of zero."""
    if figure is None:
        return Share(name, None, "none", 0, 0, 0, 0, (), None)
    rate = figure["rate"]
    return Share(
        name=name,
        rate=rate,
        words=f"{100 * rate:.0f} %" if rate is not None else "none",
        numerator=figure["numerator"],
        denominator=figure["denominator"],
        pending=figure["pending"],
        pending_met=figure["pending_met"],
        left_out=tuple(sorted((why.replace("-", " "), count) for why, count in figure["excluded"].items())),
        spread=_spread(figure),
        expected=_expected(told := figure.get("expected")),
        ratio=f"{told['observed_to_expected']:.2f}" if told and told["observed_to_expected"] is not None else None,
    )


def _spread(figure: Json) -> str | None:
    if figure["median"] is None:
        return None
    return f"half {_by(figure['median'], figure['unit'])}, nine of ten {_by(figure['p90'], figure['unit'])}"


def _by(value: float, unit: str) -> str:
    """What was done before its time has a negative value."""
    return f"at least {-value:g} {unit} early" if value < 0 else f"within {value:g} {unit}"


def _expected(told: Json | None) -> str | None:
    """Observed to expected, and what it rests on; None where the measure has no expected rates."""
    if told is None:
        return None
    unknown = f"; {told['unknown']:,} without a rate are counted apart" if told["unknown"] else ""
    ratio = told["observed_to_expected"]
    if ratio is None:
        return f"no expected rate{unknown}"
    words = f"observed to expected {ratio:.2f} ({told['observed']:,} to {told['count']:,.1f})"
    if told["incomplete"]:
        least = told["observed_to_expected_at_least"]
        words += f", {least:.2f} if all that {told['incomplete']:,} scores lack counted"
    return f"{words}{unknown}"


def chart_of(figures: Iterable[Json], months: Sequence[str], *, lower: bool, size: tuple[float, float]) -> Bars:
    """A bar a month: what went well from the ground up, the rest above it; no ground where nobody was counted."""
    by_month = {figure["group"]["month"]: figure for figure in figures}
    columns = [(_label(month, by_month.get(month)), _parts(by_month.get(month), lower=lower)) for month in months]
    return stacked_bars(columns, (GOOD, BAD), *size)


def _label(month: str, figure: Json | None) -> str:
    share = share_of(figure)
    return f"{month}: {share.numerator} of {share.denominator}, {share.words}"


def _parts(figure: Json | None, *, lower: bool) -> Mapping[str, int] | None:
    if figure is None or not figure["denominator"]:
        return None
    met, rest = figure["numerator"], figure["denominator"] - figure["numerator"]
    return {GOOD: rest, BAD: met} if lower else {GOOD: met, BAD: rest}


def lines(
    measures: Iterable[Json], totals: Iterable[Json], monthly: Sequence[Json], months: Sequence[str]
) -> dict[str, list[MeasureLine]]:
    """Every measure by its family's title, those that nobody belongs to too."""
    total = {figure["measure"]: figure for figure in totals}
    found: dict[str, list[MeasureLine]] = {}
    for one in measures:
        lower = one["better"] == "lower"
        own = [figure for figure in monthly if figure["measure"] == one["id"]]
        chart = chart_of(own, months, lower=lower, size=TREND)
        line = MeasureLine(one["id"], one["title"], lower, share_of(total.get(one["id"])), chart)
        found.setdefault(one["family_title"], []).append(line)
    return found


def shares_by(figures: Iterable[Json], side: str) -> list[Share]:
    """One line a group; the absent is told as such."""
    return [share_of(figure, figure["group"][side] or "(none)") for figure in figures]
