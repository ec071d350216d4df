"""The page "Files": a file goes through the console to intake, and its page tells how far it is and what had no effect."""

from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio

from services.dashboard.forms import csrf_of
from services.dashboard.peers import Peers
from services.dashboard.session import SESSION_COOKIE
from services.intake.feeds import Feed, Feeds, Sender
from services.intake.files_api import files_router
from services.intake.incoming_files import IncomingFiles
from services.intake.receiving import Reception
from services.intake.sealing import Seal
from shared.events.people import Facility
from shared.http import Role
from tests.integration.dashboard.conftest import Console
from tests.integration.http.running import Answer, service
from tests.support.databases import Databases
from tests.support.story import running, until
from tests.unit.intake.messages import adt, specimen

SEAL = Seal(b"k" * 32)
FEEDS = Feeds(
    feeds=(Feed(name="new", senders=(Sender(facility="GENHOSP"),), facility=Facility(code="GENHOSP", time_zone="UTC")),)
)
DAY = b"".join(adt("A08", control_id=str(n), mrn=f"M{n}", visit=f"V{n}") for n in range(9)) + specimen("a01-no-pid")


@pytest_asyncio.fixture(loop_scope="session")
async def connected(console: Console, databases: Databases) -> AsyncIterator[Console]:
    """The console beside intake's real files, which are read as they come."""
    database = await databases.open("intake")
    reception = Reception(database, SEAL)
    files = IncomingFiles(database, FEEDS, reception, SEAL)
    async with (
        running(reception.run, files.run),
        service(console.tokens, [files_router(database, FEEDS, files)], database=database) as intake,
    ):
        shared = console.service.app.state.console
        shared.peers = Peers({**shared.peers.addresses, "intake": intake.url}, shared.http)
        yield console


async def ask(console: Console, method: str, path: str, role: Role, content: bytes | None = None) -> Answer:
    token = console.tokens.of(role)
    headers = {"accept": "text/html", "cookie": f"{SESSION_COOKIE}={token}", "sec-fetch-site": "same-origin"}
    if content is None:
        return await console.client.ask(method, path, headers=headers)
    form = aiohttp.FormData({"csrf": csrf_of(token), "feed": ""}, quote_fields=False)
    form.add_field("file", content, filename="day 1.hl7")
    return await console.client.ask(method, path, headers=headers, data=form)


async def test_a_file_is_handed_in_and_its_page_tells_what_became_of_it(connected: Console) -> None:
    kept = await ask(connected, "POST", "/files", Role.INTEGRATION, DAY)
    assert kept.status == 303, kept.text
    path = kept.headers["location"]

    async def is_read() -> bool:
        return "10 of 10 read" in (await ask(connected, "GET", path, Role.OPS)).text

    await until(is_read, "the file is read", 60)
    shown = (await ask(connected, "GET", path, Role.OPS)).text
    for text in ("day 1.hl7", "missing-patient", "PID^1", "Accepted", "done"):
        assert text in shown, text
    assert "MRN" not in shown
    listed = (await ask(connected, "GET", "/files", Role.INTEGRATION)).text
    assert path in listed


async def test_what_intake_refuses_is_said(connected: Console) -> None:
    empty = await ask(connected, "POST", "/files", Role.INTEGRATION, b"")
    assert (empty.status, empty.headers["location"]) == (303, "/files")
    assert (await ask(connected, "POST", "/files", Role.OPS, DAY)).status == 403
    assert (await ask(connected, "GET", "/files", Role.CARE_MANAGER)).status == 403
