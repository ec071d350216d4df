"""A signal's readings beside its limits: numbers in, SVG coordinates and words out. Pure; templates draw."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any

from services.dashboard.clocks import local
from services.dashboard.worklines import instant
from shared.http import Problem

WIDTH, HEIGHT = 480.0, 150.0
UNITS = {"[lb_av]": "lb", "mm[Hg]": "mmHg", "Cel": "°C"}
"""UCUM's codes that people write otherwise."""
ROOM = 0.08
"""Of the height, left free above and below what is shown."""
OWN = (
    ("urgent-below", "below", "urgent", "own-very-low"),
    ("advisory-below", "below", "advisory", "own-low"),
    ("advisory-above", "above", "advisory", "own-high"),
    ("urgent-above", "above", "urgent", "own-very-high"),
)
"""The limits that a page lets one set: field, comparison, severity, rule."""


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float
    words: str
    kind: str
    """`good`, or the severity of the limit that it breaks."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit as a line across the chart."""

    y: float
    words: str
    severity: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`line` is an SVG path through the points; `doubtful` counts readings not drawn, since nobody can judge them."""

    name: str
    title: str
    unit: str
    width: float
    height: float
    line: str
    points: tuple[Point, ...]
    bounds: tuple[Bound, ...]
    latest: str
    span: str
    """The lowest and the highest reading drawn; empty without two different ones."""
    since: str
    until: str
    doubtful: int


def chart_of(name: str, signal: Mapping[str, Any], readings: Iterable[Mapping[str, Any]], zone: str) -> Chart:
    own = [reading for reading in readings if reading["signal"] == name]
    good = [(instant(r["at"]), float(r["value"])) for r in own if r["quality"] == "good"]
    drawn = [(at, value) for at, value in good if at is not None]
    limits = [(_number(one), one) for one in signal["limits"]]
    low, high = _range([value for _, value in drawn], [number for number, _ in limits])
    points = tuple(_point(at, value, drawn, (low, high), signal, zone) for at, value in drawn)
    return Chart(
        name=name,
        title=signal["title"],
        unit=unit_words(signal["unit"]),
        width=WIDTH,
        height=HEIGHT,
        line="M" + " L".join(f"{point.x:.2f},{point.y:.2f}" for point in points) if points else "",
        points=points,
        bounds=tuple(Bound(_y(number, low, high), limit_words(one), one["severity"]) for number, one in limits),
        latest=f"{_short(drawn[-1][1])} {unit_words(signal['unit'])}" if drawn else "no reading",
        span=_span([value for _, value in drawn], unit_words(signal["unit"])),
        since=local(drawn[0][0], zone) if drawn else "",
        until=local(drawn[-1][0], zone) if drawn else "",
        doubtful=sum(reading["quality"] not in {"good", "withdrawn"} for reading in own),
    )


def _span(values: Sequence[float], unit: str) -> str:
    low, high = (_short(min(values)), _short(max(values))) if values else ("", "")
    return f"{low} to {high} {unit}" if low != high else ""


def _point(
    at: datetime,
    value: float,
    drawn: Sequence[tuple[datetime, float]],
    scale: tuple[float, float],
    signal: Mapping[str, Any],
    zone: str,
) -> Point:
    first, last = drawn[0][0], drawn[-1][0]
    whole = (last - first).total_seconds()
    share = (at - first).total_seconds() / whole if whole else 0.5
    kind = broken_by(value, signal["limits"])
    unit = unit_words(signal["unit"])
    words = f"{_short(value)} {unit}, {local(at, zone)}{'' if kind == 'good' else ': ' + kind}"
    return Point(round(6 + share * (WIDTH - 12), 2), _y(value, *scale), words, kind)


def unit_words(code: str) -> str:
    return UNITS.get(code, code)


def broken_by(value: float, limits: Iterable[Mapping[str, Any]]) -> str:
    """The severest limit that the value breaks; `good` for none."""
    broken = {one["severity"] for one in limits if _breaks(value, one)}
    return next((severity for severity in ("urgent", "advisory", "information") if severity in broken), "good")


def _breaks(value: float, limit: Mapping[str, Any]) -> bool:
    if limit.get("below") is not None:
        return value < float(limit["below"])
    if limit.get("above") is not None:
        return value > float(limit["above"])
    return value >= float(limit["at_least"])


def limit_words(limit: Mapping[str, Any]) -> str:
    comparison = "below" if limit.get("below") is not None else "above" if limit.get("above") is not None else "from"
    return f"{limit['severity']} {comparison} {_short(_number(limit))}"


def _number(limit: Mapping[str, Any]) -> float:
    return float(next(limit[name] for name in ("below", "above", "at_least") if limit.get(name) is not None))


def _range(values: Sequence[float], bounds: Sequence[float]) -> tuple[float, float]:
    """What the chart spans: every reading, and the limits."""
    every = [*values, *bounds]
    if not every:
        return 0.0, 1.0
    low, high = min(every), max(every)
    return (low, high) if high > low else (low - 1, high + 1)


def _y(value: float, low: float, high: float) -> float:
    share = (value - low) / (high - low)
    return round(HEIGHT * (1 - ROOM - (1 - 2 * ROOM) * share), 2)


def _short(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def trend_words(trend: Mapping[str, Any], unit: str) -> str:
    """`advisory: rise of more than 2 lb in 1 day`."""
    if trend.get("over") is not None:
        amount = f"more than {_short(float(trend['over']))} {unit}"
    else:
        amount = f"{_short(float(trend['at_least']))} {unit} or more"
    days = "1 day" if trend["days"] == 1 else f"{trend['days']} days"
    return f"{trend['severity']}: {trend['change']} of {amount} in {days}"


def own_limits(signal: Mapping[str, Any], given: Mapping[str, str], name: str, by: str) -> dict[str, Any] | None:
    """A patient's own limits for a signal from a form's fields (`<signal>:<field>`), beside the usual ones that they do
    not replace and the trends that apply; None where nothing was filled in. Raises Problem 422 for what is no number.
    """
    limits, replaced = [], set()
    for field, comparison, severity, rule in OWN:
        text = given.get(f"{name}:{field}", "").strip().replace(",", ".")
        if not text:
            continue
        limits.append(
            {"rule": rule, comparison: _bound(text, signal["title"]), "severity": severity,
             "telehealth": severity == "urgent", "source": f"set for this patient by {by}"}
        )  # fmt: skip
        replaced.add(field)
    if not limits:
        return None
    usual = [one for one in signal["usual"][given.get("variant", "")] if _field_of(one) not in replaced]
    return {"limits": [*limits, *usual], "trends": signal.get("trends", [])}


def _bound(text: str, title: str) -> str:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise Problem(422, f"a limit of {title.lower()} is no number", slug="words-missing")
    return _short(number)


def _field_of(limit: Mapping[str, Any]) -> str:
    """The form's field that stands for such a limit; `at least` is one from above."""
    return f"{limit['severity']}-{'below' if limit.get('below') is not None else 'above'}"


def own_values(signal: Mapping[str, Any]) -> dict[str, str]:
    """What the form shows: the patient's own limits by field, as they were set."""
    by_rule = {rule: field for field, _, _, rule in OWN}
    own = signal["limits"] if signal["is_own"] else []
    return {by_rule[one["rule"]]: _short(_number(one)) for one in own if one["rule"] in by_rule}


def usual_values(signal: Mapping[str, Any], variant: str) -> dict[str, str]:
    """What applies in this variant where a field of the form is left empty."""
    return {_field_of(one): _short(_number(one)) for one in signal["usual"][variant]}
