"""Tells the recent and the open deliveries again, for readers that rebuild; nothing happened."""

from services.notifications.notices import delivery_said
from services.notifications.store import reading
from shared.events import Draft
from shared.events.notifications import NotificationSnapshot
from shared.postgres import Transaction

PAGE = 500


async def tell_deliveries(tx: Transaction) -> int:
    """Publishes a snapshot of each delivery that is open, failed, or younger than 14 days; answers how many."""
    now = await tx.now()
    told, after = 0, 0
    while rows := await reading.told_again(tx.connection, after, PAGE):
        survivors = await tx.lock({row["patient_id"] for row in rows})
        drafts = [
            Draft(
                fact=NotificationSnapshot(delivery=delivery_said(row, row["at"]), reason=row["reason"]),
                subject=survivors[row["patient_id"]],
                time=now,
                correlation_id=row["correlation_id"],
                causation_id="snapshot",
                version=row["version"],
                snapshot=True,
            )
            for row in rows
        ]
        await tx.publish(drafts)
        told += len(drafts)
        after = rows[-1]["position"]
    return told
