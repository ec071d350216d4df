"""The tables of feeds: set, never added, and rebuilt in whatever order their changelog is told."""

from collections import defaultdict
from datetime import timedelta

import faust
from hypothesis import given, settings
from hypothesis import strategies as st

from services.transitions.signals.profile import Profile, learn
from services.transitions.signals.tables import (
    MINUTES_KEPT,
    ChangelogTable,
    FeedMinutes,
    FeedProfiles,
    feed_of_key,
    make_table,
)
from services.transitions.signals.thresholds import read_thresholds
from services.transitions.signals.topics import (
    APPLICATION,
    MINUTES_TABLE,
    PROFILES_TABLE,
    changelog_name,
    internal_topics,
)
from shared.events import PARTITIONS
from shared.kafka.relay import partition_of
from tests.unit.signals.said import START

MINUTE = timedelta(minutes=1)


def app() -> faust.App:
    return faust.App(APPLICATION, broker="kafka://127.0.0.1:1", store="memory://")


@settings(deadline=None)  # the machine may be busy
@given(
    puts=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 119), st.integers(0, 50)), max_size=200),
    whole=st.booleans(),
)
def test_an_hour_is_the_sum_of_what_was_last_said_of_its_minutes(
    puts: list[tuple[str, int, int]], *, whole: bool
) -> None:
    minutes = FeedMinutes({})
    truth: dict[tuple[str, int], int] = {}
    first = [("a", n, 1) for n in range(60)] if whole else []
    for feed, minute, total in [*first, *puts]:
        minutes.put(feed, START + minute * MINUTE, total)
        truth[feed, minute] = total
    counted: dict[tuple[str, int], list[int]] = defaultdict(list)
    for (feed, minute), total in truth.items():
        counted[feed, minute // 60].append(total)
    for feed in "ab":
        for hour in (0, 1):
            told = counted[feed, hour]
            wanted = sum(told) if len(told) == 60 else None
            assert minutes.hour(feed, START + hour * timedelta(hours=1)) == wanted


def test_the_ring_lets_go_of_what_it_has_gone_past() -> None:
    table: dict[str, list[int]] = {}
    minutes = FeedMinutes(table)
    for n in range(60 + MINUTES_KEPT):
        minutes.put("a", START + n * MINUTE, 1)
    assert len(table) == MINUTES_KEPT
    minutes.put("a", START, 9)
    assert (minutes.hour("a", START), minutes.hour("a", START + timedelta(hours=1))) == (None, 60)


def test_a_profile_is_kept_as_it_was_learned() -> None:
    profiles = FeedProfiles(make_table(app(), "profiles", has_changelog=False))
    learned = learn(Profile(), START, 60, "America/Chicago", read_thresholds().profile)
    profiles.put("a", learned)
    assert (profiles.get("a"), profiles.get("b")) == (learned, None)


def test_a_changelog_record_lies_where_the_feeds_counts_are() -> None:
    table = make_table(app(), MINUTES_TABLE, has_changelog=True)
    assert isinstance(table, ChangelogTable)
    for feed in ("north", "south", "st-brigid"):
        assert feed_of_key(f"{feed}#17") == feed_of_key(feed) == feed
        assert table.partition_for_key(f"{feed}#17") == partition_of(feed, PARTITIONS)


def test_the_changelogs_that_are_made_are_those_that_faust_writes() -> None:
    made = [name for name, _ in internal_topics()]
    tables = [make_table(app(), name, has_changelog=True) for name in (MINUTES_TABLE, PROFILES_TABLE)]
    assert [table.changelog_topic_name for table in tables] == made
    assert made == [changelog_name(APPLICATION, name) for name in (MINUTES_TABLE, PROFILES_TABLE)]
