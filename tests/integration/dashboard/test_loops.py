"""Referrals, patients watched at home, and a provider's own notices, on the console beside the real services."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from services.transitions.monitoring.rules import read_rules
from shared.events.followups import AppointmentAttended, ObservationRecorded
from shared.http import Role
from tests.integration.dashboard.conftest import Desk
from tests.integration.dashboard.visiting import Visitor
from tests.unit.transitions.referrals_told import CHICAGO, visit
from tests.unit.transitions.stays import follow_up

SIGNALS = read_rules()


async def test_a_loop_is_answered_by_its_performer_and_routed_anew_by_its_requester(desk: Desk) -> None:
    key = await desk.referral()
    path = f"/referrals/{key}"
    ann = Visitor(desk.console, Role.CARE_MANAGER)
    clinic = Visitor(desk.console, Role.PROVIDER, organisation="heart-clinic")
    stranger = Visitor(desk.console, Role.PROVIDER, organisation="skin-clinic")
    assert path in (await clinic.open("/referrals")).text
    assert path not in (await stranger.open("/referrals?show=all")).text
    assert (await stranger.open(path)).status == 404
    page = await clinic.open(path)
    for shown, there in (
        ("Accept", True),
        ("Decline", True),
        ("Entered in error", False),
        ("What closes the loop", True),
    ):
        assert (shown in page.text) is there, shown
    version = await desk.version(key)
    await clinic.send(f"{path}/steps/reject", {"version": version, "words": ""})
    assert clinic.said == ("bad", "Not done yet: say in a few words why.")
    await clinic.send(f"{path}/steps/reject", {"version": version, "words": "no room"})
    assert clinic.said[0] == "good"
    await clinic.send(f"{path}/steps/accept", {"version": version})
    assert "it is rejected" in clinic.said[1]
    assert (await clinic.send(f"{path}/reroute", {"version": "2", "performer": "x"})).status == 403
    assert "Route anew" in (await ann.open(path)).text
    again = {"version": await desk.version(key), "performer": "city-heart", "words": "no room"}
    for _ in range(2):
        await ann.send(f"{path}/reroute", again | {"once": "a-form-sent-twice"})
        assert ann.said[0] == "good", ann.said
    assert await desk.house.count("SELECT count(*) FROM referral") == 2


async def test_a_booking_is_in_the_facilitys_time_and_an_acknowledgement_closes(desk: Desk) -> None:
    key = await desk.referral()
    path = f"/referrals/{key}"
    ann = Visitor(desk.console, Role.CARE_MANAGER)
    for step, form in (
        ("accept", {}),
        ("schedule", {"scheduled": "2099-03-10T09:30"}),
    ):
        await ann.send(f"{path}/steps/{step}", {"version": await desk.version(key), **form})
        assert ann.said[0] == "good", (step, ann.said)
    assert "Tue 10 Mar 2099, 09:30 CDT" in (await ann.open(path)).text
    await ann.send(f"{path}/steps/attend", {"version": await desk.version(key)})
    assert ann.said[0] == "bad"
    assert ann.said[1].startswith("Not done: The appointment is still ahead. Record it once its time has come")
    for step, form in (
        ("schedule", {"scheduled": "2026-03-10T09:30"}),
        ("attend", {}),
        ("result", {"words": "letter came"}),
        ("acknowledge", {}),
    ):
        await ann.send(f"{path}/steps/{step}", {"version": await desk.version(key), **form})
        assert ann.said[0] == "good", (step, ann.said)
    page = (await ann.open(path)).text
    assert "Tue 10 Mar 2026, 09:30 CDT" in page
    assert '<span class="chip chip-closed">closed</span>' in page
    assert (await ann.send(f"{path}/steps/explode", {"version": "1"})).status == 303
    assert ann.said[1].startswith("Not done: There is no such step")


async def test_a_suspected_duplicate_is_decided_by_a_person(desk: Desk) -> None:
    first, second = await desk.referral(), await desk.referral(identifier=None)
    ann = Visitor(desk.console, Role.CARE_MANAGER)
    assert f"/referrals/{second}" in (await ann.open("/referrals?show=held")).text
    page = (await ann.open(f"/referrals/{second}")).text
    assert f'<option value="{first}" selected>' in page
    assert "Accept" not in page
    form = {"version": await desk.version(second), "decision": "link", "existing": str(first)}
    await ann.send(f"/referrals/{second}/duplicate", form)
    assert ann.said == ("bad", "Not done yet: say in a few words why.")
    await ann.send(f"/referrals/{second}/duplicate", form | {"words": "same question"})
    assert ann.said == ("good", "Decided.")
    assert f"/referrals/{second}" not in (await ann.open("/referrals?show=held")).text


async def test_of_two_that_are_held_one_may_give_way_to_the_other_and_never_both(desk: Desk) -> None:
    first, second = await desk.referral(identifier=None), await desk.referral(identifier=None)
    third = await desk.referral(identifier=None)
    ann = Visitor(desk.console, Role.CARE_MANAGER)
    held = (await ann.open("/referrals?show=held")).text
    assert [f"/referrals/{key}" in held for key in (first, second, third)] == [False, True, True]
    for one, other in ((second, third), (third, second)):
        page = (await ann.open(f"/referrals/{one}")).text
        assert f'<option value="{other}"' in page
        assert "held too" in page
    words = {"decision": "link", "words": "same question"}
    await ann.send(
        f"/referrals/{third}/duplicate", {**words, "version": await desk.version(third), "existing": str(second)}
    )
    assert ann.said == ("good", "Decided.")
    form = {**words, "version": await desk.version(second)}
    kept = await ann.send(f"/referrals/{second}/duplicate", {**form, "existing": str(third)})
    assert (kept.status, "the existing one is cancelled itself" in kept.text) == (409, True)
    await ann.send(f"/referrals/{second}/duplicate", {**form, "existing": str(first)})
    assert ann.said == ("good", "Decided.")


async def test_what_matches_nothing_is_listed_for_those_who_care(desk: Desk) -> None:
    await desk.house.hear(visit(AppointmentAttended, (await desk.house.now()).isoformat(), facility=CHICAGO))
    page = await Visitor(desk.console, Role.CARE_MANAGER).open("/referrals/unmatched")
    assert (page.status, "R1" in page.text) == (200, True)
    assert (await Visitor(desk.console, Role.PROVIDER).open("/referrals/unmatched")).status == 403
    for path in ("/referrals", "/monitoring"):
        assert (await Visitor(desk.console, Role.OPS).open(path)).status == 403, path


async def test_a_patient_is_watched_with_own_limits_and_an_alert_is_answered(desk: Desk) -> None:
    await desk.house.discharge_past_due("p1", timedelta(hours=3))
    await desk.follow()
    transition = await desk.house.database.pool.fetchval("SELECT id::text FROM transition")
    path = f"/transitions/{transition}/monitoring"
    ann = Visitor(desk.console, Role.CARE_MANAGER)
    assert "not watched at home" in (await ann.open(path)).text
    await ann.send(path, {})
    assert ann.said == ("bad", "Not done yet: choose at least one signal.")
    await ann.send(path, {"signal": ["oxygen-saturation", "weight"]})
    await ann.send(path, {"signal": ["oxygen-saturation", "weight"], "oxygen-saturation:urgent-below": "91"})
    assert ann.said[0] == "good", ann.said
    now = (await desk.house.now()).isoformat()
    said: dict[str, Any] = {"code": "59408-5", "value": Decimal(90), "unit": "%"}
    await desk.house.hear(follow_up(ObservationRecorded, now, **said))
    page = (await ann.open(path)).text
    for shown in ("urgent below 91", "own limits", 'class="point point-urgent"', 'value="91"', "90 %"):
        assert shown in page, shown
    alert = await desk.house.database.pool.fetchval("SELECT id::text FROM alert")
    listed = (await ann.open("/monitoring")).text
    assert f"/monitoring/alerts/{alert}/acknowledge" in listed
    assert path in (await ann.open("/monitoring?show=watched")).text
    assert (await ann.open("/monitoring?show=doubtful")).status == 200
    auditor = Visitor(desk.console, Role.AUDITOR)
    assert "acknowledge" not in (await auditor.open("/monitoring")).text
    assert (await auditor.send(f"/monitoring/alerts/{alert}/acknowledge", {"words": "x"})).status == 403
    await ann.send(f"/monitoring/alerts/{alert}/acknowledge", {"words": "called her", "transition": transition})
    assert ann.said[0] == "good", ann.said
    assert "No alert waits" in (await ann.open("/monitoring")).text
    await ann.send(f"{path}/stop", {})
    assert "not watched at home" in (await ann.open(path)).text
    assert (await ann.open(f"/transitions/{uuid4()}/monitoring")).status == 404
