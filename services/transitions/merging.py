"""Two records are one person: everything of the retired patient is the survivor's."""

from collections.abc import Sequence
from dataclasses import replace

from services.transitions.announcement import Cause
from services.transitions.cases import Cases
from services.transitions.monitoring import store as monitoring
from services.transitions.protocols import Library
from services.transitions.referrals import store as referrals
from services.transitions.store import following
from services.transitions.task import Why
from services.transitions.transition import hear_patient
from shared.events import AnyEvent, Draft, Event, uuid7
from shared.events.encounters import PatientMerged
from shared.events.transitions import TransitionsPatientMerged
from shared.postgres import Transaction


async def take_over(tx: Transaction, library: Library, events: Sequence[Event[PatientMerged]]) -> None:
    """Re-keys rows and records the aliases, of merges that no patient stands in two of. The retired key's copy says it
    on both keys; the survivor's copy, which comes after, finds nothing left to do but what arrived meanwhile. Stays
    that now are one person's may be readmissions of each other, so the survivor's case is settled anew.
    """
    who = await tx.lock({patient for event in events for patient in event.fact.concerns()})
    merged = {event.fact.retired: who[event.fact.survivor] for event in events}
    await tx.aliases(merged)
    for store in (following, monitoring, referrals):
        await store.rekey(tx.connection, merged)
    cases = await Cases.load(tx, library, set(merged.values()), since=min(event.time for event in events))
    for event in events:
        retired, survivor = event.fact.retired, merged[event.fact.retired]
        if event.subject == retired:
            cases.drafts.extend(_said(event, retired, survivor))
        cases.put(hear_patient(cases.of(survivor), event.fact.patient), Cause.of(event), Why.PATIENT_MERGED)
    await cases.save(tx)


def _said(event: AnyEvent, retired: str, survivor: str) -> tuple[Draft, Draft]:
    """The merge on both keys: the survivor's copy takes effect only after the retired key's own events did."""
    fact = TransitionsPatientMerged(retired=retired, survivor=survivor)
    first = Draft.answering(event, fact, correlation_id=event.correlation_id)
    on_retired = replace(first, subject=retired)
    return on_retired, replace(first, id=uuid7(), subject=survivor, after=on_retired)
