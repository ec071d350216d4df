"""The whole stack as real processes with patients in it, and a real browser that looks at its console."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.support.stack import StackDriver, running_stack, stack_settings
from tests.support.stays import Stay
from tests.support.story import until

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
)
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)


class Visitor:
    """Someone in a role, in front of the console. `complaints` is what the browser's console says is wrong."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.url = url
        self.complaints: list[str] = []

    async def come_in(self, role: str, **options: Any) -> Page:
        """Signs in by one click on a role; the role's first page is then open."""
        context = await self._browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        context.set_default_timeout(PATIENCE_MS)
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


class Ward:
    """The running stack, and stays that were sent to it."""

    def __init__(self, driver: StackDriver) -> None:
        self.driver = driver
        self.url = driver.settings.url_of("dashboard")

    async def discharged(self, family: str = "Testa") -> Stay:
        """A stay from admission to discharge, through the hospital's socket."""
        stay = Stay(family=family)
        for payload in (stay.admit(), stay.discharge()):
            assert (await self.driver.send(payload)).code == "AA"
        return stay

    async def on_board(self, stay: Stay, *, status: str = "following") -> str:
        """Waits until the console has projected the stay in this status; answers its transition's id."""
        query = "SELECT id FROM dashboard.board_transition WHERE visit = $1 AND status = $2"
        return str(await self.asked(query, stay.visit, status))

    async def asked(self, query: str, *values: object) -> Any:
        """Waits until the query answers something."""
        found: list[Any] = []
        connection = await self.driver.stack.server.connect("handoff")

        async def there() -> bool:
            found[:] = [await connection.fetchval(query, *values)]
            return found[0] is not None

        try:
            await until(there, query, PATIENCE_MS / 1000)
        finally:
            await connection.close()
        return found[0]

    async def run(self, statement: str) -> None:
        connection = await self.driver.stack.server.connect("handoff")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ward() -> AsyncIterator[Ward]:
    """One stack for all of these tests: its start costs more than any of them. Each sends patients of its own."""
    async with running_stack(stack_settings()) as driver:
        yield Ward(driver)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    if not CHROMIUM.is_file():  # noqa: ASYNC240  (once, before anything runs)
        pytest.fail("the browser tests need the package chromium: apt-get install -y chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS))
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(chromium: Browser, ward: Ward) -> AsyncIterator[Visitor]:
    visitor = Visitor(chromium, ward.url)
    yield visitor
    await visitor.leave()
