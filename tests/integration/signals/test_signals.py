"""Counts come in over a real broker, faust keeps the windows, PostgreSQL knows what stands out, the outbox says it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest_asyncio

from deploy.local.broker import EmbeddedBroker
from services.transitions.signals.app import build
from services.transitions.signals.judging import Judging
from services.transitions.signals.listening import Listening
from services.transitions.signals.settings import Settings
from shared.events import Draft, Fact
from shared.http import HttpSettings
from shared.kafka import KafkaSettings, Relay
from shared.postgres import Database
from tests.support.databases import Databases
from tests.support.story import running, until
from tests.unit.signals.said import counted, event, merged, minutes, stay

SAID = "SELECT type, subject, convert_from(value, 'UTF8')::json->>'kind' AS kind FROM outbox ORDER BY id"
HOUR = timedelta(hours=1)


@pytest_asyncio.fixture
async def transitions(databases: Databases) -> AsyncIterator[Database]:
    yield await databases.open("transitions")


def this_minute() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0)


def settings_of(databases: Databases, kafka: KafkaSettings, **more: Any) -> Settings:
    return Settings(postgres=databases.settings("transitions"), kafka=kafka, http=HttpSettings(port=0), **more)


async def ready(database: Database, settings: Settings, *, watched_ago: timedelta = HOUR) -> tuple[Listening, Judging]:
    """Agents' bodies and the judge, without a broker."""
    now = datetime.now(UTC)
    listening = Listening(database, settings)
    await listening.refill(now)
    return listening, Judging(database, listening, settings, watched_since=now - watched_ago)


async def open_kinds(database: Database) -> set[tuple[str, str]]:
    rows = await database.pool.fetch("SELECT kind, scope FROM signal WHERE cleared_at IS NULL")
    return {(row["kind"], row["scope"]) for row in rows}


async def gauges(database: Database) -> Mapping[tuple[str, str], float]:
    rows = await database.pool.fetch("SELECT kind, scope, value FROM signal_gauge")
    return {(row["kind"], row["scope"]): row["value"] for row in rows}


async def test_silence_is_raised_once_and_cleared_when_the_feed_speaks(
    databases: Databases, transitions: Database, kafka: KafkaSettings
) -> None:
    listening, judging = await ready(transitions, settings_of(databases, kafka))
    start = this_minute() - 10 * timedelta(minutes=1)
    for day in range(1, 4):
        told = [event(counted("north", at - timedelta(days=day), 60)) for at in minutes(start.replace(minute=0), 120)]
        await listening.count_feeds(told)
    await listening.count_feeds([event(counted("north", at, 0)) for at in minutes(start, 10)])
    assert (await judging.judge_once()).raised == 1
    assert (await judging.judge_once()).raised == 0
    assert await open_kinds(transitions) == {("silent-feed", "feed:north")}
    await listening.count_feeds([event(counted("north", this_minute() - timedelta(minutes=1), 9))])
    assert (await judging.judge_once()).cleared == 1
    said = [(r["type"], r["subject"], r["kind"]) for r in await transitions.pool.fetch(SAID)]
    assert said == [
        ("care.signal.raised.v1", "feed:north", "silent-feed"),
        ("care.signal.cleared.v1", "feed:north", "silent-feed"),
    ]


async def test_no_counts_at_all_is_an_alarm_of_the_pipeline(
    databases: Databases, transitions: Database, kafka: KafkaSettings
) -> None:
    _, judging = await ready(transitions, settings_of(databases, kafka))
    await judging.judge_once()
    assert await open_kinds(transitions) == {("pipeline-silent", "pipeline")}


async def test_census_flows_and_returns_follow_the_stays_and_their_corrections(
    databases: Databases, transitions: Database, kafka: KafkaSettings
) -> None:
    listening, judging = await ready(transitions, settings_of(databases, kafka))
    now = datetime.now(UTC)
    first = [
        event(stay(f"s{n}", patient=f"p{n}", arrived=now - 30 * HOUR, discharged=now - 20 * HOUR)) for n in range(5)
    ]
    back = [event(stay(f"b{n}", patient=f"p{n}", unit="ED", arrived=now - 2 * HOUR)) for n in range(3)]
    await listening.place_patients([*first, *back])
    await listening.place_patients([*back, *first])
    await judging.judge_once()
    told = await gauges(transitions)
    assert told["census", "facility:NORTH"] == told["census", "facility:NORTH/unit:ED"] == 3
    assert told["discharges-24h", "facility:NORTH"] == 5
    assert told["arrivals-24h", "facility:NORTH"] == 3
    assert told["returns-72h", "facility:NORTH"] == 3
    assert ("bounce-back-cluster", "facility:NORTH") in await open_kinds(transitions)
    # A discharge is taken back: the patient is here again and nobody was discharged in that hour.
    await listening.place_patients([event(stay("s4", version=2, patient="p4", arrived=now - 30 * HOUR))])
    await judging.judge_once()
    told = await gauges(transitions)
    assert (told["discharges-24h", "facility:NORTH"], told["census", "facility:NORTH"]) == (4, 4)


