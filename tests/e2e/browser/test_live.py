"""Open pages keep up: with new patients, without moving rows under the cursor, and after their server was killed."""

import os
import signal

import pytest
from playwright.async_api import expect

from tests.e2e.browser.conftest import Visitor, Ward

pytestmark = pytest.mark.browser


async def test_a_new_patient_appears_by_itself(ward: Ward, visitor: Visitor) -> None:
    page = await visitor.come_in("care-manager")
    await expect(page.locator("#liveness")).to_have_attribute("data-state", "live")
    await page.mouse.move(5, 5)
    stay = await ward.discharged(family="Sudden")
    await ward.on_board(stay)
    await expect(page.get_by_role("link", name="Ann Q Sudden")).to_be_visible()


async def test_rows_stay_where_the_focus_is_until_asked(ward: Ward, visitor: Visitor) -> None:
    await ward.on_board(await ward.discharged(family="Waiting"))
    page = await visitor.come_in("care-manager")
    await expect(page.locator("#liveness")).to_have_attribute("data-state", "live")
    held = page.get_by_role("link", name="Ann Q Waiting")
    await held.focus()
    places = await page.locator(".card").evaluate_all("cards => cards.map(card => card.dataset.key)")
    await ward.on_board(await ward.discharged(family="Newcomer"))
    await expect(page.locator("#changes")).to_contain_text("refresh")
    assert await page.locator(".card").evaluate_all("cards => cards.map(card => card.dataset.key)") == places
    await expect(held).to_be_focused()
    await page.keyboard.press("r")
    await expect(page.get_by_role("link", name="Ann Q Newcomer")).to_be_visible()
    await expect(page.get_by_role("link", name="Ann Q Waiting")).to_be_focused()
    await expect(page.locator("#changes")).to_be_empty()


async def test_the_page_converges_after_its_server_was_killed(ward: Ward, visitor: Visitor) -> None:
    page = await visitor.come_in("care-manager")
    await expect(page.locator("#liveness")).to_have_attribute("data-state", "live")
    await page.mouse.move(5, 5)
    pid = ward.driver.stack.children["dashboard"].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await expect(page.locator("#liveness")).to_have_attribute("data-state", "away")
    stay = await ward.discharged(family="Meanwhile")
    await expect(page.locator("#liveness")).to_have_attribute("data-state", "live")
    await ward.on_board(stay)
    await expect(page.get_by_role("link", name="Ann Q Meanwhile")).to_be_visible()
    assert ward.driver.stack.children["dashboard"].pid != pid


async def test_a_rebuild_brings_everything_back(ward: Ward, visitor: Visitor) -> None:
    stay = await ward.discharged(family="Retold")
    transition = await ward.on_board(stay)
    events = await ward.asked("SELECT count(*) FROM dashboard.event_log WHERE NOT 'snapshot' = ANY (flags)")
    page = await visitor.come_in("care-manager")
    async with ward.driver.operations() as operations:
        await operations.post("dashboard", "/operations/rebuild")
    assert await ward.on_board(stay) == transition
    await ward.asked(f"SELECT 1 FROM dashboard.event_log HAVING count(*) >= {events}")
    await page.mouse.move(5, 5)
    await page.keyboard.press("r")
    await expect(page.get_by_role("link", name="Ann Q Retold")).to_be_visible()
