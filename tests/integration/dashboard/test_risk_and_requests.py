"""Risk on the board, the worklist and its own page; a referral asked for from a page, once and not quietly twice."""

from datetime import timedelta
from typing import Any

from shared.http import Role
from tests.integration.dashboard.conftest import Desk
from tests.integration.dashboard.visiting import Visitor, field_of
from tests.unit.transitions.stays import StayTold

HEART_FAILURE = ("I50.9", "J44.9")


async def went_home(desk: Desk, patient: str, *, emergency: bool, days: int) -> str:
    """The transition of a stay of so many days that ended three hours ago."""
    stay = StayTold(patient=patient, diagnoses=HEART_FAILURE if emergency else ())
    stay.state |= {"admission_type": "E" if emergency else "L"}
    left = await desk.house.now() - timedelta(hours=3)
    await desk.house.hear(stay.admit((left - timedelta(days=days)).isoformat()), stay.discharge(left.isoformat()))
    await desk.follow()
    query = "SELECT id::text FROM transition WHERE patient_id = $1"
    found: str = await desk.house.database.pool.fetchval(query, patient)
    return found


async def test_a_score_stands_on_board_worklist_and_timeline_and_opens_its_inputs(desk: Desk) -> None:
    high = await went_home(desk, "p1", emergency=True, days=8)
    low = await went_home(desk, "p2", emergency=False, days=1)
    ann = Visitor(desk.console, Role.CARE_MANAGER)
    board = (await ann.open("/")).text
    assert 'class="chip chip-bad" title="Risk of coming back, LACE 2010: 13 points, high"' in board
    narrowed = (await ann.open("/?high_risk=true")).text
    assert (f"/transitions/{high}" in narrowed, f"/transitions/{low}" in narrowed) == (True, False)
    work = await ann.open("/work?view=high-risk")
    assert (f'href="/transitions/{high}/risk"' in work.text, f"/transitions/{low}" in work.text) == (True, False)
    assert "LACE 13 high" in work.text
    assert "LACE 2010: 13 high" in (await Visitor(desk.console, Role.OPS).open(f"/transitions/{high}")).text
    page = (await ann.open(f"/transitions/{high}/risk")).text
    for shown in (
        "HOSPITAL",
        "2016",
        "provisional",
        "length of stay <b>5</b>",
        "sodium <b>missing</b>",
        "I50.9, J44.9",
    ):
        assert shown in page, shown
    auditor = (await Visitor(desk.console, Role.AUDITOR).open(f"/transitions/{high}/risk")).text
    assert ("Computed from" in auditor, "Compute anew" in auditor) == (True, False)
    assert (await Visitor(desk.console, Role.OPS).open(f"/transitions/{high}/risk")).status == 403


async def test_what_no_message_said_is_added_and_computed_anew(desk: Desk) -> None:
    path = f"/transitions/{await went_home(desk, 'p1', emergency=True, days=8)}/risk"
    ann = Visitor(desk.console, Role.CARE_MANAGER)
    await ann.send(path, {"haemoglobin": " ", "acute": ""})
    assert ann.said == ("bad", "Not done yet: say at least one of them.")
    kept = await ann.send(path, {"haemoglobin": "11,2", "sodium": "low"})
    assert (kept.status, field_of(kept, "haemoglobin"), "sodium is no number" in kept.text) == (422, ["11,2"], True)
    await ann.send(path, {"haemoglobin": "11,2", "sodium": "131", "procedure": "yes", "oncology": "no"})
    assert ann.said == ("good", "Added, and computed anew.")
    page = (await ann.open(path)).text
    for shown in ("sodium <b>1</b>", "haemoglobin <b>1</b>", "procedure <b>1</b>", "<dd>131</dd>"):
        assert shown in page, shown


async def test_referrals_wait_among_the_tasks(desk: Desk) -> None:
    await desk.house.discharge_past_due("p1", timedelta(hours=3))
    key = await desk.referral()
    await desk.follow()
    page = await Visitor(desk.console, Role.CARE_MANAGER).open("/work?view=all")
    assert f'href="/referrals/{key}"' in page.text
    for shown in ("Referral: Cardiology", "waits for an answer to the request"):
        assert shown in page.text, shown
    assert len(field_of(page, "task")) == await desk.house.count("SELECT count(*) FROM task WHERE status = 'requested'")


async def test_a_referral_is_asked_for_once_and_a_second_one_is_decided_by_a_person(desk: Desk) -> None:
    transition = await went_home(desk, "p1", emergency=True, days=2)
    path = f"/transitions/{transition}/referrals"
    ann = Visitor(desk.console, Role.CARE_MANAGER)
    page = await ann.open(path)
    assert (page.status, path in (await ann.open(f"/transitions/{transition}")).text) == (200, True)
    kept = await ann.send(path, {"service": "Cardiology", "reason": "dyspnoea on exertion"})
    assert (kept.status, field_of(kept, "reason")) == (422, ["dyspnoea on exertion"])
    form = {"service": "Cardiology", "performer": "heart-clinic", "priority": "urgent", "once": "asked-here"}
    for _ in range(2):
        first = await ann.send(path, form)
        assert ann.said == ("good", "Asked. Its clock runs.")
    assert await desk.house.count("SELECT count(*) FROM referral") == 1
    second = await ann.send(path, form | {"once": "asked-again", "performer": "city-heart"})
    assert ann.said[0] == "warn"
    there = location(second)
    decide = (await ann.open(there)).text
    for shown in ("suspected duplicate", "The other one", f'<option value="{location(first)[-36:]}" selected>'):
        assert shown in decide, shown
    repeat = {"once": "a-third", "repeat_reason": "the first clinic has closed", "performer": "far-heart"}
    await ann.send(path, form | repeat)
    assert ann.said[0] == "good"
    assert "far-heart" in (await ann.open(path)).text
    for role in (Role.AUDITOR, Role.PROVIDER, Role.OPS):
        assert (await Visitor(desk.console, role).open(path)).status == 403, role


def location(answer: Any) -> str:
    found: str = answer.headers["location"]
    return found
