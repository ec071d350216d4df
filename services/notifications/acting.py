"""What people and recipients' systems do with a delivery: acknowledge it, have it sent again."""

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from services.notifications.closing import retract_told
from services.notifications.notices import said
from services.notifications.store import queueing, reading
from shared.events.notifications import NotificationAcknowledged, NotificationDelivered, NotificationQueued
from shared.http import Caller, Problem
from shared.postgres import Transaction

if TYPE_CHECKING:
    from services.notifications.store import Record

Wake = Callable[[], None]


async def visible(tx: Transaction, caller: Caller, delivery_id: UUID) -> "Record":
    """The delivery, its patient locked. Raises Problem 404 when there is none that the caller may know of."""
    patient = await reading.patient_of(tx.connection, delivery_id)
    if patient is not None:
        await tx.lock([patient])
    row = await reading.one(tx.connection, delivery_id)
    if row is None or not may_see(caller, row):
        raise no_such_delivery()
    return row


def may_see(caller: Caller, row: "Record") -> bool:
    """Whether a notice of this organisation about this facility's patient is the caller's; one of no facility is not
    for those who are bound to some.
    """
    return caller.acts_for(row["organisation"]) and caller.sees(row["facility"] or "", row["organisation"])


def no_such_delivery() -> Problem:
    return Problem(404, "No such delivery", slug="no-such-delivery")


async def acknowledge(tx: Transaction, caller: Caller, delivery_id: UUID) -> "Record":
    """Idempotent: the first to acknowledge is remembered. Raises Problem 409 for what was never sent."""
    before = await visible(tx, caller, delivery_id)
    if before["acknowledged_at"] is not None:
        return before
    row = await reading.acknowledge(tx.connection, delivery_id, caller.subject) if _was_sent(before) else None
    if row is None:
        raise Problem(409, "It was never sent", slug="never-sent", status_now=before["status"])
    drafts = [said(NotificationAcknowledged, row, row["now"])]
    if before["status"] != "delivered":
        # The answer to our attempt got lost, or is still on its way: the acknowledgement says that it arrived.
        drafts.insert(0, said(NotificationDelivered, row, row["now"], "acknowledged"))
        await queueing.advance(tx.connection, [(row["endpoint_id"], row["patient_id"])])
        drafts += await retract_told(tx, [{**row, "status": "delivered"}])
    await tx.publish(drafts)
    return row


def _was_sent(row: "Record") -> bool:
    return bool(row["attempts"] > 0 or row["status"] == "delivered")


async def redeliver(tx: Transaction, caller: Caller, delivery_id: UUID) -> "Record":
    """The same notice under the same webhook-id, with a new round of attempts."""
    before = await visible(tx, caller, delivery_id)
    row = await reading.redeliver(tx.connection, delivery_id)
    if row is None:
        raise Problem(409, "It can't be sent again", slug="not-redeliverable", status_now=before["status"])
    await tx.publish([said(NotificationQueued, row, row["now"], "redelivered")])
    return row
