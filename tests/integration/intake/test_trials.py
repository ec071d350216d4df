"""Trials over real HTTP: progress and a report come back, and nothing is left behind."""

from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest
import pytest_asyncio

from services.intake.trial.api import LINES, trials_router
from shared.http import Role
from tests.integration.http.running import Answer, Client, issuing, service
from tests.integration.intake.conftest import Intake
from tests.unit.intake.messages import adt

NEW = "feeds: [{ name: new, facility: { code: X, time_zone: America/Denver }, classes: { INP: I } }]"
DAY = b"".join(adt("A08", control_id=str(n), patient_class="INP", facility="NEWHOSP") for n in range(45))


@pytest_asyncio.fixture(loop_scope="session")
async def client(intake: Intake, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    async with (
        issuing(tmp_path_factory.mktemp("issuer")) as (_, tokens),
        service(tokens, [trials_router(intake.feeds)], database=intake.database) as running,
    ):
        yield running


async def check(client: Client, path: str, content: bytes, configuration: str | None = None) -> Answer:
    form = aiohttp.FormData()
    form.add_field("file", content, filename="day.hl7")
    if configuration is not None:
        form.add_field("configuration", configuration)
    return await client.ask("POST", path, Role.INTEGRATION, data=form)


async def test_a_report_comes_back_and_nothing_is_left_behind(client: Client, intake: Intake) -> None:
    said = await client.ask("POST", "/trials/general-hospital", Role.INTEGRATION, data=adt("A01") + adt("A03"))
    assert (said.status, said.body["messages"], said.body["encounters"]) == (200, 2, 1)
    assert "MRN001" not in said.text
    for table in ("message", "patient", "encounter", "outbox", "unknown_code"):
        assert await intake.rows(f"SELECT 1 FROM {table}") == [], table


async def test_a_new_feed_is_tried_until_its_configuration_fits(client: Client) -> None:
    first = await check(client, "/trials/new", DAY)
    assert first.body["score"]["coded"] < 100
    assert "classes: {INP: I}" in [one["put"] for one in first.body["advice"]]
    second = await check(client, "/trials/new", DAY, NEW)
    assert (second.body["score"]["coded"], second.body["unknown"]) == (100, [])
    wrong = await check(client, "/trials/new", DAY, NEW.replace("INP: I", "INP: X"))
    assert (wrong.status, wrong.body["problems"][0]["key"]) == (422, "classes.INP")
    missing = await check(client, "/trials/other", DAY, NEW)
    assert (missing.status, missing.body["type"]) == (422, "urn:handoff:problem:feeds-file-refused")


async def test_progress_is_told_while_it_runs(client: Client) -> None:
    headers = {"accept": LINES}
    said = await client.ask("POST", "/trials/new", Role.INTEGRATION, data=DAY, headers=headers)
    lines = [orjson.loads(line) for line in said.text.splitlines()]
    assert [line["done"] for line in lines[:-1]] == [0, 20, 40, 45]
    assert lines[-1]["report"]["messages"] == 45


async def test_what_is_no_file_of_messages_is_refused(client: Client) -> None:
    empty = await client.ask("POST", "/trials/new", Role.INTEGRATION, data=b"nothing here")
    assert (empty.status, empty.body["type"]) == (422, "urn:handoff:problem:no-message")
    with aiohttp.MultipartWriter("form-data") as form:
        form.append(NEW).set_content_disposition("form-data", name="configuration")
    no_file = await client.ask("POST", "/trials/new", Role.INTEGRATION, data=form)
    assert no_file.status == 422
    assert (await client.ask("POST", "/trials/new", Role.OPS, data=DAY)).status == 403
