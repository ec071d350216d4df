"""A merge (A40): two records are one person. The retired one redirects to the survivor for ever after."""

from collections.abc import Sequence
from datetime import datetime

from services.intake import family_store, move_store, standing_store, store
from services.intake.arrival import Arrival
from services.intake.chart import ACCEPTED, Chart, Effect, Patient
from services.intake.identity.joins import Basis, Joining, note_join
from services.intake.message import AdtMessage, Outcome, Reason, Verdict
from services.intake.patient import Merge, judge_merge
from shared.events import Draft
from shared.events.encounters import PatientMerged
from shared.postgres import Transaction

CYCLE = Verdict(Outcome.HELD, reason=Reason.MERGE_CYCLE)


async def merge(tx: Transaction, chart: Chart, arrival: Arrival, adt: AdtMessage, records: Sequence[str]) -> Effect:
    """Applies a merge of two locked records: the survivor's, then the retired one's. The survivor's demographics are
    those of the message.
    """
    survivor_record, retired_record = records
    survivor, retired = chart.surviving[survivor_record], chart.surviving[retired_record]
    asked = judge_merge(retired_record, survivor_record, chart.surviving)
    if asked is Merge.CYCLE:
        return Effect(arrival, CYCLE, survivor)
    if retired_record != survivor_record:
        # Said of these two records, then; what stands for them now may be others, merged later.
        await family_store.say_same(tx.connection, arrival.id, retired_record, survivor_record, adt.order)
    effect = Effect(arrival, ACCEPTED, survivor)
    patient = chart.patients.setdefault(survivor, Patient(survivor))
    before = patient.record
    if survivor_record == survivor:
        patient.learn(adt.order, adt.demographics)
    if asked is Merge.ALREADY_DONE:
        await move_store.look_again(tx.connection, [survivor])
    if asked is Merge.NEW:
        if former := chart.patients.get(retired):
            patient.inherit(former.record)
        joining = Joining(retired, survivor, Basis.MERGE, before, message_id=arrival.id)
        effect.drafts += await join(tx, joining, patient, adt.occurred, str(arrival.id))
        # The same message may go on to merge the survivor into another one.
        chart.surviving.update({one: survivor for one, now in chart.surviving.items() if now == retired})
    return effect


async def join(
    tx: Transaction, joining: Joining, patient: Patient, time: datetime, causation_id: str
) -> tuple[Draft, Draft]:
    """The retired record's stays are the survivor's, and it redirects; both must be locked. Answers what to say."""
    await note_join(tx.connection, joining)
    await store.reparent(tx.connection, joining.retired, joining.survivor)
    await standing_store.reparent(tx.connection, joining.retired, joining.survivor)
    await tx.alias(joining.retired, joining.survivor)
    await move_store.look_again(tx.connection, [joining.survivor])
    return _drafts(patient, joining.retired, time, causation_id)


def _drafts(patient: Patient, retired: str, time: datetime, causation_id: str) -> tuple[Draft, Draft]:
    """Said on both keys; the survivor's copy takes effect after the retired one's."""
    fact = PatientMerged(patient=patient.summary(), retired=retired, survivor=patient.id)
    closing = Draft(
        fact=fact,
        subject=retired,
        time=time,
        correlation_id=patient.id,
        causation_id=causation_id,
        version=patient.version,
    )
    joining = Draft(
        fact=fact,
        subject=patient.id,
        time=time,
        correlation_id=patient.id,
        causation_id=causation_id,
        version=patient.version,
        after=closing,
    )
    return closing, joining
