"""Counts come in over a real broker, faust keeps the windows, PostgreSQL knows what stands out, the outbox says it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest_asyncio

from deploy.local.broker import EmbeddedBroker
from services.transitions.signals.app import build
from services.transitions.signals.judging import Judging
from services.transitions.signals.listening import Listening
from services.transitions.signals.settings import Settings
from services.transitions.signals.thresholds import Thresholds
from shared.kafka import KafkaSettings, Relay
from shared.postgres import Database
from tests.integration.signals.running import LIMITS, process, settings_of, tell, this_minute
from tests.support.databases import Databases
from tests.support.story import running, until
from tests.unit.signals.said import counted, encounter_id, event, merged, minutes, stay

SAID = "SELECT type, subject, convert_from(value, 'UTF8')::json->>'kind' AS kind FROM outbox ORDER BY id"
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest_asyncio.fixture
async def transitions(databases: Databases) -> AsyncIterator[Database]:
    yield await databases.open("transitions")


async def ready(
    database: Database, settings: Settings, *, watched_ago: timedelta = HOUR, limits: Thresholds = LIMITS
) -> tuple[Listening, Judging]:
    """Agents' bodies and the judge, without a broker."""
    now = datetime.now(UTC)
    listening = Listening(database, settings, limits)
    await listening.refill(now)
    return listening, Judging(database, limits, every_seconds=10, watched_since=now - watched_ago)


async def judged(judging: Judging) -> tuple[int, int]:
    """How many signals a round raised and cleared."""
    changes = await judging.judge_once()
    return len(changes.raised), len(changes.cleared)


async def open_kinds(database: Database) -> set[tuple[str, str]]:
    rows = await database.pool.fetch("SELECT kind, scope FROM signal WHERE cleared_at IS NULL")
    return {(row["kind"], row["scope"]) for row in rows}


async def gauges(database: Database) -> Mapping[tuple[str, str], float]:
    rows = await database.pool.fetch("SELECT kind, scope, value FROM signal_gauge")
    return {(row["kind"], row["scope"]): row["value"] for row in rows}


async def test_silence_is_raised_once_and_cleared_once_when_the_feed_speaks(
    databases: Databases, transitions: Database, kafka: KafkaSettings
) -> None:
    """Against the hours of this weekday in the four weeks before; calm is awaited no longer than the test can."""
    silence = LIMITS.silence.model_copy(update={"calm_minutes": 0})
    limits = LIMITS.model_copy(update={"silence": silence})
    listening, judging = await ready(transitions, settings_of(databases, kafka), limits=limits)
    start = this_minute() - 10 * MINUTE
    for week in range(4, 0, -1):
        past = start.replace(minute=0) - week * timedelta(days=7)
        await listening.count_feeds([event(counted("north", at, 1)) for at in minutes(past, 120)])
    profile = await transitions.pool.fetchval("SELECT body FROM signal_profile WHERE feed = 'north'")
    assert sorted(len(seen) for seen in profile["hours"].values()) == [4, 4]
    await listening.count_feeds([event(counted("north", at, 0)) for at in minutes(start, 10)])
    assert [await judged(judging), await judged(judging)] == [(1, 0), (0, 0)]
    assert await open_kinds(transitions) == {("silent-feed", "feed:north")}
    await listening.count_feeds([event(counted("north", this_minute() - MINUTE, 9))])
    assert [await judged(judging), await judged(judging)] == [(0, 1), (0, 0)]
    said = [(r["type"], r["subject"], r["kind"]) for r in await transitions.pool.fetch(SAID)]
    assert said == [
        ("care.signal.raised.v1", "feed:north", "silent-feed"),
        ("care.signal.cleared.v1", "feed:north", "silent-feed"),
    ]


async def test_a_signal_that_is_no_longer_found_stands_until_it_was_calm_long_enough(
    databases: Databases, transitions: Database, kafka: KafkaSettings
) -> None:
    listening, judging = await ready(transitions, settings_of(databases, kafka))
    start = this_minute() - 10 * MINUTE
    await listening.count_feeds([event(counted("north", at, 0, quiet=9)) for at in minutes(start, 10)])
    assert await judged(judging) == (1, 0)  # by its configured rhythm: nothing was ever seen of it
    await listening.count_feeds([event(counted("north", this_minute() - MINUTE, 9, quiet=9))])
    assert [await judged(judging), await judged(judging)] == [(0, 0), (0, 0)]
    await transitions.pool.execute("UPDATE signal SET calm_since = calm_since - interval '10 minutes'")
    assert [await judged(judging), await judged(judging)] == [(0, 1), (0, 0)]


