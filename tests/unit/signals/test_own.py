"""Limits of the house's own: raised beyond, cleared on the good side, of what is measured."""

from datetime import UTC, datetime

import pytest

from services.transitions.signals.own import own_limits
from services.transitions.signals.thresholds import OwnLimit
from shared.events.operations import SignalKind

NOW = datetime(2026, 3, 6, 12, tzinfo=UTC)
HIGH = OwnLimit(title="Arrivals", gauge="arrivals-24h", scope="facility:N/unit:ED", above=200, clear=180, source="ours")
LOW = OwnLimit(title="An hour", gauge="feed-hour", scope="feed:north", below=5, clear=8, source="ours")


@pytest.mark.parametrize(
    ("limit", "value", "was_open", "stands"),
    [
        (HIGH, 200, False, False),
        (HIGH, 201, False, True),
        (HIGH, 181, True, True),
        (HIGH, 180, True, False),
        (LOW, 5, False, False),
        (LOW, 4, False, True),
        (LOW, 7, True, True),
        (LOW, 8, True, False),
    ],
)
def test_beyond_the_limit_it_stands_until_it_is_back(
    limit: OwnLimit, value: float, *, was_open: bool, stands: bool
) -> None:
    standing = frozenset({(SignalKind.OWN_LIMIT, limit.signal_scope)} if was_open else set[tuple[SignalKind, str]]())
    found = list(own_limits([(limit.gauge, limit.scope, value)], NOW, standing, [limit]))
    assert [one.scope for one in found] == ([limit.signal_scope] if stands else [])


def test_a_limit_names_its_facility_and_what_is_not_measured_stands_for_nothing() -> None:
    gauges = [("arrivals-24h", "facility:N/unit:ED", 300.0), ("feed-hour", "feed:north", 0.0)]
    high, low = own_limits(gauges, NOW, frozenset(), [HIGH, LOW])
    assert (high.facility, high.scope, high.text) == (
        "N", "facility:N/unit:ED/gauge:arrivals-24h", "Arrivals: 300; the house's limit is 200."
    )  # fmt: skip
    assert low.facility is None
    assert list(own_limits([], NOW, frozenset(), [HIGH, LOW])) == []
