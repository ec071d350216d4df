"""Limits that a house sets itself on whatever is measured: arrivals, discharges, census, a feed's hour … Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from services.transitions.signals.readings import Finding, Open
from services.transitions.signals.thresholds import OwnLimit
from shared.events.operations import SignalKind

Gauge = tuple[str, str, float]
FACILITY = "facility:"


def own_limits(gauges: Iterable[Gauge], at: datetime, standing: Open, limits: Sequence[OwnLimit]) -> Iterable[Finding]:
    """What lies beyond its limit, or has not come back as far as it must to be cleared."""
    measured = {(kind, scope): value for kind, scope, value in gauges}
    for limit in limits:
        value = measured.get((limit.gauge, limit.scope))
        is_open = (SignalKind.OWN_LIMIT, limit.signal_scope) in standing
        if value is None or not limit.is_beyond(value, is_open=is_open):
            continue
        yield Finding(
            kind=SignalKind.OWN_LIMIT,
            scope=limit.signal_scope,
            since=at,
            value=value,
            usual=None,
            text=f"{limit.title}: {value:g}; the house's limit is {limit.limit:g}.",
            facility=limit.scope.removeprefix(FACILITY).partition("/")[0] if limit.scope.startswith(FACILITY) else None,
        )