async def test_what_did_not_happen_is_raised_once_and_cleared_when_it_does(
    databases: Databases, transitions: Database, kafka: KafkaSettings
) -> None:
    listening, judging = await ready(transitions, settings_of(databases, kafka))
    now = datetime.now(UTC)
    arrived = now - 60 * HOUR
    ours = this_minute().replace(minute=1) - 13 * HOUR
    await listening.place_patients(
        [event(stay("a", arrived=arrived, expected=ours)), event(stay("b", arrived=arrived))]
    )
    await listening.count_feeds([event(counted("north", this_minute() - MINUTE, 1))])
    await refer(transitions, "late", "accepted", now - 241 * HOUR)
    await refer(transitions, "booked", "scheduled", now - 241 * HOUR)
    await refer(transitions, "fresh", "accepted", now - 9 * HOUR)
    await refer(transitions, "history", "accepted", now - 241 * HOUR, historical=True)
    assert [await judged(judging), await judged(judging)] == [(2, 0), (0, 0)]
    assert await open_kinds(transitions) == {
        ("discharge-overdue", f"encounter:{encounter_id('a')}"),
        ("referral-unbooked", f"referral:{encounter_id('late')}"),
    }
    await listening.place_patients([event(stay("a", version=2, arrived=arrived, expected=ours, discharged=now))])
    await transitions.pool.execute("UPDATE referral SET state = 'scheduled' WHERE id = $1", encounter_id("late"))
    assert [await judged(judging), await judged(judging)] == [(0, 2), (0, 0)]


async def test_a_census_far_above_that_of_the_same_hour_before_is_raised(
    databases: Databases, transitions: Database, kafka: KafkaSettings
) -> None:
    listening, judging = await ready(transitions, settings_of(databases, kafka))
    now = datetime.now(UTC)
    await listening.place_patients([event(stay(f"s{n}", patient=f"p{n}", arrived=now - HOUR)) for n in range(12)])
    await listening.count_feeds([event(counted("north", this_minute() - MINUTE, 1))])
    assert await judged(judging) == (0, 0)
    earlier = [now.replace(minute=0, second=0, microsecond=0) - n * timedelta(days=7) for n in (1, 2, 3)]
    await transitions.pool.executemany(
        "INSERT INTO signal_window VALUES ('census', 'facility:NORTH/unit:4W', $1, 8)", [(at,) for at in earlier]
    )
    assert await judged(judging) == (1, 0)
    assert await open_kinds(transitions) == {("census-high", "facility:NORTH/unit:4W")}


async def refer(database: Database, name: str, state: str, at: datetime, *, historical: bool = False) -> None:
    """A referral as its own store keeps it."""
    async with database.transaction() as tx:
        await tx.connection.execute(
            "INSERT INTO referral (id, patient_id, facility, service_group, priority, state, is_open, is_held, fired,"
            " version, requested_at, body) VALUES ($1, 'p1', 'NORTH', 'x', 'routine', $2, true, false, 0, 1, $3, '{}')",
            encounter_id(name), state, at,
        )  # fmt: skip
        await tx.connection.execute(
            "INSERT INTO referral_deed (referral_id, event_id, kind, at, source, historical, said)"
            " VALUES ($1, $1, 'request', $2, 'message', $3, '{}')",
            encounter_id(name), at, historical,
        )  # fmt: skip


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
    assert sorted(await asyncio.gather(*(judged(judging) for judging in judges))) == [(0, 0), (0, 0), (1, 0)]


async def test_the_whole_way_over_the_broker(databases: Databases, fresh_broker: EmbeddedBroker) -> None:
    intake = await databases.open("intake")
    relay = Relay(database=intake, kafka=fresh_broker.kafka)
    signals = await build(settings_of(databases, fresh_broker.kafka, every_seconds=0.2), LIMITS)

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
