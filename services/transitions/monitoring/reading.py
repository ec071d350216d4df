"""A measurement and what it means by itself and beside those before it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from services.transitions.monitoring.rules import Limit, MonitoringRules, Severity, Signal, Trend, Watch
from shared.calendar import local_date
from shared.events.followups import ObservationRecorded

WITHDRAWN = frozenset({"D", "W", "X"})
SHOWN = Decimal("0.1")


class Quality(StrEnum):
    """`implausible`, `unit-unknown` and `no-number` go to the quality list, never to a clinician's alert."""

    GOOD = "good"
    IMPLAUSIBLE = "implausible"
    UNIT_UNKNOWN = "unit-unknown"
    NO_NUMBER = "no-number"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """`value` is in the signal's own unit; `known_at` is when this word of it was recorded (UTC)."""

    id: UUID
    patient_id: str
    signal: str
    at: datetime
    value: Decimal | None
    quality: Quality
    said: str | None
    unit: str | None
    event_id: UUID
    known_at: datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """What a reading shows: which rule, how severe, in words."""

    rule: str
    severity: Severity
    text: str
    telehealth: bool


def reading_in(
    fact: ObservationRecorded, rules: MonitoringRules, patient: str, event_id: UUID, at: datetime, known_at: datetime
) -> Reading | None:
    """The measurement that an observation tells; None when its code is of no watched signal."""
    name = rules.signal_of(fact.code)
    if name is None:
        return None
    value, quality = _judge(fact, rules.signals[name])
    return Reading(
        id=fact.followup_id,
        patient_id=patient,
        signal=name,
        at=fact.observed_at or at,
        value=value,
        quality=quality,
        said=str(fact.value) if fact.value is not None else None,
        unit=fact.unit,
        event_id=event_id,
        known_at=known_at,
    )


def _judge(fact: ObservationRecorded, signal: Signal) -> tuple[Decimal | None, Quality]:
    if fact.status in WITHDRAWN:
        return None, Quality.WITHDRAWN
    if fact.value is None:
        return None, Quality.NO_NUMBER
    value = signal.convert(fact.value, fact.unit)
    if value is None:
        return None, Quality.UNIT_UNKNOWN
    bounds = signal.plausible
    return value, Quality.GOOD if bounds.low <= value <= bounds.high else Quality.IMPLAUSIBLE


def findings(readings: Iterable[Reading], signal: Signal, watch: Watch, zone: str) -> Mapping[UUID, Finding]:
    """The most severe finding of each reading of one signal that shows anything."""
    good = sorted((r for r in readings if r.quality is Quality.GOOD), key=lambda r: (r.at, r.id))
    firsts = _first_of_days(good, zone)
    found = {}
    for reading in good:
        every = [*_limits(reading, signal, watch), *_trends(reading, firsts, signal, watch, zone)]
        if every:
            found[reading.id] = max(every, key=lambda finding: finding.severity)
    return found


def _limits(reading: Reading, signal: Signal, watch: Watch) -> list[Finding]:
    value = reading.value
    if value is None:
        return []
    return [
        Finding(one.rule, one.severity, f"{signal.title} {_shown(value)} {signal.unit}: {_bound(one)}", one.telehealth)
        for one in watch.limits
        if one.is_broken_by(value)
    ]


def _trends(reading: Reading, firsts: Mapping[date, Reading], signal: Signal, watch: Watch, zone: str) -> list[Finding]:
    """A day's first reading beside the first ones of the days before: the same time of day, as far as can be."""
    day = local_date(reading.at, zone)
    if firsts[day].id != reading.id:
        return []
    found = []
    for trend in watch.trends:
        change = _change(trend, day, firsts)
        if change is not None and trend.is_met_by(change):
            way = "up" if trend.change == "rise" else "down"
            text = f"{signal.title} {way} {_shown(change)} {signal.unit} within {trend.days} day(s)"
            found.append(Finding(trend.rule, trend.severity, text, trend.telehealth))
    return found


def _change(trend: Trend, day: date, firsts: Mapping[date, Reading]) -> Decimal | None:
    earlier = [firsts.get(day - timedelta(days=back)) for back in range(1, trend.days + 1)]
    values = [one.value for one in earlier if one is not None and one.value is not None]
    now = firsts[day].value
    if not values or now is None:
        return None
    return now - min(values) if trend.change == "rise" else max(values) - now


def _first_of_days(ordered: Sequence[Reading], zone: str) -> dict[date, Reading]:
    firsts: dict[date, Reading] = {}
    for reading in ordered:
        firsts.setdefault(local_date(reading.at, zone), reading)
    return firsts


def _bound(limit: Limit) -> str:
    if limit.below is not None:
        return f"below {limit.below}"
    return f"above {limit.above}" if limit.above is not None else f"{limit.at_least} or more"


def _shown(value: Decimal) -> Decimal:
    return value.quantize(SHOWN)
