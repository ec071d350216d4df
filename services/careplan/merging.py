"""Two patients are one: their plans stand under the survivor, on the word of transitions."""

from collections.abc import Sequence
from dataclasses import replace

from services.careplan import store
from shared.events import AnyEvent, Draft, Event, uuid7
from shared.events.plans import PlansPatientMerged
from shared.events.transitions import TransitionsPatientMerged
from shared.postgres import Transaction


async def merge_patients(tx: Transaction, events: Sequence[Event[TransitionsPatientMerged]]) -> None:
    """Of merges that no patient stands in two of. Both copies re-key; the retired key's copy, which comes first, also
    says so to those who hear plans.
    """
    who = await tx.lock({patient for event in events for patient in event.fact.concerns()})
    merged = {event.fact.retired: who[event.fact.survivor] for event in events}
    await store.rekey(tx.connection, merged)
    await tx.aliases(merged)
    told = (_said_on_both_keys(event, event.fact.survivor) for event in events if event.subject == event.fact.retired)
    await tx.publish([draft for drafts in told for draft in drafts])


def _said_on_both_keys(event: AnyEvent, survivor: str) -> list[Draft]:
    retired = event.subject
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
