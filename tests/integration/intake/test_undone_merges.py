"""A merge that is undone: everything is whose it is where that merge was never said, and whoever listens knows it."""

import os
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.intake.identity.splitting import split
from services.intake.sealing import Seal
from tests.integration.intake.conftest import KEY, Intake
from tests.integration.intake.test_moves_converge import MARKS, chart, tell, whose
from tests.support.histories import History, merging_histories
from tests.unit.intake.messages import adt

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "8"))
JOIN = """
SELECT j.id FROM identity_join j JOIN identifier i ON i.patient_id = j.retired
WHERE i.value = $1 AND j.undone_at IS NULL
"""
SAID = "SELECT subject, type, value FROM outbox WHERE topic = 'care.encounters.v1' ORDER BY id"
OWNERS = "SELECT id::text AS id, patient_id FROM encounter"


@settings(max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=merging_histories(6), pick=st.integers(0, 59), shuffled=st.sampled_from(("in order", "shuffled")))
async def test_undoing_a_merge_ends_as_if_it_had_not_been_said(
    intake: Intake, history: History, pick: int, shuffled: str
) -> None:
    sender = intake.first_sender or await intake.sender()
    joined, apart = (f"x{next(MARKS):04d}x" for _ in range(2))
    first, second = history.hospital(joined), history.hospital(apart)
    place, retired = first.merges[pick % len(first.merges)]
    await tell(intake, sender, first.told if shuffled == "in order" else history.shuffled(first.told))
    await undo(intake, f"P{retired}{joined}")
    await tell(intake, sender, [])
    await tell(intake, sender, [message for number, message in enumerate(second.told) if number != place])
    found, expected = await chart(intake, joined), await chart(intake, apart)
    owners = {visit: [one for one in numbers if one] for visit, numbers in whose(found).items()}
    assert owners == whose(expected)
    named = {number for numbers, _ in expected["people"] for number in numbers}
    people = [sorted(named & {*numbers}) for numbers, _ in found["people"]]
    assert [numbers for numbers in people if numbers] == [numbers for numbers, _ in expected["people"]]
    await hear(intake)


async def test_what_came_under_the_retired_number_does_not_take_the_survivors_stay_along(intake: Intake) -> None:
    sender = await intake.sender()
    opened = adt("A01", control_id="1", mrn="S", visit="VS", recorded="20260302090000")
    merge = adt("A40", control_id="2", mrn="S", retired="R", recorded="20260302100000")
    amended = adt("A08", control_id="3", mrn="R", visit="VS", recorded="20260302110000")
    its_own = adt("A01", control_id="4", mrn="R", visit="VR", recorded="20260302120000")
    await tell(intake, sender, [opened, merge, amended, its_own])
    assert await intake.rows("SELECT count(DISTINCT patient_id) AS owners FROM encounter") == [{"owners": 1}]
    await undo(intake, "R")
    stays = await intake.rows("""
        SELECT e.value, array_agg(i.value) AS owner FROM encounter e
        JOIN patient_key k ON coalesce(k.survivor, k.id) = e.patient_id JOIN identifier i ON i.patient_id = k.id
        GROUP BY e.value ORDER BY 1""")
    assert stays == [{"value": "VR", "owner": ["R"]}, {"value": "VS", "owner": ["S"]}]
    await hear(intake)


async def undo(intake: Intake, number: str) -> None:
    [join] = await intake.rows(JOIN, number)
    async with intake.database.transaction() as tx:
        await split(tx, intake.feeds, Seal(KEY), join["id"], None, by="ops", reason="two people")


async def hear(intake: Intake) -> None:
    """Whose each stay is to somebody who knows nothing but what was said."""
    heard: dict[str, str] = {}
    for row in await intake.rows(SAID):
        event: dict[str, Any] = orjson.loads(row["value"])
        if row["type"] == "care.patient.merged.v1":
            heard = {stay: event["survivor"] if who == event["retired"] else who for stay, who in heard.items()}
        elif "encounter" in event:
            heard[event["encounter"]["id"]] = row["subject"]
    owners = {row["id"]: row["patient_id"] for row in await intake.rows(OWNERS)}
    assert {stay: owners[stay] for stay in heard} == heard
