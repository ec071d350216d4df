"""Scores as more becomes known: laboratory values are heard, people add what no message said, stays grow longer."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from services.transitions.acting import Act, UnknownError
from services.transitions.announcement import Cause
from services.transitions.cases import Cases
from services.transitions.followed import Followed
from services.transitions.protocols import Library
from services.transitions.risk import store
from services.transitions.risk.rules import Laboratory
from services.transitions.risk.store import ResultRow
from services.transitions.rounds import Aside, Rounds, Told
from services.transitions.store import worklists
from shared.events import AnyEvent
from shared.events.followups import ObservationRecorded
from shared.postgres import Database, Transaction

WITHDRAWN = frozenset({"D", "W", "X"})


async def hear_laboratory(tx: Transaction, library: Library, events: Sequence[AnyEvent]) -> None:
    """Keeps the values that scores ask for, whatever came first, they or the stay, and scores the stays anew."""
    rules = library.scoring.rules.laboratory
    told = [event for event in events if not event.snapshot and _is_asked_for(event, rules)]
    if not told:
        return
    survivors = await tx.lock({event.subject for event in told})
    heard = [(event, row) for event in told if (row := result_in(event, rules, survivors[event.subject]))]
    await store.keep_results(tx.connection, [row for _, row in heard])
    causes = {row[1]: Cause.of(event) for event, row in heard}
    cases = await Cases.load(tx, library, causes.keys(), since=min((row[3] for _, row in heard), default=told[0].time))
    for patient, cause in causes.items():
        cases.put(cases.of(patient), cause)
    await cases.save(tx)


def _is_asked_for(event: AnyEvent, rules: Laboratory) -> bool:
    return isinstance(event.fact, ObservationRecorded) and rules.analyte_of(event.fact.code) is not None


def result_in(event: AnyEvent, rules: Laboratory, patient: str) -> ResultRow | None:
    """The value as it is kept. One that is no final word, or can't be read, says nothing; a correction that can't be
    read takes back what was said before.
    """
    fact = event.fact
    name = rules.analyte_of(fact.code) if isinstance(fact, ObservationRecorded) else None
    if name is None or not isinstance(fact, ObservationRecorded) or fact.status not in rules.final | WITHDRAWN:
        return None
    is_withdrawn = fact.status in WITHDRAWN
    value = None if is_withdrawn or fact.value is None else rules.analytes[name].convert(fact.value, fact.unit)
    at = fact.observed_at or event.time
    return (fact.followup_id, patient, name, at, value, is_withdrawn, event.recorded)


async def say(tx: Transaction, library: Library, transition_id: UUID, act: Act, told: Mapping[str, Any]) -> Followed:
    """Adds what a person knows of the stay; its scores are computed anew, and said where they changed.

    Raises UnknownError.
    """
    place = await worklists.place_of_transition(tx.connection, transition_id)
    if place is None or not act.sees(place.facility, place.organisation):
        raise UnknownError
    patient = (await tx.lock([place.patient_id]))[place.patient_id]
    await store.say(tx.connection, transition_id, told, act.actor)
    cases = await Cases.load(tx, library, [patient], [place.encounter_id], since=act.at)
    followed = cases.find(place.encounter_id)
    if followed is None:
        raise UnknownError
    cases.put(cases.of(followed.transition.patient.id), act.cause)
    await cases.save(tx)
    return cases.of(followed.transition.patient.id).followed[place.encounter_id]


async def recount(tx: Transaction, library: Library, limit: int, aside: Aside = ()) -> Told:
    """Scores stays anew that have lasted for another day that counts."""
    due = await store.due(tx.connection, limit, aside)
    idle = await tx.lock_idle(due.values()) if due else {}
    found: Collection[UUID] = [key for key, patient in due.items() if patient in idle]
    if not found:
        return Told(len(due), 0)
    now = await tx.now()
    encounters = await store.encounters(tx.connection, found)
    patients = {idle[due[key]] for key in found}
    cases = await Cases.load(tx, library, patients, encounters, since=now)
    for patient in sorted(patients):
        cases.put(cases.of(patient), Cause(id="timer:length-of-stay", at=now))
    await cases.save(tx)
    return Told(len(due), len(found))


def recounter(database: Database, library: Library, *, batch: int = 200) -> Rounds:
    """Scores stays that go on, for as long as it runs."""

    async def tell(tx: Transaction, limit: int, aside: Aside) -> Told:
        return await recount(tx, library, limit, aside)

    return Rounds(database, "risk", due=store.due, tell=tell, batch=batch)
