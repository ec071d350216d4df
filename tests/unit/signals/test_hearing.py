from collections import defaultdict
from datetime import UTC, datetime, timedelta

import faust
from hypothesis import given
from hypothesis import strategies as st

from services.transitions.signals.hearing import feeds_of, merges_of, minutes_of, stays_of
from services.transitions.signals.settings import Settings
from services.transitions.signals.windows import HOUR, MINUTE, Count, Windows
from shared.events.people import EncounterClass, EncounterStatus
from tests.unit.signals.said import START, counted, event, merged, minutes, stay


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


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 200), st.integers(0, 50)), max_size=60),
    st.integers(0, 200),
    st.integers(0, 200),
)
def test_windows_total_what_was_last_put_in_them(puts: list[tuple[str, int, int]], first: int, last: int) -> None:
    windows = Windows(app(), "minutes", size=MINUTE, kept=10 * HOUR)
    truth: dict[str, dict[int, int]] = defaultdict(dict)
    for scope, minute, value in puts:
        windows.put([Count(kind="k", scope=scope, starts=START + minute * MINUTE, value=value)])
        truth[scope][minute] = value
    for scope in "ab":
        wanted = sum(value for minute, value in truth[scope].items() if first <= minute < last)
        assert windows.total(scope, START + first * MINUTE, START + last * MINUTE) == wanted


async def test_old_windows_are_dropped_and_new_ones_kept() -> None:
    windows = Windows(app(), "minutes", size=MINUTE, kept=HOUR)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    for ago in (timedelta(days=1), timedelta(minutes=5)):
        windows.put([Count(kind="k", scope="a", starts=now - ago, value=7)])
    await windows.forget_old()
    assert windows.total("a", now - timedelta(days=2), now) == 7


def app() -> faust.App:
    return faust.App("windows-test", broker="kafka://127.0.0.1:1", store="memory://")


def test_settings_have_defaults_and_descriptions() -> None:
    settings = Settings()
    assert settings.http.port == 8085
    assert all(field.description for field in Settings.model_fields.values())
