"""The page "Connect a feed": a file goes up, progress and the report come back, nobody else gets in."""

from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest_asyncio

from services.dashboard.forms import csrf_of
from services.dashboard.peers import Peers
from services.dashboard.session import SESSION_COOKIE
from services.intake.feeds import Feeds
from services.intake.trial.api import trials_router
from shared.http import Role
from tests.integration.dashboard.conftest import Console
from tests.integration.http.running import Answer, service
from tests.unit.intake.messages import adt

LINES = "application/x-ndjson"
DAY = b"".join(adt("A08", control_id=str(n), patient_class="INP", facility="NEWHOSP") for n in range(30))


@pytest_asyncio.fixture(loop_scope="session")
async def connected(console: Console) -> AsyncIterator[Console]:
    """The console beside an intake's real trials."""
    async with service(console.tokens, [trials_router(Feeds())]) as intake:
        shared = console.service.app.state.console
        shared.peers = Peers({**shared.peers.addresses, "intake": intake.url}, shared.http)
        yield console


async def upload(console: Console, content: bytes, accept: str = "text/html", **fields: str) -> Answer:
    token = console.tokens.of(Role.INTEGRATION)
    form = aiohttp.FormData({"csrf": csrf_of(token), "feed": "new", **fields})
    form.add_field("file", content, filename="day.hl7")
    headers = {"accept": accept, "cookie": f"{SESSION_COOKIE}={token}", "sec-fetch-site": "same-origin"}
    return await console.client.ask("POST", "/connect", headers=headers, data=form)


async def test_a_file_goes_up_and_the_report_comes_back(connected: Console) -> None:
    said = await upload(connected, DAY)
    assert said.status == 200
    for shown in ("of 100", "PV1-2", "classes: {INP: I}", "What would be created", "time_zone: "):
        assert shown in said.text, shown
    for secret in ("Testa", "MRN001", "V1001"):
        assert secret not in said.text


async def test_progress_is_told_line_by_line(connected: Console) -> None:
    said = await upload(connected, DAY, LINES)
    *steps, last = [orjson.loads(line) for line in said.text.splitlines()]
    assert [step["done"] for step in steps] == [0, 20, 30]
    assert "of 100" in last["html"]
    assert "INP: I" in last["configuration"]


async def test_what_is_wrong_is_said_on_the_page(connected: Console) -> None:
    broken = await upload(connected, DAY, configuration="feeds: [{ name: new }]")
    assert (broken.status, "facility" in broken.text) == (422, True)
    told = await upload(connected, b"nothing here", LINES)
    assert "no message" in orjson.loads(told.text)["mistake"]


async def test_the_page_is_for_integration(console: Console) -> None:
    for role, status in ((Role.INTEGRATION, 200), (Role.ADMIN, 200), (Role.CARE_MANAGER, 403)):
        cookie = f"{SESSION_COOKIE}={console.tokens.of(role)}"
        said = await console.client.ask("GET", "/connect", headers={"accept": "text/html", "cookie": cookie})
        assert said.status == status, role
