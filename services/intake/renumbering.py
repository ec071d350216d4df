"""Visit numbers (A42, A50): a visit goes on under another number; what still comes under the old one is its own."""

from collections.abc import Sequence
from dataclasses import replace

from services.intake import describing, move_store, solitary_store, store
from services.intake.announcing import Cause
from services.intake.arrival import Arrival
from services.intake.chart import ACCEPTED, Chart, Effect, Patient, Stay, tell_change
from services.intake.describing import StayIdentity
from services.intake.encounter import EMPTY, EncounterState
from services.intake.lifecycle import fold
from services.intake.message import AdtMessage, Outcome, Reason, StayFact, Verdict
from shared.events import Draft, uuid7
from shared.events.encounters import EncounterDeleted
from shared.events.people import EncounterStatus, Identifier
from shared.postgres import Transaction

OF_ANOTHER = Verdict(Outcome.HELD, reason=Reason.VISIT_OF_ANOTHER_PATIENT)
CYCLE = Verdict(Outcome.HELD, reason=Reason.MERGE_CYCLE)


def is_needed(chart: Chart) -> bool:
    """Whether a visit was loaded under an old number."""
    return any(stay.state.merged_into for stay in chart.stays.values())


async def follow(tx: Transaction, chart: Chart) -> None:
    """Puts the visit that goes on in the place of each that was loaded under an old number. Usually nothing to do."""
    for visit, stay in list(chart.stays.items()):
        now = stay.state.merged_into
        if now is None:
            continue
        del chart.stays[visit]
        for _ in range(solitary_store.LONGEST_CHAIN):
            chart.renamed[visit] = now
            found = chart.stays.get(now) or await solitary_store.stay_by(tx.connection, now)
            if found is None or found.state.merged_into is None:
                break
            now = found.state.merged_into
        if found:
            found.older.clear()  # loaded again only where a fact came late
            chart.stays.setdefault(now, found)


async def renumber(tx: Transaction, chart: Chart, arrival: Arrival, adt: AdtMessage, records: Sequence[str]) -> Effect:
    """MRG-5 is PV1-19: renames the stay, or joins two records of one visit. Said twice, it changes nothing."""
    patient_id = chart.surviving[records[0]]
    old, new = adt.former.visit if adt.former else None, chart.visit_of(adt)
    if arrival.feed is None or old is None or new is None or adt.fact is None:
        raise ValueError("the message has no visits to apply")
    if new == old:
        return Effect(arrival, CYCLE if adt.visit != old else ACCEPTED, patient_id)
    former, survivor, disputed = await _stays(tx, chart, patient_id, (old, new))
    effect = Effect(arrival, ACCEPTED, patient_id)
    if former and former.state.merged_into:
        return effect
    if disputed:
        return Effect(arrival, OF_ANOTHER, patient_id, disputed.identity.id)
    patient = chart.patients.setdefault(patient_id, Patient(patient_id))
    effect.drafts += chart.learn(patient, arrival, adt, is_retired=False)
    chart.stays.pop(new, None)
    said = replace(adt.fact, record=records[0])
    if former is None:
        former = Stay(StayIdentity(uuid7(), old, arrival.feed.name, arrival.feed.facility), patient_id)
        if survivor is None:
            # Nothing is known of the visit yet but its number: what is said of it here must not be lost.
            survivor = Stay(StayIdentity(uuid7(), new, arrival.feed.name, arrival.feed.facility), patient_id)
            survivor.take(arrival.id, said)
            _retire(former, arrival, said, new)
            chart.stays |= {new: survivor, old: former}
            effect.encounter_id = survivor.identity.id
            return effect
    elif survivor is None:
        survivor, former = (
            await _rename(tx, former, new),
            Stay(StayIdentity(uuid7(), old, former.identity.feed, former.identity.facility), former.patient_id),
        )
    effect.encounter_id = survivor.identity.id
    chart.stays[new] = survivor
    whose = await _patient_of(tx, chart, survivor, patient)
    effect.drafts += await _join(tx, arrival, (adt, said), whose, former, survivor)
    _retire(former, arrival, said, new)
    chart.stays[old] = former
    return effect


