"""Feeds while intake runs: the file changes, breaks and is put right; unknown codes are counted."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.intake.feed_book import FeedBook, Reloaded
from services.intake.feed_file import read_feeds_file
from services.intake.feeds_api import feeds_router
from services.intake.unknown_store import keep_unknown_codes
from shared.http import Role
from tests.integration.http.running import Client, issuing, service
from tests.integration.intake.conftest import Intake, StartIntake, until
from tests.support.story import running
from tests.unit.intake.messages import adt

NORTH = """
feeds:
  - name: north
    senders: [{ facility: GENHOSP }]
    facility: { code: GENHOSP, time_zone: America/Chicago }
"""
BROKEN = NORTH + "    dispositions: { HOSP: 99 }\n"
MAPPED = NORTH + "    classes: { INP: I }\n    dispositions: { HOSP: 50 }\n"


@pytest.fixture
def book(tmp_path: Path) -> FeedBook:
    file = tmp_path / "feeds.yaml"
    file.write_text(NORTH)
    return FeedBook(file, read_feeds_file(file))


@pytest_asyncio.fixture(loop_scope="session")
async def intake(start_intake: StartIntake, book: FeedBook) -> AsyncIterator[Intake]:
    yield await start_intake(book)


@pytest_asyncio.fixture(loop_scope="session")
async def client(intake: Intake, book: FeedBook, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    async with (
        issuing(tmp_path_factory.mktemp("issuer")) as (_, tokens),
        service(tokens, [feeds_router(intake.database, book)], database=intake.database) as answering,
    ):
        yield answering


async def test_a_changed_file_takes_over_and_a_broken_one_is_refused(book: FeedBook, tmp_path: Path) -> None:
    file = tmp_path / "feeds.yaml"
    before = book.feeds[0]
    async with running(book.watch):
        file.write_text(BROKEN)
        await until(lambda: _is(book, Reloaded.REFUSED))
        assert [str(problem) for problem in book.last.problems] == [
            "feed north: dispositions.HOSP: is no code of NUBC FL17, such as 01, 03 or 20"
        ]
        assert book.feeds[0] is before
        file.write_text(MAPPED)
        await until(lambda: _is(book, Reloaded.TAKEN))
        assert book.feeds[0].dispositions == {"HOSP": "50"}
        known = book.feeds[0]
        file.write_text(MAPPED + "\n# nothing else\n")
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: _is(book, Reloaded.UNCHANGED))
        assert book.feeds[0] is known
        file.unlink()
        await until(lambda: _is(book, Reloaded.REFUSED))
        assert "can't be read" in str(book.last.problems[0])


async def _is(book: FeedBook, outcome: Reloaded) -> bool:
    return book.last.outcome is outcome


async def test_the_file_is_read_again_when_told_to(client: Client, book: FeedBook, tmp_path: Path) -> None:
    (tmp_path / "feeds.yaml").write_text(BROKEN)
    refused = await client.ask("POST", "/feeds/reload", Role.INTEGRATION)
    assert (refused.status, refused.body["type"]) == (422, "urn:handoff:problem:feeds-file-refused")
    assert refused.body["problems"][0]["feed"] == "north"
    assert refused.body["problems"][0]["key"] == "dispositions.HOSP"
    shown = (await client.ask("GET", "/feeds", Role.OPS)).body["file"]
    assert (shown["outcome"], len(shown["problems"]), shown["feeds"]) == ("refused", 1, 1)
    (tmp_path / "feeds.yaml").write_text(MAPPED)
    assert (await client.ask("POST", "/feeds/reload", Role.OPS)).body["outcome"] == "taken"
    assert (await client.ask("POST", "/feeds/reload", Role.CARE_MANAGER)).status == 403


async def test_unknown_codes_are_counted_and_no_message_is_refused(
    client: Client, intake: Intake, book: FeedBook
) -> None:
    sender = await intake.sender()
    assert await sender.send(adt("A01", control_id="1", patient_class="INP")) == "AA"
    assert await sender.send(adt("A08", control_id="2", patient_class="INP", recorded="20260302091900")) == "AA"
    assert await sender.send(adt("A03", control_id="3", disposition="HOSP", recorded="20260306150000")) == "AA"

    async def counted() -> bool:
        return len((await client.ask("GET", "/feeds/north/unknown-codes", Role.OPS)).body["items"]) == 2

    async with running(lambda: keep_unknown_codes(intake.database, book.unknown)):
        await until(counted)
    items = (await client.ask("GET", "/feeds/north/unknown-codes", Role.INTEGRATION)).body["items"]
    assert [(item["field"], item["code"], item["count"]) for item in items] == [
        ("PV1-2", "INP", 2),
        ("PV1-36", "HOSP", 1),
    ]
    assert (await client.ask("GET", "/feeds", Role.OPS)).body["items"][0]["unknown_codes"] == 3
    understood = {"field": "PV1-2", "code": "INP"}
    done = await client.ask("POST", "/feeds/north/unknown-codes/forget", Role.OPS, json=understood)
    assert done.body == {"forgotten": True}
    assert [message[1] for message in await intake.log()] == ["accepted"] * 3


async def test_a_feed_that_nobody_has_heard_of_is_not_found(client: Client, intake: Intake) -> None:
    assert (await client.ask("GET", "/feeds/north/unknown-codes", Role.OPS)).body == {"items": []}
    missing = await client.ask("GET", "/feeds/nroth/unknown-codes", Role.OPS)
    assert (missing.status, missing.body["type"]) == (404, "urn:handoff:problem:unknown-feed")
    await (await intake.sender()).send(adt("A01", facility="NOWHERE"))
    assert (await client.ask("GET", "/feeds/default/unknown-codes", Role.OPS)).status == 200


async def test_feeds_are_listed_with_what_they_sent(client: Client, intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(adt("A01"))
    await sender.send(adt("A01", facility="NOWHERE"))
    feeds = {feed["feed"]: feed for feed in (await client.ask("GET", "/feeds", Role.OPS)).body["items"]}
    assert set(feeds) == {"default", "north"}
    assert (feeds["default"]["is_configured"], feeds["default"]["accepted"]) == (False, 1)
    assert (feeds["north"]["accepted"], feeds["north"]["longest_silence_s"]) == (1, None)
