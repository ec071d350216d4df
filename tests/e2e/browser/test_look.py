"""Every page in light and dark, wide, narrow and enlarged: pictures to look at, and what a machine can check of them.

`SCREENSHOTS=folder` keeps the pictures.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.e2e.browser.conftest import Visitor, Ward
from tests.e2e.browser.test_asking import ask

pytestmark = pytest.mark.browser
CHECK = (Path(__file__).parent / "accessible.js").read_text(encoding="utf-8")
PAGES = {"board": "/", "work": "/work", "feeds": "/feeds", "pipeline": "/pipeline", "parked": "/parked",
         "deliveries": "/deliveries", "messages": "/messages", "signals": "/signals",
         "all-work": "/work?view=all", "referrals": "/referrals", "unmatched": "/referrals/unmatched",
         "monitoring": "/monitoring", "notices": "/notices", "quality": "/quality", "measure": "/quality/PCR"}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pages(ward: Ward, chromium: Browser) -> dict[str, str]:
    """Name and path of each page, with something on it."""
    stay = await ward.discharged(family="Pictured")
    transition = await ward.on_board(stay)
    delivery = await ward.asked("SELECT id::text FROM dashboard.delivery ORDER BY at LIMIT 1")
    event, message = [
        await ward.asked(
            f"SELECT {column} FROM dashboard.event_log WHERE type = 'care.encounter.discharged.v1' ORDER BY seen LIMIT 1"
        )
        for column in ("event_id::text", "causation")
    ]
    asking = Visitor(chromium, ward.url)
    page = await asking.come_in("care-manager")
    referrals = [await asked_for(page, ward, transition, performer) for performer in ("heart-clinic", "city-heart")]
    await asking.leave()
    return PAGES | {
        "referral": referrals[0],
        "held-referral": referrals[1],
        "transition": f"/transitions/{transition}",
        "watching": f"/transitions/{transition}/monitoring",
        "risk": f"/transitions/{transition}/risk",
        "requesting": f"/transitions/{transition}/referrals",
        "delivery": f"/deliveries/{delivery}",
        "event": f"/events/{event}",
        "message": f"/messages/{message}",
    }


async def asked_for(page: Page, ward: Ward, transition: str, performer: str) -> str:
    """Asks for a referral; answers the path of its page."""
    await page.goto(f"{ward.url}/transitions/{transition}/referrals")
    await ask(page, "Cardiology", performer)
    await page.wait_for_url("**/referrals/*-*")
    return urlsplit(page.url).path


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_page_shuts_anybody_out(
    ward: Ward, visitor: Visitor, pages: dict[str, str], scheme: str, tmp_path: Path
) -> None:
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    page = await visitor.come_in("admin", color_scheme=scheme)
    complaints: dict[str, list[str]] = {}
    for name, path in pages.items():
        await page.goto(ward.url + path)
        await page.wait_for_selector("#live")
        complaints[name] = await page.evaluate(CHECK)
        await page.screenshot(path=folder / f"{name}-{scheme}.png", full_page=True)
    assert {name: found for name, found in complaints.items() if found} == {}
    assert visitor.complaints == []


async def test_the_way_in_shuts_nobody_out(ward: Ward, visitor: Visitor) -> None:
    page = await visitor.come_in("ops")
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url("**/login")
    assert await page.evaluate(CHECK) == []
    await page.goto(f"{ward.url}/deliveries")
    assert page.url.endswith("/login")


@pytest.mark.parametrize(("width", "zoom"), [(360, 1), (1280, 2)])
async def test_narrow_and_enlarged_pages_need_no_sideways_scrolling(
    ward: Ward, visitor: Visitor, pages: dict[str, str], width: int, zoom: int, tmp_path: Path
) -> None:
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    size = {"width": width // zoom, "height": 800 // zoom}
    page = await visitor.come_in("admin", viewport=size, device_scale_factor=zoom)
    for name, path in pages.items():
        await page.goto(ward.url + path)
        await page.wait_for_selector("#live")
        assert await too_wide(page) == [], name
        await page.screenshot(path=folder / f"{name}-{width}x{zoom}.png", full_page=True)


async def too_wide(page: Page) -> list[str]:
    """What reaches beyond the right edge, unless it scrolls by itself."""
    found: list[str] = await page.evaluate(
        """() => document.documentElement.scrollWidth <= innerWidth ? [] :
            [...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1
             && !e.closest('.scroll, pre')).slice(0, 5).map(e => e.outerHTML.slice(0, 120))"""
    )
    return found
