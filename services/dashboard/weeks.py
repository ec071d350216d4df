"""A feed's week against its hour-of-week profile, as transitions tells it: pure, numbers in, SVG paths out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 480.0, 64.0
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
BASES = {
    "hour-of-week": "learned from {weeks} weeks of this hour",
    "hour-of-day": "from this hour of such days",
    "rhythm": "from the feed's configured rhythm",
}
"""By what it rests on; `nothing` is no figure to show, only a first guess to judge by."""


@dataclass(frozen=True, slots=True)
class WeekChart:
    """Paths in a box of `width` by `height`: a bar for each counted hour, a step line of what is usual. `top` is the
    value at the upper edge. `now_in_words`: what is usual at this hour. `known`: hours of the week of which at least
    one was seen, of `hours`. `missed`: messages that would usually have come since the last one.
    """

    width: float
    height: float
    bars: str
    usual: str
    top: int
    zone: str
    now_in_words: str
    known: int
    hours: int
    counted: int
    missed: float
    counted_by: str | None


def week_charts(items: Iterable[Mapping[str, Any]]) -> dict[str, WeekChart]:
    """By feed."""
    return {str(item["feed"]): week_chart(item) for item in items}


def week_chart(item: Mapping[str, Any]) -> WeekChart:
    known = sum(seen > 0 for seen in item["weeks"])
    counts, usual = item["counts"], item["usual"] if known or item["usual_now"]["basis"] in BASES else []
    told = [count for count in counts if count is not None]
    top = max([*told, *usual], default=0)
    return WeekChart(
        width=WIDTH,
        height=HEIGHT,
        bars=bars_path(counts, top),
        usual=steps_path(usual, top),
        top=round(top),
        zone=item["time_zone"],
        now_in_words=_in_words(item["usual_now"]),
        known=known,
        hours=len(item["usual"]),
        counted=sum(told),
        missed=item["missed"],
        counted_by=item["counted_by"],
    )


def _in_words(now: Mapping[str, Any]) -> str:
    if now["basis"] not in BASES:
        return "what is usual at this hour is not known yet"
    return f"usual at this hour: {now['hourly']:.0f}, {BASES[now['basis']].format(weeks=now['weeks'])}"


def bars_path(counts: Sequence[int | None], top: float) -> str:
    """One upright bar an hour; none where nothing came, or nobody counted."""
    step = WIDTH / max(1, len(counts))
    drawn = []
    for index, count in enumerate(counts):
        if count:
            x, tall = round(index * step, 2), round(HEIGHT * count / top, 2)
            drawn.append(f"M{x:g},{HEIGHT:g}v{-tall:g}h{round(step * 0.8, 2):g}v{tall:g}z")
    return "".join(drawn)


def steps_path(values: Sequence[float], top: float) -> str:
    """A line that keeps each value for its hour."""
    if not values or not top:
        return ""
    step = WIDTH / len(values)
    heights = [round(HEIGHT * (1 - value / top), 2) for value in values]
    steps = "".join(f"V{y:g}H{round((index + 1) * step, 2):g}" for index, y in enumerate(heights))
    return f"M0,{heights[0]:g}{steps}"
