"""Faust's tables: what a worker knows of the feeds whose partition it has.

Both are keyed by feed, so a feed's rows lie in the changelog's partition of the same number as its counts, and go with
it to whichever worker takes it over. Every value is set, never added to: an event heard again changes nothing.

On Apache Kafka each table has a changelog, from which faust rebuilds it after a kill or a move of partitions. The
embedded broker answers wrong ends of a log, so that a table rebuilt from one would be old (ADR 1): there the tables are
local, one worker runs, and PostgreSQL fills them at the start.
"""

from collections.abc import MutableMapping
from datetime import datetime
from typing import Any

import faust
from typing_extensions import override

from services.transitions.signals.profile import Profile
from shared.events import PARTITIONS
from shared.kafka.relay import partition_of

# Long enough that an hour told late by the relay is still whole; short, since each minute is a record of the changelog.
MINUTES_KEPT = 180
MINUTES_AN_HOUR = 60


class FeedMinutes:
    """The last three hours of each feed, minute by minute, in a ring: no key is ever added for long, none deleted."""

    def __init__(self, table: MutableMapping[str, Any]) -> None:
        self._table = table

    def put(self, feed: str, minute: datetime, total: int) -> None:
        """Sets the count of a minute; one that the ring has gone past is let go."""
        number = _minute_number(minute)
        key = _ring_key(feed, number)
        known = self._table.get(key)
        if known is None or known[0] < number or (known[0] == number and known[1] != total):
            self._table[key] = [number, total]

    def hour(self, feed: str, hour: datetime) -> int | None:
        """Messages in the hour that begins then; None unless each of its minutes was counted and is still known."""
        first = _minute_number(hour)
        total = 0
        for number in range(first, first + MINUTES_AN_HOUR):
            known = self._table.get(_ring_key(feed, number))
            if known is None or known[0] != number:
                return None
            total += known[1]
        return total


class FeedProfiles:
    """The hour-of-week profile of each feed."""

    def __init__(self, table: MutableMapping[str, Any]) -> None:
        self._table = table

    def get(self, feed: str) -> Profile | None:
        known = self._table.get(feed)
        return None if known is None else Profile.from_json(known)

    def put(self, feed: str, profile: Profile) -> None:
        self._table[feed] = profile.to_json()


class LocalTable(faust.Table[str, Any]):
    """A table that tells no changelog. It is not registered with the application, so nothing waits for its recovery."""

    @override
    def on_key_set(self, key: Any, value: Any) -> None:
        """Nobody is told."""

    @override
    def on_key_del(self, key: Any) -> None:
        """Nobody is told."""


class ChangelogTable(faust.Table[str, Any]):
    """A table whose changelog record goes where the feed's counts are: the agent takes batches of many partitions, so
    faust's own way, the partition of the event in hand, would be that of another feed.
    """

    @override
    def partition_for_key(self, key: Any) -> int | None:
        return partition_of(feed_of_key(str(key)), PARTITIONS)


def make_table(app: faust.App, name: str, *, has_changelog: bool) -> faust.Table[str, Any]:
    if not has_changelog:
        return LocalTable(app, name=name)
    table = ChangelogTable(app, name=name, partitions=PARTITIONS)
    app.tables.add(table)
    return table


def feed_of_key(key: str) -> str:
    """The feed of a key of either table; the name of a feed holds no `#`."""
    return key.split("#", 1)[0]


def _minute_number(at: datetime) -> int:
    return int(at.timestamp()) // 60


def _ring_key(feed: str, number: int) -> str:
    return f"{feed}#{number % MINUTES_KEPT}"
