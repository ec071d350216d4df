"""What faust does: two agents, one a topic, and the windowed tables that they keep.

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

from services.transitions.signals import hearing, store
from services.transitions.signals.settings import Settings
from services.transitions.signals.windows import HOUR, MINUTE, Count, Windows
from shared.events import PARTITIONS, AnyEvent, Topic, UnreadableEventError, read_event
from shared.kafka import KafkaSettings
from shared.kafka.failures import is_transient
from shared.metrics import SIGNALS_PASSED_OVER
from shared.postgres import Database
from shared.telemetry import describe_error, log

BATCH = 500
WITHIN_S = 0.5
RECOUNTED = timedelta(days=3)
LONGEST_WAIT_S = 5.0
FEED_WINDOWS_KEPT = 2 * HOUR
FLOW_WINDOWS_KEPT = 25 * HOUR


class Listening:
    """The faust application, its agents and tables. `heard_at` (monotonic seconds) shows whether it still hears."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.app = make_app(settings)
        self.heard_at = time.monotonic()
        self.feed_minutes = Windows(self.app, "feed-minutes", size=MINUTE, kept=FEED_WINDOWS_KEPT)
        self.flow_hours = Windows(self.app, "flow-hours", size=HOUR, kept=FLOW_WINDOWS_KEPT)
        self._database = database
        self._add_agent(Topic.FEEDS, self.count_feeds)
        self._add_agent(Topic.ENCOUNTERS, self.place_patients)

    async def refill(self, now: datetime) -> None:
        """Fills the tables from PostgreSQL: what a killed process had counted is known to the next."""
        async with self._database.pool.acquire() as connection:
            minutes = await store.recent_windows(connection, [hearing.FEED_MINUTE], now - FEED_WINDOWS_KEPT)
            hours = await store.recent_windows(connection, ["arrivals", "discharges"], now - FLOW_WINDOWS_KEPT)
        self.feed_minutes.put(minutes)
        self._put_flows(hours)

    async def count_feeds(self, events: Sequence[AnyEvent]) -> None:
        minutes, seen = hearing.minutes_of(events), hearing.feeds_of(events)
        async with self._database.transaction() as tx:
            await store.set_feeds(tx.connection, minutes, seen)
        self.feed_minutes.put(minutes)

    async def place_patients(self, events: Sequence[AnyEvent]) -> None:
        since = hearing.hour_of(datetime.now(UTC) - RECOUNTED)
        async with self._database.transaction() as tx:
            counts = await store.set_stays(tx.connection, hearing.stays_of(events), recount_since=since)
            for retired, survivor in hearing.merges_of(events):
                await store.rekey_stays(tx.connection, retired, survivor)
        self._put_flows(counts)

    def flows(self, kind: str, scope: str, now: datetime) -> int:
        """Arrivals or discharges of a place in the last 24 hours, the one that goes on included."""
        return self.flow_hours.total(flow_key(kind, scope), now - timedelta(hours=23), now + HOUR)

    def _put_flows(self, counts: Sequence[Count]) -> None:
        keyed = [Count(kind=c.kind, scope=flow_key(c.kind, c.scope), starts=c.starts, value=c.value) for c in counts]
        self.flow_hours.put(keyed)

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


def flow_key(kind: str, scope: str) -> str:
    return f"{kind} {scope}"


def make_app(settings: Settings) -> faust.App:
    """One worker, no web, no topics of its own, in-memory tables."""
    return faust.App(
        settings.consumer,
        broker=[f"kafka://{place}" for place in settings.kafka.bootstrap.split(",")],
        broker_credentials=credentials(settings.kafka),
        store="memory://",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=PARTITIONS,
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
