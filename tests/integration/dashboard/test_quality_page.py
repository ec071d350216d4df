"""The page of quality beside a real transitions service: figures, a chart, the patients behind them, sheets."""

import csv
import io
from collections.abc import AsyncIterator

import pytest_asyncio

from services.transitions.quality.api import quality_router
from services.transitions.quality.counter import Counter
from services.transitions.quality.measures import read_measures
from shared.http import Role
from tests.integration.dashboard.conftest import Console
from tests.integration.dashboard.test_pages import page
from tests.integration.http.running import Client, Tokens, service
from tests.integration.transitions.house import House
from tests.support.databases import Databases
from tests.unit.transitions.stays import StayTold, contact

MEASURES = read_measures()
YEAR = "since=2026-01&until=2026-12"


@pytest_asyncio.fixture(loop_scope="session")
async def transitions(databases: Databases, tokens: Tokens, console: Console) -> AsyncIterator[Client]:
    """Two patients who went home, one of them reached; counted, and asked by the console."""
    house = await House.open(databases)
    for patient in ("patient-one", "patient-two"):
        stay = StayTold(patient=patient)
        stay.state["patient"] = stay.summary(birth_date="1950-02-14")
        await house.hear(stay.admit("2026-03-02 10:00-06:00"), stay.discharge("2026-03-06 15:00-06:00"))
    await house.hear(contact("2026-03-09 10:00-05:00", patient="patient-one"))
    await Counter(house.database, MEASURES, share=1.0).count_all()
    async with service(tokens, [quality_router(house.database, MEASURES)], database=house.database) as served:
        console.service.app.state.console.peers.addresses["transitions"] = served.url
        yield served


async def test_figures_charts_patients_and_sheets(console: Console, transitions: Client) -> None:
    shown = await page(console, f"/quality?{YEAR}", Role.OPS)
    assert shown.status == 200
    for one in MEASURES.by_id.values():
        assert one.title in shown.text
    assert "50 %" in shown.text
    assert 'class="bar-taken"' in shown.text
    assert f"/quality/TRC-3?{YEAR}" in shown.text.replace("&amp;", "&")

    missed = await page(console, f"/quality/TRC-3?{YEAR}", Role.CARE_MANAGER)
    assert "Patient …nt-two" in missed.text
    assert "nothing that counts is known" in missed.text
    assert "nt-one" not in missed.text
    met = await page(console, f"/quality/TRC-3?{YEAR}&status=met", Role.AUDITOR)
    assert "Patient …nt-one" in met.text
    ops = await page(console, f"/quality/TRC-3?{YEAR}", Role.OPS)
    assert "Who they are is for care managers and auditors." in ops.text
    assert "nt-two" not in ops.text
    assert "Whether the patient was enrolled" in ops.text

    compared = await page(console, f"/quality/PCR?{YEAR}", Role.OPS)
    assert "Observed to expected 0.00 (0 to 0.1)" in compared.text
    assert "hospital-2016-classes 2026.1: Donze" in compared.text
    sheet = await page(console, f"/quality/figures.csv?{YEAR}", Role.OPS)
    months = {line["measure"]: line["month"] for line in csv.DictReader(io.StringIO(sheet.text))}
    assert months["TRC-3"] == "2026-03"
    people = await page(console, f"/quality/TRC-3/patients.csv?{YEAR}&status=met", Role.CARE_MANAGER)
    assert [line["patient_id"] for line in csv.DictReader(io.StringIO(people.text))] == ["patient-one"]
    assert (await page(console, f"/quality/TRC-3/patients.csv?{YEAR}", Role.OPS)).status == 403
    report = await page(console, f"/quality/TRC-3/report?{YEAR}", Role.AUDITOR)
    assert (report.status, report.body["resourceType"]) == (200, "MeasureReport")
    assert (await page(console, "/quality/NONE", Role.CARE_MANAGER)).status == 404
    wrong = await page(console, "/quality?since=2026-99", Role.CARE_MANAGER)
    assert "The figures cannot be told now" in wrong.text


async def test_without_transitions_the_page_says_so(console: Console) -> None:
    shown = await page(console, "/quality", Role.CARE_MANAGER)
    assert shown.status == 200
    assert "The figures cannot be told now" in shown.text
