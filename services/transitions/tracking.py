"""Following patients through what is heard: encounters, and the deeds that show tasks done. One transaction each."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeGuard

from services.transitions.announcement import Cause
from services.transitions.cases import Cases
from services.transitions.evidence import evidence_in
from services.transitions.merging import take_over
from services.transitions.protocols import Library
from services.transitions.transition import hear, hear_patient
from shared.events import AnyEvent, Event, Topic
from shared.events.encounters import EncounterFact, PatientMerged, PatientUnmerged, PatientUpdated
from shared.kafka import staged
from shared.postgres import Transaction


async def track_encounters(tx: Transaction, library: Library, events: Sequence[AnyEvent]) -> None:
    """Takes a batch of encounter events into effect; the batch is in order per patient and its patients are locked."""
    for stage in staged([event for event in events if not event.snapshot], PatientMerged):
        if stage.merges:
            await take_over(tx, library, stage.merges)
        if stage.others:
            await _track(tx, library, stage.others)


async def _track(tx: Transaction, library: Library, events: Sequence[AnyEvent]) -> None:
    survivors = await tx.lock({who for event in events for who in (event.subject, *event.fact.concerns())})
    encounters = {event.fact.encounter.id for event in events if isinstance(event.fact, EncounterFact)}
    since = min(_times(event) for event in events)
    cases = await Cases.load(tx, library, set(survivors.values()), encounters, since=since)
    for event in events:
        _follow(cases, library, event, survivors[event.subject])
    await cases.save(tx)


def _follow(cases: Cases, library: Library, event: AnyEvent, patient_id: str) -> None:
    cause = Cause.of(event)
    _note_visit(cases, library, event, patient_id, cause)
    if isinstance(event.fact, PatientUpdated | PatientUnmerged):
        cases.put(hear_patient(cases.of(patient_id), event.fact.patient), cause)
    elif is_of_encounter(event):
        _follow_encounter(cases, library, event, patient_id, cause)


def _follow_encounter(
    cases: Cases, library: Library, event: Event[EncounterFact], patient_id: str, cause: Cause
) -> None:
    key = event.fact.encounter.id
    before = cases.find(key)
    after = hear(before, event, patient_id, library.edition)
    if after is None or after is before:
        return
    if after.is_same_but_version(before) and after.transition.patient.id == patient_id:
        cases.note_version(after)
        return
    cases.bring(key, patient_id, cause)
    case = cases.of(patient_id)
    told = replace(case, followed={**case.followed, key: after})
    cases.put(hear_patient(told, event.fact.encounter.patient), cause)


def _note_visit(cases: Cases, library: Library, event: AnyEvent, patient_id: str, cause: Cause) -> None:
    """An encounter may be what another one's task waits for: an outpatient visit shows that the patient was seen."""
    found = evidence_in(event, patient_id) if library.waits_for(event.fact) else None
    if found is not None:
        cases.put(cases.add_evidence(found), cause)


async def weigh_evidence(tx: Transaction, library: Library, events: Sequence[AnyEvent]) -> None:
    """Keeps the deeds that some protocol waits for, and completes what they show done."""
    heard = [event for event in events if not event.snapshot and not _took_effect(tx, event)]
    asked = [event for event in heard if library.waits_for(event.fact)]
    if not asked:
        return
    survivors = await tx.lock({event.subject for event in asked})
    since = min(event.time for event in asked)
    cases = await Cases.load(tx, library, set(survivors.values()), since=since)
    for event in asked:
        found = evidence_in(event, survivors[event.subject])
        if found is not None:
            cases.put(cases.add_evidence(found), Cause.of(event))
    await cases.save(tx)


def _took_effect(tx: Transaction, event: AnyEvent) -> bool:
    """Own followups are evidence when recorded; what this service says of referrals counts when it is heard."""
    return event.source == tx.service and event.topic != Topic.REFERRALS


def _times(event: AnyEvent) -> datetime:
    if not isinstance(event.fact, EncounterFact):
        return event.time
    encounter = event.fact.encounter
    return min(at for at in (event.time, encounter.admitted_at, encounter.discharged_at) if at is not None)


def is_of_encounter(event: AnyEvent) -> TypeGuard[Event[EncounterFact]]:
    return isinstance(event.fact, EncounterFact)
