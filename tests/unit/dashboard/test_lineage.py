from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.dashboard.lineage import Cause, chain, node_json, timeline, tree
from shared.events import uuid7

START = datetime(2026, 3, 6, 18, 0, tzinfo=UTC)


def row(
    kind: str, cause: object, *, source: str = "transitions", after: float = 0, sequence: int = 1
) -> dict[str, Any]:
    at = START + timedelta(seconds=after)
    return {
        "event_id": uuid7(),
        "type": f"care.{kind}.v1",
        "source": source,
        "causation": str(cause),
        "sequence": sequence,
        "flags": [],
        "summary": "",
        "occurred": at,
        "recorded": at,
        "seen": at,
    }


MESSAGE: UUID = uuid7()
DISCHARGED = row("encounter.discharged", MESSAGE, source="intake")
FOLLOWING = row("transition.changed", DISCHARGED["event_id"], after=1)
CALL = row("task.created", DISCHARGED["event_id"], after=1, sequence=2)
ESCALATED = row("task.escalated", "timer:task-1", after=9)
PLAN = row("plan.activated", FOLLOWING["event_id"], source="careplan", after=1)


def test_a_cause_on_the_page_is_named_and_linked() -> None:
    entries = {entry.title: entry for entry in timeline([DISCHARGED, FOLLOWING, ESCALATED])}
    assert entries["Transition changed"].cause.words == "Encounter discharged (intake)"
    assert entries["Transition changed"].cause.href == f"/events/{DISCHARGED['event_id']}"
    assert entries["Encounter discharged"].cause.href == f"/messages/{MESSAGE}"
    assert entries["Task escalated"].cause == Cause("its clock", None)


def test_a_cause_elsewhere_is_still_linked() -> None:
    (entry,) = timeline([CALL])
    assert (entry.cause.words, entry.cause.href) == ("an earlier event", f"/events/{DISCHARGED['event_id']}")


def test_what_one_moment_recorded_stands_above_its_cause() -> None:
    titles = [entry.title for entry in timeline([DISCHARGED, PLAN, FOLLOWING, CALL])]
    assert titles == ["Plan activated", "Task created", "Transition changed", "Encounter discharged"]


def test_the_tree_hangs_effects_under_their_causes() -> None:
    top = tree([DISCHARGED, FOLLOWING, CALL, PLAN], str(MESSAGE))
    assert [node.entry.title for node in top] == ["Encounter discharged"]
    assert [node.entry.title for node in top[0].effects] == ["Transition changed", "Task created"]
    said = node_json(top[0])
    assert said["effects"][0]["effects"][0]["type"] == "care.plan.activated.v1"


def test_the_way_back_ends_at_the_message() -> None:
    entries, origin = chain([PLAN, FOLLOWING, DISCHARGED])
    assert [entry.title for entry in entries] == ["Plan activated", "Transition changed", "Encounter discharged"]
    assert origin is not None
    assert origin.href == f"/messages/{MESSAGE}"
    assert chain([]) == ([], None)


def test_a_ring_of_causes_ends() -> None:
    one, other = row("task.created", ""), row("task.changed", "")
    one["causation"], other["causation"] = str(other["event_id"]), str(one["event_id"])
    assert len(timeline([one, other])) == 2
