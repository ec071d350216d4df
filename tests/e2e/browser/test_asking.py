"""Asking for a referral and looking at a risk, as a care manager does it in a browser."""

import pytest
from playwright.async_api import Page, expect

from tests.e2e.browser.conftest import Visitor, Ward

pytestmark = pytest.mark.browser


async def ask(page: Page, service: str, performer: str) -> None:
    """Fills the form by the labels that are read out, and sends it by Enter."""
    await page.get_by_label("Service", exact=True).fill(service)
    await page.get_by_label("Why", exact=True).fill("breathless on the stairs")
    await page.get_by_label("urgent", exact=True).check()
    await page.get_by_label("To whom").fill(performer)
    await page.keyboard.press("Enter")


async def test_a_referral_is_asked_for_and_the_same_again_is_held(ward: Ward, visitor: Visitor) -> None:
    transition = await ward.on_board(await ward.discharged(family="Referred"))
    page = await visitor.come_in("care-manager")
    await page.goto(f"{ward.url}/transitions/{transition}")
    await page.get_by_role("link", name="Request a referral").click()
    await expect(page.get_by_role("heading", name="Request a referral for Ann Q Referred")).to_be_visible()
    await expect(page.get_by_text("Nothing yet.")).to_be_visible()
    await ask(page, "Cardiology", "heart-clinic")
    await expect(page.locator(".said-good")).to_contain_text("Asked. Its clock runs.")
    await expect(page.locator(".chip-requested").first).to_be_visible()

    await page.goto(f"{ward.url}/transitions/{transition}/referrals")
    await expect(page.get_by_role("link", name="Cardiology")).to_be_visible()
    await ask(page, "Cardiology", "city-heart")
    await expect(page.locator(".said-warn")).to_contain_text("decide which of the two serves")
    await expect(page.locator(".chip-held").first).to_be_visible()
    assert visitor.complaints == []


async def test_the_scores_of_a_stay_are_looked_at_and_added_to(ward: Ward, visitor: Visitor) -> None:
    transition = await ward.on_board(await ward.discharged(family="Weighed"))
    page = await visitor.come_in("care-manager")
    await page.goto(f"{ward.url}/transitions/{transition}/risk")
    await expect(page.get_by_role("heading", name="Ann Q Weighed")).to_be_visible()
    await expect(page.get_by_role("heading", name="LACE")).to_be_visible()
    await page.get_by_label("Acute admission").select_option("yes")
    await page.get_by_role("button", name="Compute anew").click()
    await expect(page.locator(".said-good")).to_contain_text("Added, and computed anew.")
    assert visitor.complaints == []
