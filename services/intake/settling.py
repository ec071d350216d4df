"""Stays that moves concern are put where these lead, whatever came first; what differs is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from services.intake import describing, family_store, replay_store, solitary_store, store
from services.intake.announcing import Cause
from services.intake.chart import Patient, Stay, tell_change
from services.intake.family_store import Family
from services.intake.lifecycle import fold
from services.intake.message import StayFact
from services.intake.tracing import Move, trace
from shared.events import Draft
from shared.events.encounters import EncounterMoved
from shared.postgres import Transaction

if TYPE_CHECKING:
    from services.intake.store import Connection

LOOKS = 5


@dataclass(frozen=True, slots=True)
class Settled:
    """A stay, whose it must be, and the moves whose facts come to it or leave it."""

    stay: Stay
    owner: str
    followed: frozenset[UUID]
    facts: Mapping[UUID, StayFact]
    gained: Mapping[UUID, StayFact]
    lost: frozenset[UUID]

    @property
    def differs(self) -> bool:
        return bool(self.stay.patient_id != self.owner or self.gained or self.lost)


async def look(connection: "Connection", move: Move) -> list[Settled]:
    """How all stays must stand that the move may concern; nobody is locked."""
    ids = await _concerned(connection, move)
    if not ids:
        return []
    stays = await store.stays_by_id(connection, ids)
    facts = await replay_store.facts(connection, ids)
    told = (fact.record for each in facts.values() for fact in each.values() if fact.record)
    family = await family_store.family(connection, {move.source, *told, *(stay.patient_id for stay in stays)})
    surviving = await family_store.surviving(connection, family.records)
    return [_settled(stay, facts.get(stay.identity.id, {}), family, surviving) for stay in stays]


async def owners_told(connection: "Connection", patient_id: str) -> dict[UUID, str]:
    """Whose each stay of this patient is by all that was said of it. Left out are those of which nothing that is kept
    says whom it named.
    """
    ids = await family_store.stay_ids(connection, [patient_id])
    facts = await replay_store.facts(connection, ids) if ids else {}
    named = {stay: {fact.record for fact in told.values() if fact.record} for stay, told in facts.items()}
    family = await family_store.family(connection, {patient_id}.union(*named.values()))
    surviving = await family_store.surviving(connection, family.records)
    found: dict[UUID, str] = {}
    for stay in await store.stays_by_id(connection, [stay for stay in ids if named.get(stay)]):
        told = facts[stay.identity.id]
        record = trace(told, stay.identity.visit, patient_id, family.moves, family.joins).record
        found[stay.identity.id] = surviving.get(record, record)
    return found


async def _concerned(connection: "Connection", move: Move) -> list[UUID]:
    if move.visit:
        stay = await solitary_store.stay_now(connection, move.visit)
        return [stay.identity.id] if stay else []
    records = await family_store.led_to(connection, [move.source, move.target], move.said)
    return await family_store.stay_ids(connection, (await family_store.surviving(connection, records)).values())


async def locked(tx: Transaction, move: Move) -> list[Settled]:
    """As `look`, with those locked whom it changes. Raises asyncpg.SerializationError when they change all the time."""
    held: set[str] = set()
    for _ in range(LOOKS):
        stands = await look(tx.connection, move)
        wanted = {one for each in stands if each.differs for one in (each.stay.patient_id, each.owner)}
        if wanted <= held:
            return stands
        await tx.lock(wanted)
        held |= wanted
    raise asyncpg.SerializationError("the patients of a move change all the time")


def _settled(stay: Stay, facts: Mapping[UUID, StayFact], family: Family, surviving: Mapping[str, str]) -> Settled:
    traced = trace(facts, stay.identity.visit, stay.patient_id, family.moves, family.joins)
    followed = frozenset(move.message_id for move in traced.followed)
    lost = frozenset(move.message_id for move in family.moves if move.message_id in facts) - followed
    gained = {move.message_id: move.fact for move in traced.followed if move.fact and move.message_id not in facts}
    # What no move has ever concerned is where it was: nothing here says otherwise.
    owner = surviving.get(traced.record, traced.record) if followed or lost else stay.patient_id
    return Settled(stay, owner, followed, facts, gained, lost)


async def settle(tx: Transaction, stands: Sequence[Settled], patients: dict[str, Patient], cause: Cause) -> list[Draft]:
    """Moves and folds anew what differs; answers what to say. All of the patients must be locked."""
    changed = [each for each in stands if each.differs]
    missing = {each.owner for each in changed} - patients.keys()
    if missing:
        patients |= await store.load_patients(tx.connection, missing)
    drafts: list[Draft] = []
    for each in changed:
        drafts += _apply(each, patients.setdefault(each.owner, Patient(each.owner)), cause)
    await family_store.save_settled(tx.connection, [each.stay for each in changed])
    await _save_facts(tx, changed)
    for owner in {each.owner for each in changed}:
        await solitary_store.give(tx.connection, [each.stay for each in changed if each.owner == owner], owner)
    return drafts


def _apply(each: Settled, patient: Patient, cause: Cause) -> list[Draft]:
    stay, source = each.stay, each.stay.patient_id
    before = stay.state
    told = {**{one: fact for one, fact in each.facts.items() if one not in each.lost}, **each.gained}
    stay.state = fold(told.values())
    stay.version += 1
    stay.patient_id = each.owner
    if source == each.owner:
        return tell_change(stay, patient, cause, before, is_new=False)
    changed = describing.differences(before, stay.state)
    encounter = describing.describe(stay.identity, stay.version, stay.state, patient.summary())
    return [
        Draft(
            fact=EncounterMoved(encounter=encounter, from_patient=source, changed=changed),
            subject=each.owner,
            time=cause.time,
            correlation_id=str(stay.identity.id),
            causation_id=cause.message_id,
            version=stay.version,
        )
    ]


async def _save_facts(tx: Transaction, changed: Sequence[Settled]) -> None:
    gone = [(each.stay.identity.id, one) for each in changed for one in each.lost]
    await replay_store.drop_facts(tx.connection, gone)
    told = [(each.stay.identity.id, one, fact) for each in changed for one, fact in each.gained.items()]
    await replay_store.save_facts(tx.connection, told)
