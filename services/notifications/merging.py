"""Two records are one person (A40): every row of the retired patient goes to the survivor, and both keys are told."""

from collections.abc import Sequence

from services.notifications.store import queueing as store
from shared.events import AnyEvent, Draft, Event
from shared.events.encounters import PatientMerged
from shared.events.notifications import NotificationsPatientMerged
from shared.postgres import Transaction


async def merge_patients(tx: Transaction, events: Sequence[Event[PatientMerged]]) -> None:
    """Of merges that no patient stands in two of. On the retired key's copy: re-key and say so on both keys. On the
    survivor's copy: the same, silently.
    """
    merged = {event.fact.retired: event.fact.survivor for event in events}
    await store.rekey(tx.connection, merged)
    await tx.aliases(merged)
    told = (merged_said(event, event.fact) for event in events if event.subject == event.fact.retired)
    await tx.publish([draft for drafts in told for draft in drafts])


def merged_said(event: AnyEvent, fact: PatientMerged) -> list[Draft]:
    """The retired key's copy closes that key; the survivor's copy takes effect only after it."""
    said = NotificationsPatientMerged(retired=fact.retired, survivor=fact.survivor)
    retired = Draft(
        fact=said,
        subject=fact.retired,
        time=event.time,
        correlation_id=event.correlation_id,
        causation_id=str(event.id),
        traceparent=event.traceparent,
    )
    survivor = Draft(
        fact=said,
        subject=fact.survivor,
        time=event.time,
        correlation_id=event.correlation_id,
        causation_id=str(event.id),
        traceparent=event.traceparent,
        after=retired,
    )
    return [retired, survivor]
