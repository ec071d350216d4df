from datetime import datetime, timedelta

import pytest

from services.transitions.signals.hearing import MINUTE, expected_by, feeds_of, merges_of, minutes_of, stays_of
from services.transitions.signals.settings import Settings
from shared.events.people import EncounterClass, EncounterStatus
from tests.unit.signals.said import START, counted, event, merged, minutes, stay

HOUR = timedelta(hours=1)


def test_a_minute_told_twice_counts_once_and_as_last_told() -> None:
    told = [event(counted("north", START, total)) for total in (3, 5)]
    assert [(c.scope, c.value) for c in minutes_of(told)] == [("feed:north", 5)]


def test_a_feed_knows_how_far_it_was_counted_and_when_it_last_said_something() -> None:
    told = [event(counted("north", at, total)) for at, total in zip(minutes(START, 3), (4, 0, 0), strict=True)]
    [seen] = feeds_of(told)
    assert seen.counted_until == START + 3 * MINUTE
    assert seen.last_heard == START + MINUTE


def test_only_the_newest_version_of_a_stay_counts() -> None:
    told = [event(stay("a", version=2, unit="ICU")), event(stay("a", version=1, unit="4W"))]
    assert [(s.unit, s.present) for s in stays_of(told)] == [("ICU", True)]


def test_what_fills_no_bed_is_not_counted() -> None:
    told = [
        event(stay("outpatient", kind=EncounterClass.AMBULATORY)),
        event(stay("cancelled", status=EncounterStatus.CANCELLED)),
        event(stay("planned", status=EncounterStatus.PLANNED)),
    ]
    assert [(s.counts, s.present) for s in stays_of(told)] == [(False, False)] * 3


def test_a_discharged_stay_counts_and_is_not_here() -> None:
    [left] = stays_of([event(stay("a", discharged=START + HOUR))])
    assert (left.counts, left.present) == (True, False)


def test_merges_are_told_in_order() -> None:
    assert merges_of([event(merged("b", "a")), event(merged("c", "a"))]) == [("b", "a"), ("c", "a")]


def test_a_feed_tells_its_zone_and_rhythm_as_last_said() -> None:
    told = [
        event(counted("north", START + n * MINUTE, 1, zone="America/Chicago", quiet=quiet))
        for n, quiet in ((1, 45), (0, 30))
    ]
    [seen] = feeds_of(told)
    assert (seen.time_zone, seen.quiet_minutes) == ("America/Chicago", 45)


@pytest.mark.parametrize(
    ("said", "by"),
    [
        (None, None),
        ("2026-03-10T18:00:00+00:00", "2026-03-10T18:00:00+00:00"),  # an hour was said
        ("2026-03-10T05:00:00+00:00", "2026-03-11T05:00:00+00:00"),  # midnight in Chicago: the whole day
        ("2026-03-10T00:00:00+00:00", "2026-03-10T00:00:00+00:00"),  # midnight elsewhere is an hour
        ("2026-03-08T06:00:00+00:00", "2026-03-09T05:00:00+00:00"),  # a day of 23 hours
    ],
)
def test_a_discharge_that_was_expected_on_a_day_may_come_until_its_end(said: str | None, by: str | None) -> None:
    found = expected_by(datetime.fromisoformat(said) if said else None, "America/Chicago")
    assert found == (datetime.fromisoformat(by) if by else None)


def test_settings_have_defaults_and_descriptions() -> None:
    settings = Settings()
    assert settings.http.port == 8085
    assert all(field.description for field in Settings.model_fields.values())
