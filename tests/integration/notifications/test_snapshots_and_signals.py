"""Deliveries told again for a rebuild, and live signals that reach the operators' feed."""

from datetime import UTC, datetime

from services.notifications.snapshots import tell_deliveries
from shared.events import Topic, uuid7
from shared.events.operations import SignalKind, SignalRaised
from tests.integration.notifications.house import House
from tests.unit.notifications.stories import Stay, event


async def test_every_recent_delivery_is_told_again_and_marked_so(house: House) -> None:
    await house.register("exchange", "http://127.0.0.1:1/")
    await house.hear(*(Stay(f"p{number}").discharged() for number in range(3)))
    async with house.database.transaction() as tx:
        assert await tell_deliveries(tx) == 6
    rows = await house.rows("SELECT headers FROM outbox WHERE type = 'care.notification.snapshot.v1'")
    assert len(rows) == 6
    assert all(b'"ce_snapshot":"true"' in row["headers"] for row in rows)


async def test_a_signal_is_a_row_and_an_event_for_the_operators(house: House) -> None:
    raised = SignalRaised(
        signal_id=uuid7(), kind=SignalKind.SILENT_FEED, scope="feed-a", since=datetime.now(UTC), text="silent"
    )
    signal = event(raised, "feed-a", "feed-a", 1, topic=Topic.SIGNALS)
    await house.hear(signal)
    [row] = await house.rows("SELECT organisation, status, event_id FROM delivery")
    assert row == {"organisation": "ops", "status": "delivered", "event_id": signal.id}
    assert await house.said() == ["delivered"]
