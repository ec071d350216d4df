"""What an operator must be able to do without a mouse."""

import pytest
from playwright.async_api import Page, expect

from tests.e2e.browser.conftest import Visitor, Ward
from tests.support.stays import Stay

pytestmark = pytest.mark.browser

# The console's own database refuses one patient: her events are parked there, everybody else's flow.
REFUSE = """
CREATE FUNCTION dashboard.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.name LIKE '%Refused%' THEN RAISE EXCEPTION 'refused'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON dashboard.person
FOR EACH ROW EXECUTE FUNCTION dashboard.refuse();
"""
ACCEPT = "DROP TRIGGER refuse ON dashboard.person; DROP FUNCTION dashboard.refuse();"


CALL = "Speak with the patient or caregiver"
"""Due in two business days: no clock changes this task while somebody looks at it."""


async def focused(page: Page) -> str:
    """What the focus is on, by the name it is read out with."""
    said: str = await page.evaluate(
        "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent.trim()"
    )
    return said


async def tab_to(page: Page, wanted: str) -> None:
    """Presses Tab until the focus is on what is called so."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        if (await focused(page)) == wanted:
            return
    pytest.fail(f"Tab does not lead to {wanted}")


async def test_a_parked_patient_is_released(ward: Ward, visitor: Visitor) -> None:
    await ward.run(REFUSE)
    stay = Stay(family="Refused")
    assert (await ward.driver.send(stay.admit())).code == "AA"
    await ward.asked("SELECT subject FROM dashboard.blocked_key WHERE state = 'parked'")
    await ward.run(ACCEPT)

    page = await visitor.come_in("ops")
    await tab_to(page, "Parked")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Parked patients")).to_be_visible()
    await expect(page.locator("#release-1")).to_be_visible()
    assert "Refused" not in await page.content()
    for _ in range(6):
        await page.keyboard.press("j")
        if (await focused(page)).startswith("Release Patient"):
            break
    assert (await focused(page)).startswith("Release Patient")
    await page.keyboard.press("Enter")

    await expect(page.locator(".said-good")).to_contain_text("Released")
    await expect(page.get_by_text("Nobody is parked")).to_be_visible()
    await ward.on_board(stay, status="open")
    assert visitor.complaints == []


async def test_a_delivery_is_followed_back_to_its_message(ward: Ward, visitor: Visitor) -> None:
    stay = await ward.discharged(family="Traced")
    delivery = await ward.asked(
        "SELECT d.id::text FROM dashboard.delivery d JOIN dashboard.stay s USING (encounter_id)"
        " WHERE s.visit = $1 AND d.event_type = 'care.encounter.discharged.v1' LIMIT 1",
        stay.visit,
    )
    page = await visitor.come_in("ops")
    await tab_to(page, "Deliveries")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Deliveries")).to_be_visible()
    for _ in range(40):
        await page.keyboard.press("j")
        if delivery in await page.evaluate("document.activeElement.getAttribute('href') || ''"):
            break
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Where it came from")).to_be_visible()
    for _ in range(10):
        await page.keyboard.press("j")
        if await focused(page) == "Message received":
            break
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("heading", name="Message A03")).to_be_visible()
    await expect(page.get_by_text("Encounter discharged").first).to_be_visible()
    assert "Traced" not in await page.content()
    await tab_to(page, "Reveal")
    await page.keyboard.press("Enter")
    await expect(page.locator("pre.raw")).to_contain_text("Traced")
    assert "Traced" not in page.url + await page.title()
    assert visitor.complaints == []


async def test_a_task_is_claimed_and_completed(ward: Ward, visitor: Visitor) -> None:
    stay = await ward.discharged(family="Followed")
    transition = await ward.on_board(stay)
    page = await visitor.come_in("care-manager")
    await page.goto(f"{ward.url}/transitions/{transition}")
    await expect(page.get_by_role("heading", name="Ann Q Followed")).to_be_visible()
    await tab_to(page, f"Claim: {CALL}")
    await page.keyboard.press("Enter")
    await expect(page.locator(".said")).to_contain_text("Task claimed")
    await expect(page.get_by_text("local-care-manager").first).to_be_visible()
    await page.get_by_role("button", name=f"Complete: {CALL}").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".said")).to_contain_text("Task completed")
    await expect(page.locator(".chip-completed").first).to_be_visible()


async def test_keys_are_told_and_can_be_switched_off(ward: Ward, visitor: Visitor) -> None:
    await ward.on_board(await ward.discharged())
    page = await visitor.come_in("ops")
    await page.keyboard.press("Tab")
    assert await focused(page) == "Skip to the content"
    await page.keyboard.press("?")
    await expect(page.locator("#help")).to_be_visible()
    await page.locator("#keys-on").uncheck()
    await page.keyboard.press("Escape")
    await expect(page.locator("#help")).to_be_hidden()
    await page.keyboard.press("?")
    await expect(page.locator("#help")).to_be_hidden()
    await page.keyboard.press("j")
    assert not await page.evaluate("document.activeElement.matches('[data-row]')")


async def test_tasks_are_ticked_and_claimed_together(ward: Ward, visitor: Visitor) -> None:
    await ward.on_board(await ward.discharged(family="Ticked"))
    page = await visitor.come_in("care-manager")
    await page.goto(f"{ward.url}/work?view=unassigned")
    await expect(page.locator("[data-row]").first).to_be_visible()
    await page.keyboard.press("j")
    await page.keyboard.press("x")
    await expect(page.locator("#picked")).to_have_text("1")
    await page.get_by_role("button", name="Look before").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Claim: 1 of 1 task")).to_be_visible()
    await page.get_by_role("button", name="Claim: do it").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".said-good")).to_contain_text("Done: 1.")
    await page.goto(f"{ward.url}/work?view=mine")
    await expect(page.get_by_text("local-care-manager").first).to_be_visible()
    assert visitor.complaints == []


async def test_a_provider_organisation_reads_its_own_notices_alone(ward: Ward, visitor: Visitor) -> None:
    stay = await ward.discharged(family="Noticed")
    notice = (
        "SELECT d.id::text FROM dashboard.delivery d JOIN dashboard.stay s USING (encounter_id) WHERE s.visit = $1"
        " AND d.event_type = 'care.encounter.discharged.v1' AND d.status = 'delivered'"
        " AND (d.organisation = 'lakeside-primary-care') = $2 LIMIT 1"
    )
    own, others = [await ward.asked(notice, stay.visit, is_own) for is_own in (True, False)]
    page = await visitor.come_in("provider-system")
    assert page.url.endswith("/notices")
    assert "Noticed" not in await page.content()
    for _ in range(60):
        await page.keyboard.press("j")
        if own in await page.evaluate("document.activeElement.getAttribute('href') || ''"):
            break
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Encounter discharged")).to_be_visible()
    await expect(page.get_by_text("Ann Q Noticed").first).to_be_visible()
    await tab_to(page, "Acknowledge")
    await page.keyboard.press("Enter")
    await expect(page.locator(".said-good")).to_contain_text("Acknowledged")
    assert (await page.request.get(f"{ward.url}/notices/{others}")).status == 404
    assert (await page.request.get(f"{ward.url}/work")).status == 403
    assert visitor.complaints == []
