"""Messages past their time go by the day, but never a day on which something is held."""

from datetime import UTC, datetime, timedelta

from services.intake.app import keep_partitions_once
from services.intake.retention import forget_old_messages
from shared.http import verify_audit
from tests.integration.intake.conftest import Intake
from tests.unit.intake.messages import adt


async def _backdate(intake: Intake, control_id: str, day: datetime) -> None:
    """Moves a stored message, with its key, to another day's partition."""
    async with intake.database.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT message_day($1::date)", day.date())
        await connection.execute(
            "WITH moved AS (UPDATE message SET id = overlay(id::text placing left(first_id($2)::text, 13) from 1 for 13)::uuid"
            " WHERE control_id = $1 RETURNING id, control_id)"
            " UPDATE message_key k SET message_id = m.id FROM moved m WHERE k.control_id = m.control_id",
            control_id,
            day,
        )


async def test_old_days_go_and_a_day_with_a_held_message_stays(intake: Intake) -> None:
    sender = await intake.sender()
    now = datetime.now(UTC)
    for control_id, more, age in (("old", {}, 40), ("held", {"visit": "", "admitted": ""}, 41), ("new", {}, 1)):
        await sender.send(adt("A01", control_id=control_id, mrn=control_id, **{"visit": control_id, **more}))
        await _backdate(intake, control_id, now - timedelta(days=age))
    forgotten = await forget_old_messages(intake.database, timedelta(days=30))
    assert ([len(days) for days in (forgotten.dropped, forgotten.kept)]) == [1, 1]
    assert {row["control_id"] for row in await intake.rows("SELECT control_id FROM message")} == {"held", "new"}
    assert {row["control_id"] for row in await intake.rows("SELECT control_id FROM message_key")} == {"held", "new"}
    [line] = await intake.rows("SELECT actor, action, outcome FROM audit")
    assert line == {"actor": "intake", "action": "message.retention", "outcome": "1 messages dropped"}
    async with intake.database.pool.acquire() as connection:
        assert (await verify_audit(connection)).first_bad is None
    assert await sender.send(adt("A01", control_id="old", mrn="old", visit="old")) == "AA"
    assert len(await intake.event_types()) == 2


async def test_the_day_is_dropped_once_the_held_message_is_decided(intake: Intake) -> None:
    await (await intake.sender()).send(adt("A01", control_id="held", visit="", admitted=""))
    await _backdate(intake, "held", datetime.now(UTC) - timedelta(days=50))
    assert (await forget_old_messages(intake.database, timedelta(days=30))).dropped == []
    await intake.rows("UPDATE message SET outcome = 'skipped'")
    await keep_partitions_once(intake.database, timedelta(days=30))
    assert await intake.log() == []
