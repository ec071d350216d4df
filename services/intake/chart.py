"""The working set of one group of messages: patients and stays as loaded, and as the rules change them. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from uuid import UUID

from services.intake import describing, lifecycle, sequence, standing
from services.intake import patient as people
from services.intake.announcing import Announced, Cause, Change, announce
from services.intake.arrival import Arrival
from services.intake.describing import StayIdentity
from services.intake.encounter import EMPTY, EncounterState
from services.intake.identity.overlay import suspects_overlay
from services.intake.identity.traits import PERSONAL
from services.intake.message import AdtMessage, OrderKey, Outcome, Reason, Said, StayFact, Verdict
from services.intake.patient import Record
from services.intake.person import IDENTIFIERS, SSN4
from services.intake.standing import Occasion, Standings
from services.intake.statement import Statement
from shared.events import Draft, uuid7
from shared.events.encounters import PatientUpdated
from shared.events.people import Identifier, PatientSummary

ACCEPTED = Verdict(Outcome.ACCEPTED)
OVERLAY = Verdict(Outcome.HELD, reason=Reason.OVERLAY_SUSPECTED)


@dataclass(slots=True)
class Patient:
    """`known_version` is that of the row in the store; 0 where there is none."""

    id: str
    version: int = 0
    record: Record = ()
    is_touched: bool = False
    known_version: int = 0
    is_to_match: bool = False
    """Whether traits by which people are told apart changed: see `identity`."""
    _summary: PatientSummary | None = None

    def summary(self) -> PatientSummary:
        if self._summary is None:
            self._summary = people.summarise(self.id, people.values_of(self.record))
        return self._summary

    def know(self, record: Record) -> None:
        """Takes this record in the place of what was known."""
        self.record, self.is_touched, self._summary = record, True, None

    def inherit(self, record: Record) -> None:
        """Takes in what was said of another record of the same person, but for its numbers: as if it had come after
        the merge.
        """
        self.know(people.inherited(self.record, record))
        self.version += 1

    def learn(self, order: OrderKey, said: Said) -> tuple[str, ...]:
        """Takes in what a message says; answers the fields that differ now."""
        before = people.values_of(self.record)
        self.record = people.learn(self.record, order, said)
        self.is_touched = True
        self.version += 1
        changed = people.differences(before, people.values_of(self.record))
        if changed:
            self._summary = None
            self.is_to_match = self.is_to_match or not PERSONAL.isdisjoint(changed)
        return tuple(name for name in changed if name != SSN4)


@dataclass(slots=True)
class Stay:
    """`older` are the facts in the store, loaded only where one of the group's sorts before what is known;
    `known_version` is that of the row in the store, 0 where there is none.
    """

    identity: StayIdentity
    patient_id: str
    version: int = 0
    known_version: int = 0
    state: EncounterState = EMPTY
    announced: tuple[Announced, ...] = ()
    older: list[StayFact] = field(default_factory=list)
    fresh: list[tuple[UUID, StayFact]] = field(default_factory=list)

    def take(self, message_id: UUID, fact: StayFact) -> bool:
        """Applies the fact; answers whether it came late, or tells of a movement of the past."""
        follows, late = sequence.follows(self.state, fact), sequence.is_late(self.state, fact)
        self.fresh.append((message_id, fact))
        if follows:
            self.state = lifecycle.apply(self.state, fact)
        else:
            self.state = lifecycle.fold([*self.older, *(known for _, known in self.fresh)])
        self.version += 1
        return late or bool(fact.movement and fact.movement.is_historic)


@dataclass(slots=True)
class Effect:
    """What one message did."""

    arrival: Arrival
    verdict: Verdict
    patient_id: str | None = None
    encounter_id: UUID | None = None
    drafts: list[Draft] = field(default_factory=list)


@dataclass(slots=True)
class Chart:
    """`surviving` says for every record of the group which one it was merged into (itself, if none)."""

    surviving: dict[str, str]
    patients: dict[str, Patient] = field(default_factory=dict)
    stays: dict[Identifier, Stay] = field(default_factory=dict)
    standings: Standings = field(default_factory=Standings)
    renamed: dict[Identifier, Identifier] = field(default_factory=dict)
    """Visits that go on under another number."""
    ways: frozenset[tuple[str, str]] = frozenset()
    """Patients, and those to whom stays of theirs were moved; known only for messages that are read once more."""

    @property
    def has_redirected(self) -> bool:
        """Whether one of the records was merged into another."""
        return any(record != survivor for record, survivor in self.surviving.items())

    def take(self, arrival: Arrival, record_id: str, part: AdtMessage | None = None) -> Effect:
        """Applies one message, or its part about one of several patients, that says something of a patient."""
        adt = part or arrival.adt
        if adt is None or arrival.feed is None:
            raise ValueError("the message has nothing to apply")
        patient_id = self.surviving[record_id]
        if objection := self.objection(arrival, adt, patient_id):
            disputed = self.stay_of(adt)
            return Effect(arrival, objection, patient_id, disputed.identity.id if disputed else None)
        stay, visit = self.stay_of(adt), self.visit_of(adt)
        patient = self.patients.setdefault(patient_id, Patient(patient_id))
        effect = Effect(arrival, ACCEPTED, patient_id)
        effect.drafts += self.learn(patient, arrival, adt, is_retired=record_id != patient_id)
        if visit and adt.fact:
            if stay is None:
                place = arrival.feed.place((adt.fact.said.get("location") or {}).get("facility"))
                identity = StayIdentity(uuid7(), visit, arrival.feed.name, place)
                stay = self.stays[visit] = Stay(identity, patient_id)
            effect.encounter_id = stay.identity.id
            whose = self.patients.setdefault(stay.patient_id, Patient(stay.patient_id))
            effect.drafts += _tell(stay, whose, arrival, adt, replace(adt.fact, record=record_id))
        elif stay:
            effect.encounter_id = stay.identity.id
        for statement in adt.statements:
            effect.drafts += self._state(patient, arrival, statement, effect.encounter_id)
        return effect

    def take_parts(self, arrival: Arrival, record_ids: Iterable[str]) -> Effect:
        """Applies a message about several patients: all of it, or, where one part can't be, nothing."""
        if arrival.adt is None:
            raise ValueError("the message has nothing to apply")
        told = list(zip(arrival.adt.parts, record_ids, strict=True))
        patients = [self.surviving[record_id] for _, record_id in told]
        for (part, _), patient_id in zip(told, patients, strict=True):
            if objection := self.objection(arrival, part, patient_id):
                return Effect(arrival, objection, patient_id)
        first, *others = [self.take(arrival, record_id, part) for part, record_id in told]
        first.drafts += [draft for other in others for draft in other.drafts]
        return first

    def visit_of(self, adt: AdtMessage) -> Identifier | None:
        """The visit that the message means, under the number by which it goes on."""
        return self.renamed.get(adt.visit, adt.visit) if adt.visit else None

    def stay_of(self, adt: AdtMessage) -> Stay | None:
        visit = self.visit_of(adt)
        return self.stays.get(visit) if visit else None

    def _was_moved(self, stay: Stay, patient_id: str) -> bool:
        """Whether the visit was that patient's, before moves took it to whose it is now."""
        return (patient_id, stay.patient_id) in self.ways and stay.patient_id in self.surviving

    def objection(self, arrival: Arrival, adt: AdtMessage, patient_id: str) -> Verdict | None:
        """Which of two patients a visit or a thing belongs to, only the sender can tell: nobody is told anything."""
        stay = self.stay_of(adt)
        if stay and stay.patient_id != patient_id and not self._was_moved(stay, patient_id):
            return Verdict(Outcome.HELD, reason=Reason.VISIT_OF_ANOTHER_PATIENT)
        if adt.statements and self.standings.is_of_another(arrival.feed_name, patient_id, adt.statements):
            return Verdict(Outcome.HELD, reason=Reason.STATED_OF_ANOTHER_PATIENT)
        patient = self.patients.get(patient_id)
        if patient and suspects_overlay(patient.record, adt.demographics) and not arrival.is_confirmed:
            return OVERLAY
        return None

    def _state(
        self, patient: Patient, arrival: Arrival, statement: Statement, encounter_id: UUID | None
    ) -> Iterable[Draft]:
        if arrival.feed is None:
            return ()
        thing = self.standings.find(arrival.feed_name, patient.id, statement)
        thing.encounter_id = encounter_id or thing.encounter_id
        is_late = standing.is_late(thing.record, statement)
        occasion = Occasion(patient.summary(), arrival.feed.facility, str(arrival.id), is_late)
        return standing.drafts(thing, statement.occurred, occasion, thing.take(statement))

    def learn(self, patient: Patient, arrival: Arrival, adt: AdtMessage, *, is_retired: bool) -> Iterable[Draft]:
        said = adt.demographics
        if is_retired:
            # The message still uses a number that was merged away: the survivor's own numbers stay.
            said = {name: value for name, value in said.items() if not name.startswith(IDENTIFIERS)}
        is_new = not patient.record
        changed = patient.learn(adt.order, said)
        if changed and not (is_new and adt.fact):  # a new patient is told with the stay
            yield Draft(
                fact=PatientUpdated(patient=patient.summary(), changed=changed),
                subject=patient.id,
                time=adt.occurred,
                correlation_id=patient.id,
                causation_id=str(arrival.id),
                version=patient.version,
            )


def _tell(stay: Stay, patient: Patient, arrival: Arrival, adt: AdtMessage, fact: StayFact) -> list[Draft]:
    before, is_new = stay.state, stay.version == 0
    late = stay.take(arrival.id, fact)
    return tell_change(stay, patient, Cause(str(arrival.id), adt.occurred, late), before, is_new=is_new)


def tell_change(stay: Stay, patient: Patient, cause: Cause, before: EncounterState, *, is_new: bool) -> list[Draft]:
    """The events that follow from what the stay was and now is."""
    drafts, announced = announce(
        Change(
            announced=stay.announced,
            state=stay.state,
            describe=lambda: describing.describe(stay.identity, stay.version, stay.state, patient.summary()),
            changed=() if is_new else describing.differences(before, stay.state),
            is_new=is_new,
            cause=cause,
        )
    )
    stay.announced = announced
    return drafts
