"""A running console with patients on it, and a real browser that looks at it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from deploy.local.broker import EmbeddedBroker
from deploy.local.ports import free_port
from deploy.local.postgres import EmbeddedPostgres
from deploy.topics import create_topics
from shared.events import AnyEvent
from shared.events.transitions import TaskEscalated, TransitionStatus
from shared.kafka import Relay
from tests.e2e.browser.stack import Stack
from tests.integration.dashboard.told import NORTH, Story, minute, now, silence
from tests.support.databases import Databases
from tests.support.story import running

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
]
LAKE = NORTH.model_copy(update={"code": "LAKE", "name": "Lakeside Hospital"})


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(
    postgres_server: EmbeddedPostgres, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    """One for all of these tests: starting it costs more than any of them. Each tells of patients of its own."""
    folder = tmp_path_factory.mktemp("stack")
    broker = EmbeddedBroker(free_port(), folder / "broker.log")
    await broker.start()
    await create_topics(broker.kafka)
    databases = await clone(postgres_server, template_database)
    stack = Stack(databases, broker.kafka, folder)
    try:
        await stack.start()
        tellers = [await stack.teller(service) for service in ("intake", "transitions", "careplan", "notifications")]
        async with running(*(Relay(database=teller, kafka=broker.kafka).run for teller in tellers)):
            yield stack
    finally:
        stack.stop()
        await databases.close()
        await broker.stop()


async def clone(server: EmbeddedPostgres, template: str) -> Databases:
    name = f"test_{uuid4().hex}"
    connection = await server.connect("postgres")
    try:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {template}')
    finally:
        await connection.close()
    return Databases(server, name)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    if not CHROMIUM.exists():
        pytest.fail("the browser tests need the package chromium: apt-get install -y chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        await browser.close()


class Visitor:
    """Someone in a role, in front of the console."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.url = url
        self.complaints: list[str] = []

    async def come_in(self, role: str, **options: Any) -> Page:
        """Signs in by the console's own login page; the page then shows the role's first page."""
        context = await self._browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        self._contexts.append(context)
        page = await context.new_page()
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await page.goto(f"{self.url}/login/as/{role}")
        await page.wait_for_selector("#live")
        return page

    async def leave(self) -> None:
        for context in self._contexts:
            await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(chromium: Browser, stack: Stack) -> AsyncIterator[Visitor]:
    visitor = Visitor(chromium, stack.url)
    yield visitor
    await visitor.leave()


def ward_round() -> list[AnyEvent]:
    """A house with people in every stage, one of them late, and two feeds."""
    people = [("Okafor", "Ada"), ("Lindqvist", "Per"), ("Marsh", "Eleanor"), ("Tran", "Minh"), ("Brandt", "Jutta")]
    events: list[AnyEvent] = []
    for index, (family, given) in enumerate(people):
        story = Story(family, given, facility=LAKE if index % 2 else NORTH, ward=f"{index + 2} West")
        admitted = story.admitted()
        events += [admitted, story.opened(admitted)]
        if index >= 1:
            events += _discharged(story, index)
    events += [minute("north", now().replace(second=0, microsecond=0) - timedelta(minutes=m), 5 + m % 7, m % 5 == 0)
               for m in range(1, 60)]  # fmt: skip
    events += [minute("lake", now().replace(second=0, microsecond=0) - timedelta(minutes=m), 0 if m < 47 else 9)
               for m in range(1, 60)]  # fmt: skip
    return [*events, silence("lake")]


def _discharged(story: Story, index: int) -> list[AnyEvent]:
    discharged = story.discharged(now() - timedelta(hours=30 * index))
    following = story.changed(discharged, TransitionStatus.FOLLOWING)
    call = story.task(discharged, "Call within two business days", now() + timedelta(hours=52 - 30 * index))
    visit = story.task(discharged, "Follow-up visit within 7 days", now() + timedelta(days=7 - index))
    told = [discharged, following, call, visit, story.plan(following)]
    if index == 2:
        call_id = call.fact.task.id  # type: ignore[attr-defined]
        told.append(
            story.task(call, "Call within two business days", now() - timedelta(hours=8), TaskEscalated,
                       id=call_id, level=1, to_role="supervisor", escalation_level=1)
        )  # fmt: skip
    if index == 3:
        told.append(story.changed(discharged, TransitionStatus.ON_HOLD, "discharge cancelled"))
    if index == 4:
        told.append(story.changed(discharged, TransitionStatus.CLOSED, "all tasks done"))
    queued = story.notice(discharged)
    return [*told, queued, story.noticed(queued)]
