"""Undoing a join: the retired record goes on under a patient id of its own, with its stays and its numbers.

The survivor keeps its id. The retired id stays closed, as every service has it: what was wrongly joined is told again
under a new one, each stay as moved (`EncounterMoved`), so that whoever was told of it under the wrong patient hears.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from services.intake import family_store, move_store, settling, standing_store
from services.intake import store as intake_store
from services.intake.arrival import Arrival
from services.intake.chart import Patient
from services.intake.feeds import FeedDirectory
from services.intake.identity import joins, store
from services.intake.identity.moves import move_stays
from services.intake.patient import Record, learn, record_from_json
from services.intake.rereading import Stored, reread
from services.intake.sealing import Seal
from shared.events import Draft
from shared.events.encounters import PatientUnmerged
from shared.http import Problem
from shared.postgres import Transaction


@dataclass(slots=True)
class Lineage:
    """What belongs to the records that part, and what the survivor's own messages have said since."""

    records: frozenset[str]
    stays: set[UUID]
    theirs: Record
    own: Record
    things: set[UUID] = field(default_factory=set)

    def hear(self, arrival: Arrival, record: str, stay: UUID | None) -> None:
        """A message since the join, under the record that its own number stands for."""
        if arrival.adt is None:
            return
        if record not in self.records:
            self.own = learn(self.own, arrival.adt.order, arrival.adt.demographics)
            return
        self.theirs = learn(self.theirs, arrival.adt.order, arrival.adt.demographics)
        if stay is not None:
            self.stays.add(stay)
        self.things |= {one.id_on(arrival.feed_name) for one in arrival.adt.statements}


async def split(
    tx: Transaction, feeds: FeedDirectory, seal: Seal, join_id: UUID, version: int | None, *, by: str, reason: str
) -> str:
    """Undoes the join; answers the restored patient's id. Raises Problem 404 for an unknown join, 409 when stale."""
    row = await joins.find_join(tx.connection, join_id)
    if row is None:
        raise Problem(404, "No such join")
    restored = uuid4().hex
    survivor = (await tx.lock([row["retired"], row["survivor"], restored]))[row["retired"]]
    if await joins.mark_undone(tx.connection, join_id, version, by=by, reason=reason, restored=restored) is None:
        raise Problem(409, "It was undone already, or has changed since: look again", slug="stale-version")
    lineage = await _lineage(tx, feeds, seal, row, survivor)
    # Those who were said to be the same as the retired record go with it.
    await tx.lock([survivor, restored, *sorted(lineage.records)])
    await joins.redirect(tx.connection, sorted(lineage.records), restored)
    await family_store.say_apart(tx.connection, sorted(lineage.records))
    # What came under the retired number since may speak of a stay that was the survivor's all the time.
    told = await settling.owners_told(tx.connection, survivor)
    lineage.stays = {one for one in lineage.stays | told.keys() if told.get(one, restored) == restored}
    return await _part(tx, lineage, row, survivor, restored, by, reason)


async def _part(
    tx: Transaction, lineage: Lineage, row: Mapping[str, Any], survivor: str, restored: str, by: str, reason: str
) -> str:
    known = (await intake_store.load_patients(tx.connection, [survivor])).get(survivor, Patient(survivor))
    # In a chain the survivor has gone on into another record: what that one says is not undone here.
    own = lineage.own if survivor == row["survivor"] else known.record
    staying = Patient(survivor, known.version + 1, own)
    leaving = Patient(restored, 1, lineage.theirs)
    await joins.correct_patient(tx.connection, survivor, staying.version, staying.record)
    await joins.start_patient(tx.connection, restored, leaving.version, leaving.record)
    await standing_store.move(tx.connection, lineage.things, lineage.stays, survivor, restored)
    said = _said(staying, leaving, row, sorted(lineage.stays), await tx.now())
    moved = await move_stays(tx, staying, leaving, sorted(lineage.stays), cause=str(row["id"]), after=said[1])
    await tx.publish([*said, *moved])
    await move_store.look_again(tx.connection, [survivor, restored])
    await store.keep_apart(tx.connection, survivor, restored, by, reason)
    await store.queue(tx.connection, [survivor, restored])
    return restored


def _said(
    staying: Patient, leaving: Patient, row: Mapping[str, Any], stays: Sequence[UUID], now: Any
) -> tuple[Draft, Draft]:
    """Said on both keys; the restored patient's copy, and the stays after it, wait for the survivor's."""

    def draft(patient: Patient, after: Draft | None) -> Draft:
        fact = PatientUnmerged(
            patient=patient.summary(),
            retired=row["retired"],
            survivor=staying.id,
            restored=leaving.id,
            encounters=tuple(stays),
        )
        return Draft(
            fact=fact,
            subject=patient.id,
            time=now,
            correlation_id=patient.id,
            causation_id=str(row["id"]),
            version=patient.version,
            after=after,
        )

    first = draft(staying, None)
    return first, draft(leaving, first)


async def _lineage(tx: Transaction, feeds: FeedDirectory, seal: Seal, row: Mapping[str, Any], survivor: str) -> Lineage:
    """Told from what was kept at the join, and by reading again what has come since: it is sealed, not summarised."""
    records = await joins.parting(tx.connection, survivor, row)
    stays = set(row["stays"]) | await joins.stays_joined(tx.connection, records)
    theirs = (await store.records(tx.connection, [row["retired"]])).get(row["retired"], [])
    lineage = Lineage(frozenset(records), stays, record_from_json(theirs), record_from_json(row["survivor_record"]))
    messages = await joins.messages_since(tx.connection, survivor, row["joined_at"])
    arrivals = [_read(one, feeds, seal) for one in messages]
    told = [arrival.adt.identifiers[0] for arrival in arrivals if arrival.adt]
    found = await joins.records_of(tx.connection, [(one.authority, one.type, one.value) for one in told])
    for message, arrival in zip(messages, arrivals, strict=True):
        if arrival.adt and not arrival.adt.retired:
            first = arrival.adt.identifiers[0]
            record = found.get((first.authority, first.type, first.value), survivor)
            lineage.hear(arrival, record, message["encounter_id"])
    return lineage


def _read(message: Mapping[str, Any], feeds: FeedDirectory, seal: Seal) -> Arrival:
    raw = seal.open(message["raw"], message["id"])
    stored = Stored(message["id"], message["received_at"], message["feed"], message["control_id"], message["trigger"])
    return reread(raw, stored, feeds)
