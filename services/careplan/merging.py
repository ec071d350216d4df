"""Two patients are one: their plans stand under the survivor, on the word of transitions."""

from dataclasses import replace

from services.careplan import store
from shared.events import AnyEvent, Draft, uuid7
from shared.events.plans import PlansPatientMerged
from shared.events.transitions import TransitionsPatientMerged
from shared.postgres import Transaction


async def merge_patients(tx: Transaction, event: AnyEvent) -> None:
    """Both copies re-key; the retired key's copy, which comes first, also says so to those who hear plans."""
    fact = event.fact
    assert isinstance(fact, TransitionsPatientMerged)  # noqa: S101  (following.py sends nothing else here)
    survivor = (await tx.lock([fact.retired, fact.survivor]))[fact.survivor]
    await store.rekey(tx.connection, fact.retired, survivor)
    await tx.alias(fact.retired, survivor)
    if event.subject == fact.retired:
        await tx.publish(_said_on_both_keys(event, fact.retired, fact.survivor))


def _said_on_both_keys(event: AnyEvent, retired: str, survivor: str) -> list[Draft]:
    fact = PlansPatientMerged(retired=retired, survivor=survivor)
    first = Draft(
        fact=fact,
        subject=retired,
        time=event.time,
        correlation_id=event.correlation_id,
        causation_id=str(event.id),
        traceparent=event.traceparent,
    )
    return [first, replace(first, id=uuid7(), subject=survivor, after=first)]
