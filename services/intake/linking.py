"""Links between two patients of a source (A24, A37): said on both keys, nothing is re-keyed."""

from collections.abc import Sequence

from services.intake import solitary_store
from services.intake.arrival import Arrival
from services.intake.chart import ACCEPTED, Chart, Effect, Patient
from services.intake.triggers import LINKS
from shared.events import Draft
from shared.events.encounters import PatientLinked, PatientLinkFact, PatientUnlinked
from shared.postgres import Transaction


async def link(tx: Transaction, chart: Chart, arrival: Arrival, records: Sequence[str]) -> Effect:
    """The latest word on a pair counts, in the order of the messages."""
    adt = arrival.adt
    subjects = list(dict.fromkeys(chart.surviving[record] for record in records))
    if adt is None:
        raise ValueError("the message has nothing to apply")
    effect = Effect(arrival, ACCEPTED, subjects[0])
    patients = []
    for part, record in zip(adt.parts, records, strict=True):
        subject = chart.surviving[record]
        patients.append(chart.patients.setdefault(subject, Patient(subject)))
        effect.drafts += chart.learn(patients[-1], arrival, part, is_retired=record != subject)
    one, other = patients[:2]
    if one.id != other.id:
        is_linked = LINKS[adt.trigger]
        if await solitary_store.link(tx.connection, one.id, other.id, adt.order, is_linked=is_linked):
            fact = PatientLinked if is_linked else PatientUnlinked
            effect.drafts += [_draft(arrival, fact, one, other), _draft(arrival, fact, other, one)]
    return effect


def _draft(arrival: Arrival, fact: type[PatientLinkFact], patient: Patient, other: Patient) -> Draft:
    return Draft(
        fact=fact(patient=patient.summary(), other=other.id),
        subject=patient.id,
        time=arrival.adt.occurred if arrival.adt else arrival.received,
        correlation_id=patient.id,
        causation_id=str(arrival.id),
        version=patient.version,
    )
