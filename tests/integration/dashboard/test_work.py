"""The worklists and the acts on tasks, on the console beside a real transitions service."""

from datetime import timedelta
from uuid import uuid4

import pytest

from shared.http import Role
from tests.integration.dashboard.conftest import Desk
from tests.integration.dashboard.visiting import Visitor, field_of


async def test_each_view_lists_its_tasks_page_by_page(desk: Desk) -> None:
    for n in range(3):
        await desk.house.discharge_past_due(f"p{n}", timedelta(days=5))
    await desk.house.timekeeper().work_off()
    await desk.follow()
    ann = Visitor(desk.console, Role.CARE_MANAGER)
    assert len(field_of(await ann.open("/work"), "task")) == 3
    for view, found in (("overdue", 6), ("escalated", 6), ("unassigned", 12), ("mine", 0), ("all", 12)):
        page = await ann.open(f"/work?view={view}")
        assert (page.status, len(field_of(page, "task"))) == (200, found), view
        assert f'href="/work?view={view}" aria-current="page"' in page.text
    assert (await ann.open("/work?view=my-role&role=pharmacist")).status == 200
    assert (await ann.open("/work?view=whatever")).status == 404
    assert (await ann.open("/work?view=all&after=nonsense")).status == 422
    lost = await ann.open("/work?view=my-organisation")
    assert (lost.status, "not signed in for an organisation" in lost.text) == (200, True)
    own = await Visitor(desk.console, Role.CARE_MANAGER, care_roles=["ward", "pcp"]).open("/work")
    assert ("what is for the roles pcp, ward" in own.text, len(field_of(own, "task"))) == (True, 6)
    nobody = await Visitor(desk.console, Role.CARE_MANAGER, care_roles=["unheard-of"]).open("/work")
    assert (nobody.status, "not signed in for a role that has tasks" in nobody.text) == (200, True)
    for role in (Role.OPS, Role.AUDITOR, Role.PROVIDER, Role.INTEGRATION):
        assert (await Visitor(desk.console, role).open("/work")).status == 403


async def test_many_are_looked_at_before_they_are_done(desk: Desk) -> None:
    for n in range(3):
        await desk.house.discharge_past_due(f"p{n}", timedelta(hours=3))
    await desk.follow()
    ann = Visitor(desk.console, Role.CARE_MANAGER)
    marks = field_of(await ann.open("/work"), "task")
    form = {"action": "snooze", "task": [*marks, f"{uuid4()}:1"], "hours": "24", "view": "my-role"}
    await ann.send("/work/preview", form)
    assert ann.said == ("bad", "Not done yet: say in a few words why.")
    look = await ann.send("/work/preview", form | {"words": "back on Monday"})
    assert (look.status, "Snooze: 3 of 4 tasks" in look.text, "not there any more" in look.text) == (200, True, True)
    assert field_of(look, "task") == form["task"]
    resting = "SELECT count(*) FROM task WHERE body ->> 'rests_until' IS NOT NULL"
    assert await desk.house.count(resting) == 0
    once = field_of(look, "once")[0]
    for _ in range(2):
        await ann.send("/work/many", form | {"words": "back on Monday", "once": once})
        assert ann.said[0] == "warn"
        assert ann.said[1].startswith("Done: 3. Refused: 1 (not there any more")
    assert await desk.house.count(resting) == 3
    assert await desk.house.count("SELECT count(*) FROM task_comment") == 3
    await ann.send("/work/many", {"action": "claim", "view": "overdue"})
    assert ann.said == ("bad", "Not done yet: choose tasks first.")


@pytest.mark.parametrize("role", [Role.OPS, Role.AUDITOR, Role.PROVIDER])
async def test_only_who_cares_acts(desk: Desk, role: Role) -> None:
    visitor = Visitor(desk.console, role)
    for path in ("/work/preview", "/work/many", f"/transitions/{uuid4()}/tasks/{uuid4()}/waive"):
        assert (await visitor.send(path, {"action": "claim", "version": "1"})).status == 403, path


async def test_every_act_on_a_task_from_its_transitions_page(desk: Desk) -> None:
    await desk.house.discharge_past_due("p1", timedelta(days=5))
    await desk.house.timekeeper().work_off()
    await desk.follow()
    transition, task, version = await desk.call()
    ann = Visitor(desk.console, Role.CARE_MANAGER)
    page = await ann.open(f"/transitions/{transition}")
    for shown in ("Acknowledge: ", "Escalate now: ", "Waive: ", "Snooze: ", "Record teach-back"):
        assert shown in page.text, shown
    act = f"/transitions/{transition}/tasks/{task}"
    # A form opened before the ladder told anything is as good as a new one.
    await ann.send(f"{act}/acknowledge", {"version": "1"})
    assert ann.said[0] == "good"
    await ann.send(f"{act}/comment", {"version": str(version + 1), "words": "the daughter has the phone"})
    assert ann.said[0] == "good"
    await ann.send(f"{act}/reassign", {"version": str(version + 1), "owner": "bea", "role": "nurse"})
    assert ann.said[0] == "good"
    await ann.send(f"{act}/claim", {"version": str(version + 1)})
    assert ann.said == (
        "bad",
        "Not done, somebody changed this meanwhile: bea has claimed it. What you see now is how it stands.",
    )
    await ann.send(f"{act}/waive", {"version": str(version + 2), "words": " "})
    assert ann.said == ("bad", "Not done yet: say in a few words why.")
    await desk.follow()
    page = await ann.open(f"/transitions/{transition}")
    for shown in ("the daughter has the phone", "rests until", "acknowledged by", "bea"):
        assert shown in page.text, shown
    assert (
        "the daughter has the phone"
        not in (await Visitor(desk.console, Role.OPS).open(f"/transitions/{transition}")).text
    )
    await ann.send(f"{act}/complete", {"version": str(version + 2), "words": "spoke with her"})
    assert ann.said[0] == "good"
    assert (await ann.send(f"{act}/explode", {"version": "1"})).status == 404


async def test_what_was_done_is_recorded_and_what_is_missing_is_asked_for(desk: Desk) -> None:
    await desk.house.discharge_past_due("p1", timedelta(hours=3))
    await desk.follow()
    transition, _, _ = await desk.call()
    ann = Visitor(desk.console, Role.CARE_MANAGER)
    record = f"/transitions/{transition}/record"
    await ann.send(f"{record}/teach-back", {"topic": "", "result": "understood"})
    assert ann.said == ("bad", "Not done yet: say what was taught.")
    for kind, form in (
        ("teach-back", {"topic": "weighing daily", "result": "understood", "with_whom": "caregiver"}),
        ("handoff", {"received_by": "night nurse", "synthesis": "all five parts", "illness_severity": "watcher"}),
        ("medication-reconciliation", {"by_role": "pharmacist"}),
        ("contacts", {"kind": "made", "channel": "phone", "with_whom": "patient"}),
    ):
        await ann.send(f"{record}/{kind}", form)
        assert ann.said[0] == "good", (kind, ann.said)
    assert (await desk.house.tasks())["interactive-contact"][0] == "completed"
    assert (await ann.send(f"{record}/anything", {})).status in {303, 404}
