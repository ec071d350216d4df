from datetime import timedelta
from uuid import UUID

import pytest
import pytest_asyncio

from services.dashboard.projecting import project
from shared.events import AnyEvent, uuid7
from shared.events.people import PersonName
from shared.events.transitions import TaskCompleted, TaskStatus, TransitionStatus
from shared.postgres import Database
from tests.integration.dashboard.told import Story, minute, now, silence
from tests.support.databases import Databases

TABLES = ("stay", "board_transition", "board_task", "plan", "delivery", "event_log", "feed_minute", "signal", "person")


@pytest_asyncio.fixture(loop_scope="session")
async def dashboard(databases: Databases) -> Database:
    return await databases.open("dashboard")


async def take(database: Database, events: list[AnyEvent]) -> None:
    async with database.transaction() as tx:
        await tx.lock([event.subject for event in events])
        await project(tx, events)


async def contents(database: Database) -> dict[str, list[dict[str, object]]]:
    """Every read table, without the time of projecting."""
    return {
        table: [
            {name: value for name, value in row.items() if name != "seen"}
            for row in await database.pool.fetch(f"SELECT * FROM {table} ORDER BY 1, 2")
        ]
        for table in TABLES
    }


def whole_stay(story: Story) -> list[AnyEvent]:
    admitted = story.admitted()
    opened = story.opened(admitted)
    discharged = story.discharged()
    following = story.changed(discharged, TransitionStatus.FOLLOWING)
    call = story.task(discharged, "Call the patient", now() + timedelta(days=2))
    visit = story.task(discharged, "Follow-up visit", now() + timedelta(days=7))
    queued = story.notice(discharged)
    plan = story.plan(following)
    return [admitted, opened, discharged, following, call, visit, queued, story.noticed(queued), plan]


async def test_a_stay_stands_on_the_board_with_its_next_task(dashboard: Database) -> None:
    story = Story()
    await take(dashboard, whole_stay(story))
    card = await dashboard.pool.fetchrow("SELECT * FROM board_transition")
    assert card is not None
    assert (card["status"], card["next_task"], card["open_tasks"]) == ("following", "Call the patient", 2)
    assert card["rank_at"] == card["next_due_at"]
    assert await dashboard.pool.fetchval("SELECT status FROM delivery") == "delivered"
    assert await dashboard.pool.fetchval("SELECT name FROM person") == "Ada Okafor"
    assert await dashboard.pool.fetchval("SELECT content->'goals'->0->>'code' FROM plan") == "weight"


async def test_telling_everything_again_changes_nothing(dashboard: Database) -> None:
    events = whole_stay(Story())
    await take(dashboard, events)
    before = await contents(dashboard)
    await take(dashboard, events)
    assert await contents(dashboard) == before


async def test_no_order_between_topics_is_needed(dashboard: Database) -> None:
    events = whole_stay(Story())
    topics = sorted({event.topic for event in events}, reverse=True)
    for topic in topics:
        await take(dashboard, [event for event in events if event.topic == topic])
    shuffled = await contents(dashboard)
    await dashboard.pool.execute(f"TRUNCATE {', '.join(TABLES)}")
    await take(dashboard, events)
    assert {name: rows for name, rows in (await contents(dashboard)).items() if name != "person"} == {
        name: rows for name, rows in shuffled.items() if name != "person"
    }


async def test_a_completed_task_gives_way_to_the_next(dashboard: Database) -> None:
    story = Story()
    events = whole_stay(story)
    task_id: UUID = events[4].fact.task.id  # type: ignore[attr-defined]
    done = story.task(events[2], "Call the patient", None, TaskCompleted, id=task_id, status=TaskStatus.COMPLETED)
    await take(dashboard, [*events, done])
    card = await dashboard.pool.fetchrow("SELECT * FROM board_transition")
    assert card is not None
    assert (card["next_task"], card["open_tasks"], card["done_tasks"]) == ("Follow-up visit", 1, 1)


async def test_a_merge_moves_everything_and_later_news_follow(dashboard: Database) -> None:
    retired, survivor = Story(family="Oldname"), Story(family="Newname")
    await take(dashboard, [*whole_stay(retired), *whole_stay(survivor)])
    await take(dashboard, retired.merged_into(survivor.patient, uuid7()))
    late = retired.task(retired.opened(retired.admitted()), "Told after the merge", now())
    await take(dashboard, [late])
    for table in ("stay", "board_transition", "plan", "delivery", "person"):
        owners = await dashboard.pool.fetch(f"SELECT DISTINCT patient_id FROM {table}")
        assert [owner[0] for owner in owners] == [survivor.patient_id], table
    assert await dashboard.pool.fetchval("SELECT name FROM person") == "Ada Newname"


@pytest.mark.parametrize("text", ["Okafor", "Ada", "555-0100", "MR"])
async def test_the_event_log_holds_no_name(dashboard: Database, text: str) -> None:
    story = Story()
    await take(dashboard, [*whole_stay(story), minute("north", now(), 12), silence("north")])
    rows = await dashboard.pool.fetch("SELECT event_log::text FROM event_log")
    assert rows
    assert not [row[0] for row in rows if text in row[0]]


async def test_a_corrected_name_is_not_undone_by_older_news(dashboard: Database) -> None:
    story = Story()
    first = story.admitted()
    opened_with_old_name = story.opened(first)
    story.family = "Corrected"
    corrected = story.discharged()
    await take(dashboard, [first, corrected])
    await take(dashboard, [opened_with_old_name])
    assert (
        await dashboard.pool.fetchval("SELECT name FROM person") == PersonName(family="Corrected", given="Ada").display
    )
