"""What faust does: two agents, one a topic, and the tables of feeds that one of them keeps.

Faust acknowledges an event whatever its agent does, even when it raises, and never gives it again (ADR 1). So an agent
body lets nothing out: what waiting may cure is waited for, with the batch unacknowledged; anything else is logged,
counted and passed over. That is bearable here and nowhere else: counts are set, not added, and the next one repairs.
"""

import asyncio
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import faust

from services.transitions.signals import counting, hearing
from services.transitions.signals.profile import Profile, hour_start, learn
from services.transitions.signals.settings import Settings, Tables
from services.transitions.signals.tables import FeedMinutes, FeedProfiles, make_table
from services.transitions.signals.thresholds import Thresholds
from services.transitions.signals.topics import MINUTES_TABLE, PROFILES_TABLE
from shared.events import PARTITIONS, AnyEvent, Topic, UnreadableEventError, read_event
from shared.events.operations import FeedCounted
from shared.kafka import KafkaSettings
from shared.kafka.failures import is_transient
from shared.kafka.relay import partition_of
from shared.metrics import SIGNALS_PASSED_OVER
from shared.postgres import Database
from shared.telemetry import describe_error, log

BATCH = 500
WITHIN_S = 0.5
RECOUNTED = timedelta(days=3)
LONGEST_WAIT_S = 5.0
REFILLED = timedelta(hours=3)


class Listening:
    """The faust application, its agents and tables. `heard_at` (monotonic seconds) shows whether it still hears."""

    def __init__(self, database: Database, settings: Settings, limits: Thresholds) -> None:
        self.app = make_app(settings)
        self.heard_at = time.monotonic()
        self._database = database
        self._instance = settings.instance
        self._limits = limits.profile
        self._has_changelog = settings.tables is Tables.CHANGELOG
        self._minutes = FeedMinutes(make_table(self.app, MINUTES_TABLE, has_changelog=self._has_changelog))
        self._profiles = FeedProfiles(make_table(self.app, PROFILES_TABLE, has_changelog=self._has_changelog))
        # What PostgreSQL knew at the start: for feeds of which no table knows anything (a first changelog, or none).
        self._stored: dict[str, Profile] = {}
        self._add_agent(Topic.FEEDS, self.count_feeds)
        self._add_agent(Topic.ENCOUNTERS, self.place_patients)

    async def refill(self, now: datetime) -> None:
        """Reads from PostgreSQL what a killed process had counted. With changelogs, faust fills the tables itself."""
        async with self._database.pool.acquire() as connection:
            self._stored = await counting.profiles(connection)
            minutes = await counting.recent_minutes(connection, now - REFILLED)
        if not self._has_changelog:
            for feed, minute, total in minutes:
                self._minutes.put(feed, minute, total)

    async def count_feeds(self, events: Sequence[AnyEvent]) -> None:
        minutes, seen = hearing.minutes_of(events), hearing.feeds_of(events)
        learned = self._learn(events)
        async with self._database.transaction() as tx:
            await counting.set_feeds(tx.connection, minutes, seen, self._instance)
            await counting.set_profiles(tx.connection, learned, await tx.now())

    def _learn(self, events: Sequence[AnyEvent]) -> dict[str, Profile]:
        """The profiles that changed: those of feeds of which an hour is now known to its last minute. An hour that was
        counted in part, since something of ours stood still, teaches nothing.
        """
        touched: dict[tuple[str, datetime], str] = {}
        for event in events:
            if isinstance(event.fact, FeedCounted):
                self._minutes.put(event.fact.feed, event.fact.minute, event.fact.total)
                zone = event.fact.time_zone or "UTC"
                touched[event.fact.feed, hour_start(event.fact.minute)] = zone
        changed: dict[str, Profile] = {}
        for (feed, hour), zone in touched.items():
            total = self._minutes.hour(feed, hour)
            if total is not None:
                known = self._profiles.get(feed) or self._stored.get(feed) or Profile()
                changed[feed] = learn(known, hour, total, zone, self._limits)
                self._profiles.put(feed, changed[feed])
        return changed

    async def place_patients(self, events: Sequence[AnyEvent]) -> None:
        since = hour_start(datetime.now(UTC) - RECOUNTED)
        async with self._database.transaction() as tx:
            await counting.set_stays(tx.connection, hearing.stays_of(events), recount_since=since)
            for retired, survivor in hearing.merges_of(events):
                await counting.rekey_stays(tx.connection, retired, survivor)

    async def is_owed(self) -> bool:
        """Whether counts should have come here: nothing is assigned to this worker at all, or a feed that somebody
        counted within the last day has its partition here. A worker that has no such feed hears nothing, and rightly.
        """
        assigned = {place.partition for place in self.app.consumer.assignment() if place.topic == Topic.FEEDS.value}
        async with self._database.pool.acquire() as connection:
            feeds = await counting.feeds_counted_lately(connection)
        there = self.app.consumer.topic_partitions(Topic.FEEDS.value) or PARTITIONS
        return not assigned or any(partition_of(feed, there) in assigned for feed in feeds)

    def _add_agent(self, topic: Topic, take: Callable[[Sequence[AnyEvent]], Awaitable[None]]) -> None:
        channel = self.app.topic(topic.value, key_serializer="raw", value_serializer="raw")

        async def body(stream: Any) -> None:
            batches: AsyncIterable[Sequence[Any]] = stream.take_events(BATCH, within=WITHIN_S)
            async for batch in batches:
                self.heard_at = time.monotonic()
                await take_all(topic, batch, take)

        self.app.agent(channel, name=f"signals.{topic.name.lower()}", concurrency=1)(body)


