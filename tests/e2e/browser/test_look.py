"""Every page in light and dark, narrow and wide: pictures to look at, and what a machine can check of them."""

import os
from pathlib import Path

import pytest

from tests.e2e.browser.conftest import Visitor, ward_round
from tests.e2e.browser.stack import Stack

pytestmark = pytest.mark.browser
PAGES = {"board": "/", "feeds": "/feeds", "pipeline": "/pipeline", "parked": "/parked", "deliveries": "/deliveries",
         "signals": "/signals", "work": "/work", "messages": "/messages"}  # fmt: skip


async def test_every_page_can_be_looked_at(stack: Stack, visitor: Visitor, tmp_path: Path) -> None:
    events = ward_round()
    await stack.tell(events)
    database = await stack.databases.open("dashboard")
    for event in events:
        await stack.seen(database, event)
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    for scheme in ("light", "dark"):
        page = await visitor.come_in("admin", color_scheme=scheme)
        for name, path in PAGES.items():
            await page.goto(stack.url + path)
            await page.wait_for_selector("#live")
            await page.screenshot(path=folder / f"{name}-{scheme}.png", full_page=True)
        for start, name in (("/", "transition"), ("/deliveries", "delivery")):
            await page.goto(stack.url + start)
            await page.locator(".clock-edge-overdue [data-row], tbody [data-row]").first.click()
            await page.wait_for_selector("h1")
            await page.screenshot(path=folder / f"{name}-{scheme}.png", full_page=True)
    assert visitor.complaints == []
