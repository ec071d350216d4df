"""Two records are one person: everything of the retired patient is the survivor's."""

from dataclasses import replace

from services.transitions.announcement import Cause
from services.transitions.cases import Cases
from services.transitions.monitoring import store as monitoring
from services.transitions.protocols import Library
from services.transitions.referrals import store as referrals
from services.transitions.store import following
from services.transitions.task import Why
from services.transitions.transition import hear_patient
from shared.events import AnyEvent, Draft, uuid7
from shared.events.encounters import PatientMerged
from shared.events.transitions import TransitionsPatientMerged
from shared.postgres import Transaction


async def take_over(tx: Transaction, library: Library, event: AnyEvent, merged: PatientMerged) -> None:
    """Re-keys rows and records the alias. The retired key's copy says it on both keys; the survivor's copy, which
    comes after, finds nothing left to do but what arrived meanwhile. Stays that now are one person's may be
    readmissions of each other, so the survivor's case is settled anew.
    """
    survivor = (await tx.lock([merged.retired, merged.survivor])).get(merged.survivor, merged.survivor)
    await tx.alias(merged.retired, survivor)
    await following.rekey(tx.connection, merged.retired, survivor)
    await monitoring.rekey(tx.connection, merged.retired, survivor)
    await referrals.rekey(tx.connection, merged.retired, survivor)
    cases = await Cases.load(tx, library, [survivor], since=event.time)
    cases.put(hear_patient(cases.of(survivor), merged.patient), Cause.of(event), Why.PATIENT_MERGED)
    if event.subject == merged.retired:
        cases.drafts[:0] = _said(event, merged.retired, survivor)
    await cases.save(tx)


def _said(event: AnyEvent, retired: str, survivor: str) -> tuple[Draft, Draft]:
    """The merge on both keys: the survivor's copy takes effect only after the retired key's own events did."""
    fact = TransitionsPatientMerged(retired=retired, survivor=survivor)
    first = Draft.answering(event, fact, correlation_id=event.correlation_id)
    on_retired = replace(first, subject=retired)
    return on_retired, replace(first, id=uuid7(), subject=survivor, after=on_retired)
