"""Readings: units, limits, trends, what can't be true; alerts: suppressed, raised again, taken back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from services.transitions.monitoring.alert import Alert, Watched, weigh
from services.transitions.monitoring.reading import Quality, Reading, findings, reading_in
from services.transitions.monitoring.rules import Limit, Severity, Watch, read_rules
from shared.events.followups import ObservationRecorded
from shared.events.people import PatientSummary

RULES = read_rules()
ZONE = "America/Chicago"
MONDAY = datetime(2026, 3, 2, 14, tzinfo=UTC)
WATCHED = Watched(uuid4(), "p1", "LAKE", MONDAY - timedelta(days=30))


def measured(code: str, value: str | None, unit: str | None, days: float = 0, status: str = "F") -> Reading:
    at = MONDAY + timedelta(days=days)
    fact = ObservationRecorded(
        followup_id=uuid4(),
        patient=PatientSummary(id="p1"),
        code=code,
        value=Decimal(value) if value else None,
        unit=unit,
        status=status,
    )
    found = reading_in(fact, RULES, "p1", uuid4(), at, at)
    assert found is not None
    return found


def weights(*told: tuple[float, str]) -> list[Reading]:
    return [measured("29463-7", value, "[lb_av]", day) for day, value in told]


def rules_of(readings: list[Reading], watch: Watch | None = None) -> list[str]:
    signal = RULES.signals[readings[0].signal]
    return [f.rule for f in findings(readings, signal, watch or signal, ZONE).values()]


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (((0, "180.0"), (1, "182.1")), ["gain-1-day"]),
        (((0, "180"), (1, "182")), []),
        (((0, "180"), (1, "181.9")), []),
        (((0, "180"), (7, "185")), ["gain-7-days"]),
        (((0, "180"), (7, "184.9")), []),
        (((0, "180"), (8, "185")), []),
        (((0, "180"), (2, "178")), ["loss-2-days"]),
        (((0, "180"), (1, "185")), ["gain-7-days"]),
        # The evening's weight is not compared: only the first of a day.
        (((0, "180"), (1, "181"), (1.4, "184")), []),
    ],
)
def test_weight_trends(told: tuple[tuple[float, str], ...], found: list[str]) -> None:
    assert rules_of(weights(*told)) == found


def test_kilograms_are_pounds() -> None:
    told = [measured("29463-7", "81.6", "kg"), measured("29463-7", "82.6", "kg", 1)]
    assert rules_of(told) == ["gain-1-day"]
    assert told[0].value is not None
    assert round(told[0].value, 3) == Decimal("179.897")


@pytest.mark.parametrize(
    ("code", "value", "unit", "found"),
    [
        ("59408-5", "92", "%", []),
        ("59408-5", "91.9", "%", ["low"]),
        ("59408-5", "0.87", "1", ["very-low"]),
        ("8867-4", "50", "/min", []),
        ("8867-4", "101", "bpm", ["high"]),
        ("9279-1", "11", "/min", ["low"]),
        ("8310-5", "100.4", "[degF]", ["fever"]),
        ("8310-5", "100.3", "[degF]", []),
        ("8310-5", "37.9", "Cel", []),
        ("8480-6", "160", "mm[Hg]", []),
        ("8480-6", "180", "mmHg", ["crisis"]),
        ("8462-4", "120", "mm[Hg]", ["crisis"]),
        ("2339-0", "3.8", "mmol/L", ["low"]),
        ("2339-0", "2.9", "mmol/L", ["very-low"]),
        ("2339-0", "70", "mg/dL", []),
        ("2339-0", "300.1", "mg/dL", ["high"]),
    ],
)
def test_limits_in_whatever_unit(code: str, value: str, unit: str, found: list[str]) -> None:
    assert rules_of([measured(code, value, unit)]) == found


@pytest.mark.parametrize(
    ("value", "unit", "status", "quality"),
    [
        ("98", "%", "F", Quality.GOOD),
        ("120", "%", "F", Quality.IMPLAUSIBLE),
        ("12", "%", "F", Quality.IMPLAUSIBLE),
        ("98", "stone", "F", Quality.UNIT_UNKNOWN),
        ("98", None, "F", Quality.UNIT_UNKNOWN),
        (None, "%", "F", Quality.NO_NUMBER),
        ("80", "%", "X", Quality.WITHDRAWN),
    ],
)
def test_what_cannot_be_judged_alerts_to_nothing(
    value: str | None, unit: str | None, status: str, quality: Quality
) -> None:
    reading = measured("59408-5", value, unit, status=status)
    assert reading.quality is quality
    assert rules_of([reading]) == []


def test_the_patients_own_limits_come_first_then_the_variants() -> None:
    saturation = [measured("59408-5", "90", "%")]
    own = Watch(limits=(Limit(rule="mine", below=Decimal(91), severity=Severity.URGENT, source="Dr Lee"),))
    assert rules_of(saturation) == ["low"]
    assert rules_of(saturation, RULES.watch("oxygen-saturation", "copd", {})) == []
    assert rules_of(saturation, RULES.watch("oxygen-saturation", "copd", {"oxygen-saturation": own})) == ["mine"]


def saturations(*values: str) -> list[Reading]:
    return [measured("59408-5", value, "%", n / 24) for n, value in enumerate(values)]


def alerts(readings: list[Reading], known: list[Alert] | None = None) -> list[Alert]:
    signal = RULES.signals["oxygen-saturation"]
    now = max(r.known_at for r in readings)
    return weigh(WATCHED, readings, findings(readings, signal, signal, ZONE), known or [], now)


def test_repeats_are_suppressed_until_acknowledged_or_worse() -> None:
    assert [a.rule for a in alerts(saturations("91", "90", "90.5"))] == ["low"]
    assert [a.rule for a in alerts(saturations("91", "87", "90"))] == ["low", "very-low"]
    readings = saturations("91", "90", "89")
    [first] = alerts(readings[:1])
    answered = replace(first, acknowledged_at=readings[1].known_at)
    again = alerts(readings, [answered])
    assert [a.reading_id for a in again] == [readings[0].id, readings[2].id]


def test_weighing_twice_changes_nothing() -> None:
    readings = saturations("91", "87", "90", "95", "91")
    assert alerts(readings, alerts(readings)) == alerts(readings)


@pytest.mark.parametrize(
    ("changed", "because"),
    [
        ({"value": Decimal(95)}, "the reading was corrected"),
        ({"value": None, "quality": Quality.WITHDRAWN}, "the reading was withdrawn"),
    ],
)
def test_a_correction_or_retraction_takes_the_alert_back(changed: dict[str, object], because: str) -> None:
    [reading] = saturations("91")
    told = alerts([reading])
    [alert] = alerts([replace(reading, **changed)], told)  # type: ignore[arg-type]  # a reading's own fields
    assert alert.withdrawn_because == because
    again = alerts([reading], [alert])
    assert [a.stands for a in again] == [False, True]
    assert len({a.id for a in again}) == 2


def pressures(*values: str) -> list[Reading]:
    return [measured("8480-6", value, "mm[Hg]", n / 24) for n, value in enumerate(values)]


def weighed(readings: list[Reading], known: list[Alert] | None = None) -> list[Alert]:
    signal = RULES.signals["systolic"]
    found = findings(readings, signal, signal, ZONE)
    return weigh(WATCHED, readings, found, known or [], max(r.known_at for r in readings))


@pytest.mark.parametrize(
    ("first", "corrected", "stand"),
    [
        ("165", "185", ["crisis"]),
        ("185", "165", ["high"]),
        ("165", "166", ["high"]),
        ("165", "95", ["low"]),
        ("165", "120", []),
    ],
)
def test_a_corrected_reading_alerts_as_severely_as_it_is_now(first: str, corrected: str, stand: list[str]) -> None:
    [reading] = pressures(first)
    told = weighed([reading])
    again = weighed([replace(reading, value=Decimal(corrected))], told)
    if stand == ["low"]:  # as severe as what was told: the same alert, for its task
        assert again == told
    else:
        assert [alert.rule for alert in again if alert.stands] == stand
    assert weighed([replace(reading, value=Decimal(corrected))], again) == again


@pytest.mark.parametrize(("first", "corrected", "stand"), [("165", "185", ["crisis"]), ("185", "165", ["crisis"])])
def test_what_was_answered_is_alerted_to_again_only_when_it_is_worse(
    first: str, corrected: str, stand: list[str]
) -> None:
    [reading] = pressures(first)
    answered = [replace(alert, acknowledged_at=reading.known_at) for alert in weighed([reading])]
    later = replace(reading, value=Decimal(corrected), known_at=reading.known_at + timedelta(hours=1))
    assert [alert.rule for alert in weighed([later], answered) if alert.stands] == stand


def test_a_corrected_weight_changes_what_the_next_day_shows() -> None:
    first, second = weights((0, "180"), (1, "183"))
    assert rules_of([first, second]) == ["gain-1-day"]
    assert rules_of([replace(first, value=Decimal(182)), second]) == []


def test_what_was_measured_before_the_watch_began_is_not_alerted_to() -> None:
    [reading] = saturations("80")
    signal = RULES.signals["oxygen-saturation"]
    later = replace(WATCHED, since=MONDAY + timedelta(hours=1))
    assert weigh(later, [reading], findings([reading], signal, signal, ZONE), [], MONDAY) == []