async def test_a_merge_makes_two_stays_one_persons(
    databases: Databases, transitions: Database, kafka: KafkaSettings
) -> None:
    listening, judging = await ready(transitions, settings_of(databases, kafka))
    now = datetime.now(UTC)
    await listening.place_patients(
        [
            event(stay("a", patient="old", arrived=now - 30 * HOUR, discharged=now - 20 * HOUR)),
            event(stay("b", patient="new", arrived=now - 2 * HOUR)),
            event(merged("old", "new")),
        ]
    )
    await judging.judge_once()
    assert (await gauges(transitions))["returns-72h", "facility:NORTH"] == 1


async def test_two_judges_at_once_raise_once(databases: Databases, transitions: Database, kafka: KafkaSettings) -> None:
    settings = settings_of(databases, kafka)
    judges = [(await ready(transitions, settings))[1] for _ in range(3)]
    judged = await asyncio.gather(*(judging.judge_once() for judging in judges))
    assert sorted(j.raised for j in judged) == [0, 0, 1]


async def test_the_whole_way_over_the_broker(databases: Databases, fresh_broker: EmbeddedBroker) -> None:
    intake = await databases.open("intake")
    relay = Relay(database=intake, kafka=fresh_broker.kafka)
    signals = await build(settings_of(databases, fresh_broker.kafka, every_seconds=0.2))

    async def has_census() -> bool:
        return (await gauges(signals.database)).get(("census", "facility:NORTH/unit:ICU")) == 2

    async def has_count() -> bool:
        return (await gauges(signals.database)).get(("feed-hour", "feed:north")) == 12

    async with running(relay.run, *signals.background):
        await tell(intake, "p1", stay("a", patient="p1", unit="ICU", arrived=datetime.now(UTC)))
        await tell(intake, "p2", stay("b", patient="p2", unit="ICU", arrived=datetime.now(UTC)))
        await tell(intake, "feed:north", counted("north", this_minute() - timedelta(minutes=1), 12))
        await until(has_census, "the census of the unit is 2", 60)
        await until(has_count, "the feed's count is known", 60)
    await signals.database.close()


async def test_a_killed_process_knows_again_what_it_had_counted(
    databases: Databases, fresh_broker: EmbeddedBroker
) -> None:
    intake, transitions = await databases.open("intake"), await databases.open("transitions")
    relay = Relay(database=intake, kafka=fresh_broker.kafka)
    settings = settings_of(databases, fresh_broker.kafka, every_seconds=0.2)

    async def hour_is(total: int) -> bool:
        return (await gauges(transitions)).get(("feed-hour", "feed:north")) == total

    async with running(relay.run):
        async with process(settings):
            for ago in (3, 2):
                await tell(intake, "feed:north", counted("north", this_minute() - timedelta(minutes=ago), 10))
            await until(lambda: hour_is(20), "both minutes are counted", 60)
        await tell(intake, "feed:north", counted("north", this_minute() - timedelta(minutes=1), 5))
        async with process(settings):
            await until(lambda: hour_is(25), "the third minute is added to what was counted before the kill", 60)


@asynccontextmanager
async def process(settings: Settings) -> AsyncIterator[None]:
    """The signals as they run in the stack; killed on leaving."""
    postgres = settings.postgres
    environment = os.environ | {
        "SIGNALS_POSTGRES__HOST": postgres.host,
        "SIGNALS_POSTGRES__PORT": str(postgres.port),
        "SIGNALS_POSTGRES__DATABASE": postgres.database,
        "SIGNALS_POSTGRES__PASSWORD": postgres.password.get_secret_value(),
        "SIGNALS_KAFKA__BOOTSTRAP": settings.kafka.bootstrap,
        "SIGNALS_HTTP__PORT": "0",
        "SIGNALS_EVERY_SECONDS": str(settings.every_seconds),
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.transitions.signals", env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield
        assert started.returncode is None, "the process ended by itself"
    finally:
        started.kill()
        await started.wait()


async def tell(intake: Database, subject: str, fact: Fact) -> None:
    async with intake.transaction() as tx:
        await tx.lock([subject])
        now = await tx.now()
        await tx.publish([Draft(fact=fact, subject=subject, time=now, correlation_id="c", causation_id="m")])
