"""The routes that show signals and weeks, over a real socket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio

from services.transitions.signals.api import signals_router
from services.transitions.signals.judging import Judging
from services.transitions.signals.listening import Listening
from shared.http import Role
from shared.kafka import KafkaSettings
from shared.postgres import Database
from tests.integration.http.running import Answer, issuing, service
from tests.integration.signals.running import LIMITS, settings_of, this_minute
from tests.support.databases import Databases
from tests.unit.signals.said import counted, event, minutes

WEEK = timedelta(days=7)
Asking = Callable[..., Awaitable[Answer]]


@pytest_asyncio.fixture
async def transitions(databases: Databases) -> AsyncIterator[Database]:
    yield await databases.open("transitions")


@pytest_asyncio.fixture
async def asked(transitions: Database, tmp_path: Path) -> AsyncIterator[Asking]:
    async with (
        issuing(tmp_path) as (_, tokens),
        service(tokens, [signals_router(transitions, LIMITS)], database=transitions) as client,
    ):

        async def ask(path: str, role: Role, **claims: Any) -> Answer:
            headers = {"authorization": f"Bearer {tokens.of(role, **claims)}"}
            return await client.ask("GET", path, headers=headers)

        yield ask


async def test_a_silence_and_the_week_it_was_measured_against_are_shown_to_whom_they_concern(
    databases: Databases, transitions: Database, asked: Asking
) -> None:
    listening = Listening(transitions, settings_of(databases, KafkaSettings(), instance="w"), LIMITS)
    hour = this_minute().replace(minute=0) - timedelta(hours=1)
    await listening.count_feeds([event(counted("north", at, 2)) for at in minutes(hour - WEEK, 60)])
    quiet = minutes(this_minute() - timedelta(minutes=9), 9)
    await listening.count_feeds([event(counted("north", at, 0, quiet=9)) for at in quiet])
    await Judging(transitions, LIMITS, every_seconds=10, watched_since=datetime.now(UTC)).judge_once()

    week = (await asked("/signals/weeks?feed=north", Role.INTEGRATION)).body["items"][0]
    assert (len(week["counts"]), len(week["usual"]), week["counted_by"], week["quiet_minutes"]) == (168, 168, "w", 9)
    assert sum(week["weeks"]) == 1
    for facilities, kinds in (([], ["silent-feed"]), (["NORTH"], ["silent-feed"]), (["SOUTH"], [])):
        shown = await asked("/signals", Role.CARE_MANAGER, facilities=facilities)
        assert [item["kind"] for item in shown.body["items"]] == kinds
    assert (await asked("/signals/rules", Role.AUDITOR)).body["version"] == LIMITS.version
    assert (await asked("/signals/rules", Role.PROVIDER)).status == 403
