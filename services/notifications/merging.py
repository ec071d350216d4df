"""Two records are one person (A40): every row of the retired patient goes to the survivor, and both keys are told."""

from services.notifications.store import queueing as store
from shared.events import AnyEvent, Draft
from shared.events.encounters import PatientMerged
from shared.events.notifications import NotificationsPatientMerged
from shared.postgres import Transaction


def is_merge(event: AnyEvent) -> bool:
    return isinstance(event.fact, PatientMerged)


async def merge_patient(tx: Transaction, event: AnyEvent) -> None:
    """On the retired key's copy: re-key and say so on both keys. On the survivor's copy: the same, silently."""
    fact = event.fact
    assert isinstance(fact, PatientMerged)  # noqa: S101  (`is_merge` was asked)
    await store.rekey(tx.connection, fact.retired, fact.survivor)
    await tx.alias(fact.retired, fact.survivor)
    if event.subject == fact.retired:
        await tx.publish(merged_said(event, fact))


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
