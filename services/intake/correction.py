"""Messages that took effect, read once more: what they say now takes the place of what they said. Pure.

Nothing is withdrawn because a message can no longer be read: what took effect then stays as it is. Stays are folded
and told once, after all of their messages, so that only what differs in the end is said.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import orjson

from services.intake import describing, lifecycle
from services.intake import patient as people
from services.intake.announcing import Cause, Change, announce
from services.intake.arrival import Arrival
from services.intake.chart import Chart, Patient, Stay
from services.intake.describing import StayIdentity
from services.intake.message import AdtMessage, Outcome, Reason, Said, StayFact
from services.intake.patient import Record, Saying
from services.intake.person import IDENTIFIERS
from services.intake.restating import Restating, Word
from services.intake.triggers import ALONE, MERGES
from shared.events import Draft, uuid7
from shared.events.encounters import PatientUpdated
from shared.events.people import Identifier, PatientSummary

OFFERED_AGAIN = "offered-again"
"""Not to be seen beforehand: it goes the way of what arrives."""
NOT_CORRECTED = "not-corrected"
"""It took effect on more than patients, a stay and what stands beside it, and stays as it is."""


def is_compound(arrival: Arrival) -> bool:
    """Whether it speaks of the stays of several patients, or of links, moves and numbers: what was then is not told by
    the facts of one stay.
    """
    adt = arrival.adt
    if adt is None:
        return False
    is_of_several = bool(adt.others) and not all(part.statements for part in adt.parts)
    return is_of_several or adt.trigger in ALONE - MERGES


@dataclass(slots=True)
class Logged:
    """A message as the log has it, and as it reads now."""

    id: UUID
    outcome: Outcome
    reason: str | None
    feed: str
    doubts: str
    trigger: str
    patient_id: str | None
    encounter_id: UUID | None
    version: int
    arrival: Arrival


@dataclass(slots=True)
class Dossier:
    """A stay with all its facts, by message."""

    stay: Stay
    facts: dict[UUID, StayFact]
    causes: list[Cause] = field(default_factory=list)
    """The messages whose facts are other than they were; empty when the stay is untouched."""


@dataclass(slots=True)
class Finding:
    """What came of one message. `left` says why it was not touched; names of fields only, never what stands in them."""

    message: Logged
    outcome: Outcome
    reason: str | None
    patient_id: str | None
    encounter_id: UUID | None
    fields: tuple[str, ...] = ()
    left: str | None = None
    drafts: list[Draft] = field(default_factory=list)

    @property
    def is_changed(self) -> bool:
        known, now = self.message, self.message.arrival
        before = (known.outcome, known.reason, known.feed, known.doubts, known.patient_id, known.encounter_id)
        after = (self.outcome, self.reason, now.feed_name, ",".join(now.doubts), self.patient_id, self.encounter_id)
        return self.left is None and bool(before != after or self.fields or self.drafts)


class Correction:
    """The messages of a few patients, whose locks are held. `take` all of them, then `finish`."""

    def __init__(self, chart: Chart, dossiers: Iterable[Dossier]) -> None:
        self._chart = chart
        self.dossiers = {dossier.stay.identity.id: dossier for dossier in dossiers}
        self._by_visit = {dossier.stay.identity.visit: dossier for dossier in self.dossiers.values()}
        self._before: dict[str, Mapping[str, Any]] = {}
        self._taught: dict[str, Finding] = {}
        self._findings: dict[UUID, Finding] = {}
        self._restating = Restating(chart.standings)

    def take(self, message: Logged, record_ids: Sequence[str]) -> Finding:
        """`record_ids`: the record that the first identifier of each of its parts stands for."""
        found = Finding(message, message.outcome, message.reason, message.patient_id, message.encounter_id)
        self._findings[message.id] = found
        adt = message.arrival.adt
        if adt is None or not record_ids or message.arrival.feed is None:
            verdict = message.arrival.verdict
            found.left = verdict.reason.value if verdict and verdict.reason else NOT_CORRECTED
            return found
        named = [(part, one, self._chart.surviving[one]) for part, one in zip(adt.parts, record_ids, strict=True)]
        found.left = self._objection(message.arrival.feed_name, named)
        if found.left:
            return found
        fields: set[str] = set()
        for part, record_id, patient_id in named:
            fields |= {*self._learn(found, part, record_id, patient_id)}
            if part is adt:
                fields |= {*self._tell(found, adt, record_id, patient_id)}
            fields |= {*self._restate(found, part, patient_id)}
        found.fields = tuple(sorted(fields))
        return found

    def _objection(self, feed: str, named: Sequence[tuple[AdtMessage, str, str]]) -> str | None:
        """Why a message can't take the place of what it said: its stay or thing is another patient's now."""
        for part, _, patient_id in named:
            dossier = self._dossier(part)
            if dossier and dossier.stay.patient_id != patient_id:
                return Reason.VISIT_OF_ANOTHER_PATIENT.value
            if self._chart.standings.is_of_another(feed, patient_id, part.statements):
                return Reason.STATED_OF_ANOTHER_PATIENT.value
        return None

    def _dossier(self, part: AdtMessage) -> Dossier | None:
        visit = self._chart.visit_of(part)
        return self._by_visit.get(visit) if visit else None

    def _learn(self, found: Finding, adt: AdtMessage, record_id: str, patient_id: str) -> Iterator[str]:
        """What a message said of a record that was merged away since lives on in that record alone: it is left."""
        is_first = adt is found.message.arrival.adt
        known = found.message.patient_id if is_first else None
        held_by = self._chart.surviving.get(known, known) if known else None
        if known != held_by:
            return
        if known and known != patient_id:
            yield from self._teach(known, adt, None, found)
        said = adt.demographics
        if record_id != patient_id:
            said = {name: value for name, value in said.items() if not name.startswith(IDENTIFIERS)}
        if adt.retired and record_id != patient_id:
            return
        yield from self._teach(patient_id, adt, said, found)
        found.patient_id = patient_id if is_first else found.patient_id

    def _restate(self, found: Finding, part: AdtMessage, patient_id: str) -> list[str]:
        feed = found.message.arrival.feed
        if feed is None or not part.statements:
            return []
        dossier = self._dossier(part)
        encounter_id = dossier.stay.identity.id if dossier else None
        word = Word(found.message.id, part, feed.name, feed.facility, patient_id, encounter_id)
        fields = list(self._restating.take(word))
        if fields and encounter_id and part is found.message.arrival.adt:
            found.encounter_id = encounter_id
        return fields

    def _teach(self, patient_id: str, adt: AdtMessage, said: Said | None, found: Finding) -> Iterator[str]:
        patient = self._chart.patients.setdefault(patient_id, Patient(patient_id))
        record = relearn(patient.record, adt, said)
        if people.record_as_json(record) == _plain(people.record_as_json(patient.record)):
            return
        before = people.values_of(patient.record)
        self._before.setdefault(patient_id, before)
        self._taught[patient_id] = found
        patient.know(record)
        yield from (f"patient: {name}" for name in people.differences(before, people.values_of(record)))

    def _tell(self, found: Finding, adt: AdtMessage, record_id: str, patient_id: str) -> Iterator[str]:
        message, feed, dossier = found.message, found.message.arrival.feed, self._dossier(adt)
        old = self.dossiers.get(message.encounter_id) if message.encounter_id else None
        if dossier and message.id in dossier.facts:
            old = dossier  # two records of one visit were joined since
        known = old.facts.get(message.id) if old else None
        named = record_id if known is None or known.record else ""
        fact = replace(StayFact.from_json(_plain(adt.fact.as_json())), record=named) if adt.fact else None
        if old and known and (fact is None or dossier is not old):
            del old.facts[message.id]
            old.causes.append(Cause(str(message.id), adt.occurred, late=True))
            found.encounter_id = None
            yield "visit"
        visit = self._chart.visit_of(adt)
        if fact is None or visit is None or feed is None:
            return
        if dossier is None:
            place = feed.place((fact.said.get("location") or {}).get("facility"))
            stay = Stay(StayIdentity(uuid7(), visit, feed.name, place), patient_id)
            dossier = self._by_visit[visit] = Dossier(stay, {})
            self.dossiers[stay.identity.id] = dossier
        if dossier.facts.get(message.id) != fact:
            dossier.facts[message.id] = fact
            dossier.causes.append(Cause(str(message.id), adt.occurred, late=True))
            found.encounter_id = dossier.stay.identity.id
            yield from _differences(known, fact)

    def finish(self) -> None:
        """Folds and tells what was touched; the events stand with the last message that changed the stay."""
        for patient_id, before in self._before.items():
            self._tell_patient(self._chart.patients[patient_id], before, self._taught[patient_id])
        for dossier in self.dossiers.values():
            if dossier.causes:
                cause = dossier.causes[-1]
                self._findings[UUID(cause.message_id)].drafts += _retell(dossier, self._chart, cause)
        for message_id, drafts in self._restating.finish(self._summary):
            self._findings[message_id].drafts += drafts

    def _summary(self, patient_id: str) -> PatientSummary:
        return self._chart.patients.setdefault(patient_id, Patient(patient_id)).summary()

    def _tell_patient(self, patient: Patient, before: Mapping[str, Any], found: Finding) -> None:
        changed = people.differences(before, people.values_of(patient.record))
        patient.version += 1
        adt = found.message.arrival.adt
        if changed and before and adt:
            draft = Draft(
                fact=PatientUpdated(patient=patient.summary(), changed=changed),
                subject=patient.id,
                time=adt.occurred,
                correlation_id=patient.id,
                causation_id=str(found.message.id),
                version=patient.version,
                late=True,
            )
            found.drafts.append(draft)


def relearn(record: Record, adt: AdtMessage, said: Said | None) -> Record:
    """The record with this message's word in the place of what the same message said before; None takes it out.

    What older messages said of a field that this one no longer names comes back when they are read again too.
    """
    kept = tuple(saying for saying in record if saying.order[2:] != (adt.order.control_id, adt.order.digest))
    if said is None:
        return kept
    order = adt.order
    learned = people.learn(kept, order, said)
    return tuple(Saying(tuple(one.order), _plain(dict(one.said))) for one in learned)


def _retell(dossier: Dossier, chart: Chart, cause: Cause) -> list[Draft]:
    stay = dossier.stay
    before, is_new = stay.state, stay.version == 0
    state = lifecycle.fold(dossier.facts.values())
    patient = chart.patients.setdefault(stay.patient_id, Patient(stay.patient_id))
    stay.state = state
    stay.version += 1
    drafts, announced = announce(
        Change(
            announced=stay.announced,
            state=state,
            describe=lambda: describing.describe(stay.identity, stay.version, stay.state, patient.summary()),
            changed=() if is_new else describing.differences(before, state),
            is_new=is_new,
            cause=cause,
        )
    )
    stay.announced = announced
    return drafts


def _differences(known: StayFact | None, fact: StayFact) -> Iterator[str]:
    if known is None:
        yield "visit"
        return
    yield from (f"stay: {name}" for name in {**known.said, **fact.said} if known.said.get(name) != fact.said.get(name))
    if known.occurred != fact.occurred:
        yield "occurred"
    if known.order != fact.order:
        yield "recorded"
    if known.trigger != fact.trigger:
        yield "trigger"
    if known.moments != fact.moments:
        yield "precision"
    if known.movement != fact.movement:
        yield "movement"


def _plain(value: Any) -> Any:
    """As it comes back from the store: lists for tuples, texts for enumerations."""
    return orjson.loads(orjson.dumps(value))


def visits_of(messages: Iterable[Logged]) -> set[Identifier]:
    return {part.visit for one in messages if one.arrival.adt for part in one.arrival.adt.parts if part.visit}