async def _stays(
    tx: Transaction, chart: Chart, patient_id: str, visits: tuple[Identifier, Identifier]
) -> tuple[Stay | None, Stay | None, Stay | None]:
    """What is under the two numbers, and what of it is another patient's: neither the one who is named, nor one to whom
    moves took it.
    """
    former, survivor = [await solitary_store.stay_by(tx.connection, visit) for visit in visits]
    others = {one.patient_id for one in (former, survivor) if one and one.patient_id != patient_id}
    if not others:
        return former, survivor, None
    chart.surviving.update(await tx.lock(others))
    ways = await move_store.ways(tx.connection, [patient_id])
    former, survivor = [await solitary_store.stay_by(tx.connection, visit) for visit in visits]
    allowed = {patient_id, *(owner for owner in others if (patient_id, owner) in ways)}
    disputed = next((one for one in (former, survivor) if one and one.patient_id not in allowed), None)
    return former, survivor, disputed


async def _patient_of(tx: Transaction, chart: Chart, stay: Stay, named: Patient) -> Patient:
    """Whose the visit is: of them it is told, whoever was named."""
    if stay.patient_id == named.id:
        return named
    if stay.patient_id not in chart.patients:
        chart.patients |= await store.load_patients(tx.connection, [stay.patient_id])
    return chart.patients.setdefault(stay.patient_id, Patient(stay.patient_id))


async def _rename(tx: Transaction, stay: Stay, visit: Identifier) -> Stay:
    """The stay keeps its id: nobody who heard of it must learn another one."""
    await solitary_store.renumber(tx.connection, stay.identity.id, visit)
    kept = stay.identity
    stay.identity = StayIdentity(kept.id, visit, kept.feed, kept.facility)
    return stay


async def _join(
    tx: Transaction, arrival: Arrival, told: tuple[AdtMessage, StayFact], patient: Patient, former: Stay, survivor: Stay
) -> list[Draft]:
    """All that was said of either was said of the survivor; what was told of the former one is taken back."""
    (adt, fact), before = told, survivor.state
    await solitary_store.join(tx.connection, former.identity.id, survivor.identity.id)
    survivor.fresh.append((arrival.id, fact))
    survivor.older += former.older
    survivor.state = fold([*survivor.older, fact])
    survivor.version += 1
    cause = Cause(str(arrival.id), adt.occurred, late=False)
    taken_back = [_deleted(arrival, adt, patient, former, survivor)] if former.version else []
    return [*taken_back, *tell_change(survivor, patient, cause, before, is_new=False)]


def _deleted(arrival: Arrival, adt: AdtMessage, patient: Patient, former: Stay, survivor: Stay) -> Draft:
    state = former.state.but(status=EncounterStatus.ENTERED_IN_ERROR)
    return Draft(
        fact=EncounterDeleted(
            encounter=describing.describe(former.identity, former.version + 1, state, patient.summary()),
            retracts=tuple(one.event_id for one in reversed(former.announced)),
            merged_into=survivor.identity.id,
        ),
        subject=patient.id,
        time=adt.occurred,
        correlation_id=str(former.identity.id),
        causation_id=str(arrival.id),
        version=former.version + 1,
    )


def _retire(former: Stay, arrival: Arrival, fact: StayFact, into: Identifier) -> None:
    """What is left under the old number: where it goes on."""
    former.state = _redirect(into, fact)
    former.announced = ()
    former.version += 1
    former.fresh.append((arrival.id, fact))


def _redirect(into: Identifier, fact: StayFact) -> EncounterState:
    return EMPTY.but(status=EncounterStatus.ENTERED_IN_ERROR, merged_into=into, watermark=fact.order)