async def take_all(topic: Topic, batch: Sequence[Any], take: Callable[[Sequence[AnyEvent]], Awaitable[None]]) -> None:
    """Takes a batch into account; never raises. Waits for the database as long as it takes."""
    events = [event for record in batch if (event := readable(topic, record)) is not None]
    wait = 0.1
    while events:
        try:
            await take(events)
        except Exception as error:  # noqa: BLE001  (what leaves an agent is acknowledged and lost without a word)
            if not is_transient(error):
                SIGNALS_PASSED_OVER.labels(topic.value).inc(len(events))
                log.error("signals.passed_over", topic=topic.value, count=len(events), error=describe_error(error))
                return
            log.warning("signals.waiting", topic=topic.value, error=describe_error(error), seconds=wait)
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT_S)
        else:
            return


def readable(topic: Topic, record: Any) -> AnyEvent | None:
    """The event in a record of faust's, None when it is not for us or can't be read (then it is counted)."""
    try:
        headers = [(str(name), bytes(raw)) for name, raw in dict(record.headers).items()]
        return read_event(topic.value, headers, record.value)
    except (UnreadableEventError, UnicodeDecodeError, TypeError, ValueError):
        SIGNALS_PASSED_OVER.labels(topic.value).inc()
        log.warning("signals.unreadable", topic=topic.value, offset=record.message.offset)
        return None


def make_app(settings: Settings) -> faust.App:
    """No web, in-memory tables, and no topic that faust makes by itself: they are there before it starts."""
    return faust.App(
        settings.consumer,
        broker=[f"kafka://{place}" for place in settings.kafka.bootstrap.split(",")],
        broker_credentials=credentials(settings.kafka),
        store="memory://",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=PARTITIONS,
        table_standby_replicas=0,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=f"{settings.consumer}-{settings.instance}",
        broker_session_timeout=10.0,
        broker_heartbeat_interval=1.0,
        broker_commit_interval=1.0,
        stream_wait_empty=False,
        key_serializer="raw",
        value_serializer="raw",
    )


def credentials(kafka: KafkaSettings) -> faust.SASLCredentials | faust.SSLCredentials | None:
    arguments = kafka.client_arguments()
    context = arguments.get("ssl_context")
    if "sasl_mechanism" in arguments:
        return faust.SASLCredentials(
            username=arguments["sasl_plain_username"],
            password=arguments["sasl_plain_password"],
            mechanism=arguments["sasl_mechanism"],
            ssl_context=context,
        )
    return faust.SSLCredentials(context=context) if context else None
