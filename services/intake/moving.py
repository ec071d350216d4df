"""Moves (A43, A44, A45) and account numbers (A41, A49). A move re-parents stays; whose they were lives on.

A move concerns what was there when it was said. It is remembered: stays of which is told only later follow it then, see
`releasing`.
"""

from collections.abc import Sequence

from services.intake import describing, move_store, solitary_store
from services.intake.announcing import Cause
from services.intake.arrival import Arrival
from services.intake.chart import ACCEPTED, Chart, Effect, Patient, Stay, tell_change
from services.intake.message import AdtMessage, Outcome, Reason, Verdict
from services.intake.triggers import MOVES
from shared.events import Draft
from shared.events.encounters import EncounterMoved
from shared.postgres import Transaction

OF_ANOTHER = Verdict(Outcome.HELD, reason=Reason.VISIT_OF_ANOTHER_PATIENT)


async def move(tx: Transaction, chart: Chart, arrival: Arrival, adt: AdtMessage, records: Sequence[str]) -> Effect:
    """All stays of MRG-1 (A43), those of its account MRG-3 (A44), or its visit MRG-5 (A45) become PID-3's."""
    target, source = (chart.surviving[record] for record in records)
    effect = Effect(arrival, ACCEPTED, target)
    if source != target:
        await move_store.remember(tx.connection, arrival.id, adt, records[1], records[0])
    stays = await _stays(tx, adt, source)
    if disputed := next((stay for stay in stays if stay.patient_id not in {target, source}), None):
        return Effect(arrival, OF_ANOTHER, target, disputed.identity.id)
    stays = [stay for stay in stays if concerns(adt, stay)]
    patient = _learn(chart, arrival, adt, effect, target)
    moved = [stay for stay in stays if stay.patient_id == source != target]
    for stay in stays:
        stay.patient_id = target
        chart.stays[stay.identity.visit] = stay
        changed = _take(arrival, adt, stay)
        if stay in moved:
            effect.drafts.append(_moved(arrival, adt, stay, patient, source, changed))
    if moved:
        await solitary_store.give(tx.connection, moved, target)
    return effect


async def change_account(
    tx: Transaction, chart: Chart, arrival: Arrival, adt: AdtMessage, records: Sequence[str]
) -> Effect:
    """What was of account MRG-3 is of account PID-18 (A41, A49)."""
    patient_id = chart.surviving[records[0]]
    effect = Effect(arrival, ACCEPTED, patient_id)
    patient = _learn(chart, arrival, adt, effect, patient_id)
    account = adt.former.account if adt.former else None
    await move_store.remember(tx.connection, arrival.id, adt, records[0], records[0])
    for stay in await solitary_store.stays_of(tx.connection, patient_id, account):
        if not concerns(adt, stay):
            continue
        before = stay.state
        chart.stays[stay.identity.visit] = stay
        _take(arrival, adt, stay)
        cause = Cause(str(arrival.id), adt.occurred, late=False)
        effect.drafts += tell_change(stay, patient, cause, before, is_new=False)
    return effect


async def _stays(tx: Transaction, adt: AdtMessage, source: str) -> list[Stay]:
    former = adt.former
    if former and former.visit and adt.trigger == "A45":
        stay = await solitary_store.stay_by(tx.connection, former.visit)
        return [stay] if stay else []
    account = former.account if former and adt.trigger == "A44" else None
    return await solitary_store.stays_of(tx.connection, source, account)


def concerns(adt: AdtMessage, stay: Stay) -> bool:
    """Whether a move was said after the stay, all of whose facts are loaded, came to its patient: with its last move,
    else when it was opened. What is said once more has been followed.
    """
    if adt.fact is None:
        return False
    told = [fact.order for fact in stay.older]
    moved = [fact.order for fact in stay.older if fact.trigger in MOVES and adt.trigger in MOVES]
    since = max(moved) if moved else min(told, default=None)
    return adt.fact.order not in told and (since is None or adt.fact.order > since)


def _learn(chart: Chart, arrival: Arrival, adt: AdtMessage, effect: Effect, patient_id: str) -> Patient:
    patient = chart.patients.setdefault(patient_id, Patient(patient_id))
    effect.drafts += chart.learn(patient, arrival, adt, is_retired=False)
    return patient


def _take(arrival: Arrival, adt: AdtMessage, stay: Stay) -> tuple[str, ...]:
    """Adds the message to the stay's facts; answers the fields that differ now."""
    before = stay.state
    if adt.fact:
        stay.take(arrival.id, adt.fact)
    return describing.differences(before, stay.state)


def _moved(
    arrival: Arrival, adt: AdtMessage, stay: Stay, patient: Patient, source: str, changed: tuple[str, ...]
) -> Draft:
    encounter = describing.describe(stay.identity, stay.version, stay.state, patient.summary())
    return Draft(
        fact=EncounterMoved(encounter=encounter, from_patient=source, changed=changed),
        subject=patient.id,
        time=adt.occurred,
        correlation_id=str(stay.identity.id),
        causation_id=str(arrival.id),
        version=stay.version,
    )
