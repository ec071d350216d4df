"""Live signals are for the house's own operators: a row and an event, so that the console can show who was told."""

from collections.abc import Sequence
from typing import Any

from services.notifications.notices import said
from services.notifications.store import queueing as store
from shared.events import AnyEvent, uuid7
from shared.events.notifications import NotificationDelivered
from shared.events.operations import SignalFact
from shared.postgres import Transaction

OPERATORS = "ops"


async def hear_signals(tx: Transaction, events: Sequence[AnyEvent]) -> None:
    raised = [_row(event) for event in events if isinstance(event.fact, SignalFact) and not event.snapshot]
    if not raised:
        return
    now = await tx.now()
    await store.insert_notices(tx.connection, [_notice(row) for row in raised])
    await store.insert_deliveries(tx.connection, [_delivery(row) for row in raised])
    await tx.publish([said(NotificationDelivered, row, now) for row in raised])


def _row(event: AnyEvent) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "version": 1,
        "event_id": event.id,
        "event_type": event.type,
        "patient_id": event.subject,
        "organisation": OPERATORS,
        "endpoint_id": None,
        "channel": None,
        "encounter_id": None,
        "transition_id": None,
        "bases": ("operations",),
        "status": "delivered",
        "attempts": 0,
        "retracts": (),
        "acknowledged_by": None,
        "acknowledgement": None,
        "asked_at": None,
        "recorded_at": event.recorded,
        "late": False,
        "occurred_at": event.time,
        "correlation_id": event.correlation_id,
        "traceparent": event.traceparent,
    }


def _notice(row: dict[str, Any]) -> tuple[Any, ...]:
    names = ("event_id", "event_type", "patient_id", "encounter_id", "transition_id", "occurred_at", "correlation_id")
    recorded = (row["recorded_at"], row["late"])
    return (*(row[name] for name in names), row["traceparent"], None, None, None, *recorded, None, None)


def _delivery(row: dict[str, Any]) -> tuple[Any, ...]:
    names = ("id", "event_id", "endpoint_id", "organisation", "channel", "patient_id", "encounter_id")
    told = (",".join(row["bases"]), "thin", row["status"], False, None, "", None, row["version"], None, None)
    return (*(row[name] for name in names), *told)
