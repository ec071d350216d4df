"""Moves (A43, A44, A45) and account numbers (A41, A49). A move re-parents stays; whose they were lives on.

A move concerns what was there when it was said, whatever came first (`tracing`). It is remembered: stays of which is
told only later follow it then, see `releasing`.
"""

from collections.abc import Sequence

from services.intake import move_store, settling, solitary_store
from services.intake.announcing import Cause
from services.intake.arrival import Arrival
from services.intake.chart import ACCEPTED, Chart, Effect, Patient, Stay
from services.intake.message import AdtMessage, Outcome, Reason, Verdict
from services.intake.settling import Settled
from shared.postgres import Transaction

OF_ANOTHER = Verdict(Outcome.HELD, reason=Reason.VISIT_OF_ANOTHER_PATIENT)


async def move(tx: Transaction, chart: Chart, arrival: Arrival, adt: AdtMessage, records: Sequence[str]) -> Effect:
    """All stays of MRG-1 (A43), those of its account MRG-3 (A44), or its visit MRG-5 (A45) become PID-3's.

    `records`: the target's, then the source's; one alone where only the account's number changes.
    """
    target, source = records[0], records[-1]
    said = move_store.move_in(arrival.id, adt, source, target)
    await move_store.remember(tx.connection, said)
    stands = await settling.locked(tx, said)
    effect = Effect(arrival, ACCEPTED, chart.surviving[target])
    cause = Cause(str(arrival.id), adt.occurred, late=False)
    disputed = await _disputed(tx, arrival, adt, stands, {chart.surviving[target], chart.surviving[source]})
    if disputed:
        effect.verdict, effect.encounter_id = OF_ANOTHER, disputed.identity.id
    else:
        patient = chart.patients.setdefault(chart.surviving[target], Patient(chart.surviving[target]))
        effect.drafts += chart.learn(patient, arrival, adt, is_retired=False)
    effect.drafts += await settling.settle(tx, stands, chart.patients, cause)
    return effect


async def change_account(
    tx: Transaction, chart: Chart, arrival: Arrival, adt: AdtMessage, records: Sequence[str]
) -> Effect:
    """What was of account MRG-3 is of account PID-18 (A41, A49)."""
    return await move(tx, chart, arrival, adt, records[:1])


async def _disputed(
    tx: Transaction, arrival: Arrival, adt: AdtMessage, stands: Sequence[Settled], named: set[str]
) -> Stay | None:
    """The visit of an A45 where it is neither of the two patients': which of the three, only the sender can tell."""
    visit = adt.former.visit if adt.former and adt.trigger == "A45" else None
    stay = await solitary_store.stay_now(tx.connection, visit) if visit else None
    if stay is None or stay.patient_id in named:
        return None
    stands_so = next((each for each in stands if each.stay.identity.id == stay.identity.id), None)
    return None if stands_so and (arrival.id in stands_so.followed or stands_so.owner in named) else stay
